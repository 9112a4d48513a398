//! What operators watch: `/metrics`, and the log, of real processes.

#[path = "watching/damage.rs"]
mod damage;
mod harness;
#[path = "watching/now.rs"]
mod now;
#[path = "watching/page.rs"]
mod page;
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use page::Page;
use process::{Server, Talk, addresses, key, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Three that are in sync, and say all they can say in their logs.
fn group() -> Vec<Server> {
    let addresses = addresses(3);
    let list = addresses.join(",");
    let start = |address: &String| Server::start_saying("debug", address, &["--group", &list]);
    let servers: Vec<Server> = addresses.iter().map(start).collect();
    for server in &servers {
        wait_until("all are in sync", || Page::of(&server.address).by("lastword_in_sync", "replica").len() == 2);
    }
    servers
}

fn send(to: &str, text: &str) -> Value {
    json!({"op": "send", "to": to, "text": text, "key": key()})
}

fn counts(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
    pairs.iter().map(|&(label, count)| (label.to_owned(), count)).collect()
}

/// The names in backticks of the tables in `docs/operations.md`.
fn documented() -> BTreeSet<String> {
    let docs = include_str!("../../../docs/operations.md");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let names = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let names = names.filter(|name| name.starts_with("lastword_") || name.starts_with("process_"));
    names.filter_map(|name| name.split('{').next()).map(str::to_owned).collect()
}

/// A page of 2 MiB is cleared when its first byte is touched: who waits for the replica would wait for that.
#[test]
#[cfg(target_os = "linux")]
fn memory_comes_in_small_pages() {
    let server = Server::start();
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("Linux");
    let large = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"));
    assert!(large.is_none_or(|large| large.trim() == "0"), "{large:?}");
}

/// What was asked is counted exactly, and what waits, waits.
#[test]
fn what_clients_did_stands_on_the_page() {
    let servers = group();
    let a = &servers[0].address;
    let (mut alice, mut bob) = (Talk::to(a), Talk::to(a));
    alice.create("alice");
    bob.create("bob");
    for n in 0..40 {
        assert_eq!(alice.ask(&send("bob", &format!("number {n}")))["ok"]["stored"], 3);
    }
    for _ in 0..3 {
        assert_eq!(alice.ask(&send("nobody", "hello"))["error"]["code"], "no_such_user");
    }
    for _ in 0..5 {
        bob.ask(&json!({"op": "ping"}));
    }
    assert_eq!(bob.ask(&json!({"op": "dance"}))["error"]["code"], "bad_request");
    assert_eq!(bob.ask(&json!({"op": "history", "with": "alice"}))["ok"]["more"], false);
    alice.say(b"[]\n");
    wait_until("who sends nonsense is disconnected", || alice.line().is_none());
    wait_until("all of it waits", || Page::of(a).get("lastword_pending_messages") == Some(40.0));

    let page = Page::of(a);
    let asked = [("create", 2.0), ("send", 43.0), ("ping", 5.0), ("history", 1.0)];
    assert_eq!(page.by("lastword_requests_total", "op"), counts(&asked));
    assert_eq!(page.by("lastword_errors_total", "code"), counts(&[("no_such_user", 3.0), ("bad_request", 2.0)]));
    let answered = [("send", 43.0), ("password", 2.0), ("read", 1.0), ("other", 5.0)];
    assert_eq!(page.by("lastword_answer_seconds_count", "kind"), counts(&answered));
    assert_eq!(page.by("lastword_password_hashes_total", "outcome"), counts(&[("done", 2.0)]));
    assert_eq!(page.by("lastword_connections{", "front"), counts(&[("lines", 1.0), ("http", 1.0)]));
    assert_eq!(page.value("lastword_connections_opened_total{front=\"lines\"}"), 2.0);
    assert_eq!(page.value("lastword_logged_in_connections"), 1.0);
    assert_eq!(page.value("lastword_listening_connections"), 0.0);
    assert_eq!(page.value("lastword_accounts"), 2.0);
    // A create is two facts.
    assert_eq!(page.by("lastword_acknowledged_total", "copies"), counts(&[("3", 44.0)]));
    assert_eq!(page.value("lastword_last_acknowledged_copies"), 3.0);
    assert_eq!((page.value("lastword_unanswered_facts"), page.value("lastword_oldest_unanswered_seconds")), (0.0, 0.0));
    // With the sessions, whatever is in the log was written by its thread.
    assert_eq!(page.value("lastword_sync_facts_sum"), page.value("lastword_log_facts"));
    assert!(page.value("lastword_log_facts") >= 44.0);
    assert!(page.value("lastword_sync_seconds_sum") > 0.0 && page.value("lastword_sync_seconds_count") >= 40.0);
    assert_eq!(page.value("lastword_log_queue_facts"), 0.0);
    for (what, least) in [
        ("lastword_file_bytes{file=\"log.db\"}", 8192.0),
        ("lastword_file_bytes{file=\"views.db\"}", 16_384.0),
        ("lastword_disk_free_bytes", 1e6),
        ("process_resident_memory_bytes", 1e6),
        ("process_cpu_seconds_total", 0.01),
        ("process_open_fds", 5.0),
        ("process_start_time_seconds", 1.7e9),
    ] {
        assert!(page.value(what) >= least, "{what}: {}", page.value(what));
    }
    assert_eq!(page.by("lastword_scrape_missing", "part"), counts(&[]));
    assert!(!page.text.contains("alice") && !page.text.contains("bob"), "it names accounts");

    let mut documented = documented();
    // Only where there is TLS.
    assert!(documented.remove("lastword_tls_certificate_expiry_seconds"));
    assert_eq!(page.described, documented, "docs/operations.md tells what is on a page");

    // Bob comes with what he had elsewhere, and takes what waits.
    let token = bob.ask(&json!({"op": "login", "name": "bob", "password": "secret"}))["ok"]["token"].clone();
    let mut other = Talk::to(a);
    other.ask(&json!({"op": "resume", "token": token}));
    other.ask(&json!({"op": "login", "name": "bob", "password": "secret"}));
    other.ask(&json!({"op": "listen"}));
    assert_eq!(Page::of(a).value("lastword_clients_moved_total"), 0.0, "who came with a password has not moved");
    drop(other);
    wait_until("it has gone", || Page::of(a).value("lastword_listening_connections") == 0.0);
    assert_eq!(bob.ask(&json!({"op": "resume", "token": token}))["ok"]["pending"], 40);
    bob.ask(&json!({"op": "listen"}));
    let last = (0..40).map(|_| bob.event("message")["pos"].clone()).last();
    bob.ask(&json!({"op": "delivered", "upto": last}));
    wait_until("nothing waits any more", || Page::of(a).value("lastword_pending_messages") == 0.0);
    let page = Page::of(a);
    assert_eq!((page.value("lastword_clients_moved_total"), page.value("lastword_listening_connections")), (1.0, 1.0));
}

/// Another replica freezes, comes back, and is killed: each shows where it should, and in the log, too.
#[test]
fn what_becomes_of_a_replica_shows_at_the_others() {
    let mut servers = group();
    let a = servers[0].address.clone();
    let mut alice = Talk::to(&a);
    let account = alice.create("alice")["account"].as_str().expect("an id").to_owned();
    assert_eq!(Page::of(&a).by("lastword_peer_left_total", "reason"), counts(&[]));
    wait_until("no replica lags", || Page::of(&a).by("lastword_peer_lag_facts", "replica").is_empty());

    servers[2].signal(Signal::STOP);
    alice.say(
        format!("{}\n", json!({"id": 1, "op": "send", "to": "alice", "text": "a secret text", "key": key()}))
            .as_bytes(),
    );
    wait_until("what waits for the frozen one shows", || {
        let page = Page::of(&a);
        let lag = page.get("lastword_peer_lag_facts{replica=\"c\"}").unwrap_or_default();
        let waited = page.value("lastword_oldest_unanswered_seconds");
        assert!(page.value("lastword_in_sync{replica=\"c\"}") > 0.0, "it has left before it lagged");
        let pushed = page.value("lastword_peer_in_flight_bytes{replica=\"c\"}");
        lag == 1.0
            && (16.0..4096.0).contains(&pushed)
            && waited > 0.2
            && page.value("lastword_unanswered_facts") == 1.0
            && page.value("lastword_peer_lag_seconds{replica=\"c\"}") > 0.1
    });
    assert_eq!(alice.next().expect("an answer")["ok"]["stored"], 2);
    wait_until("it is out of sync", || Page::of(&a).by("lastword_in_sync", "replica") == counts(&[("b", 1.0)]));
    let page = Page::of(&a);
    assert_eq!(page.value("lastword_last_acknowledged_copies"), 2.0);
    assert_eq!(page.value("lastword_acknowledged_total{copies=\"2\"}"), 1.0);
    let left = |page: &Page, reason: &str, replica: &str| {
        page.value(&format!("lastword_peer_left_total{{reason=\"{reason}\",replica=\"{replica}\"}}"))
    };
    assert_eq!(left(&page, "slow", "c") + left(&page, "silent", "c"), 1.0);
    servers[2].signal(Signal::CONT);
    wait_until("it is back", || Page::of(&a).by("lastword_in_sync", "replica").len() == 2);

    servers[1].stop(Signal::KILL);
    wait_until("the dead one is gone", || {
        Page::of(&a).by("lastword_peer_connected", "replica") == counts(&[("c", 1.0)])
    });
    let page = Page::of(&a);
    assert_eq!(left(&page, "disconnected", "b"), 1.0);
    assert_eq!(page.by("lastword_in_sync", "replica"), counts(&[("c", 1.0)]));
    assert_eq!(page.get("lastword_peer_lag_facts{replica=\"b\"}"), None, "nothing is known of it");

    drop(alice);
    wait_until("the log says that she has gone", || servers[0].log().contains("a client has gone"));
    let log = servers[0].log();
    assert!(log.lines().all(|line| line.contains("{replica=a}")), "{log}");
    let line = |text: &str| log.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text}: {log}"));
    assert!(line("is out of sync").contains("peer=c"), "{log}");
    assert!(line("a client is let in").contains(&format!("account={account}")), "{log}");
    assert!(line("a client has gone").contains(&format!("account={account}")), "{log}");
    for secret in ["a secret text", "token", "password"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// A client whose replica dies goes on at the next one, which says so; one that has only come does not count.
#[tokio::test]
async fn a_failover_is_a_client_that_has_moved() {
    let mut group = harness::Group::start(3).await;
    let moved = |replica: usize| Page::of(&group.addresses[replica]).value("lastword_clients_moved_total");
    let (alice, mut events) = group.client(&[0, 1, 2]);
    alice.create("alice", "secret").await.expect("created");
    alice.listen().await.expect("listening");
    alice.send("alice", "before").await.expect("sent");
    assert_eq!(harness::texts(&mut events, 1).await, ["before"]);
    assert_eq!((moved(0), moved(1), moved(2)), (0.0, 0.0, 0.0));
    group.kill(0);
    alice.send("alice", "after").await.expect("sent");
    assert_eq!(harness::texts(&mut events, 1).await, ["after"]);
    let moved = |replica: usize| Page::of(&group.addresses[replica]).value("lastword_clients_moved_total");
    assert_eq!((moved(1), moved(2)), (1.0, 0.0));
    tokio::time::timeout(Duration::from_secs(5), alice.close()).await.expect("closed");
}
