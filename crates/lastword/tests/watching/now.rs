//! What is so now, and stays so until something is done about it.

use rustix::process::Signal;
use serde_json::json;

use super::page::Page;
use super::process::{Server, Talk, addresses, http, key, lastword, wait_until};
use super::{counts, send};

/// Nothing happens to a group of one: what it says then is known to the number.
#[test]
fn where_nothing_happens_the_page_says_so() {
    let server = Server::start_at(&super::addresses(1)[0], &["--connections", "321"]);
    let mut alice = Talk::to(&server.address);
    alice.create("alice");
    let page = Page::of(&server.address);
    for (name, value) in [
        ("lastword_replicas", 1.0),
        ("lastword_stale", 0.0),
        ("lastword_connections_max", 321.0),
        ("lastword_core_queue_inputs", 0.0),
        ("lastword_password_hashes_waiting", 0.0),
        ("lastword_client_queue_items", 0.0),
        ("lastword_client_queue_bytes", 0.0),
        ("lastword_jobs", 0.0),
        ("lastword_lists", 0.0),
        ("lastword_name_attempts", 0.0),
        ("lastword_held_bytes", 0.0),
        ("lastword_unanswered_facts", 0.0),
        ("lastword_wanted_facts", 0.0),
        ("lastword_damaged_records", 0.0),
        ("lastword_disk_has_room", 1.0),
        ("lastword_views_ready", 1.0),
    ] {
        assert_eq!(page.value(name), value, "{name}");
    }
    assert_eq!(page.by("lastword_connections_ended_total", "reason"), counts(&[]));
    assert_eq!(page.by("lastword_reports_total", "kind"), counts(&[]));

    let log = std::fs::metadata(server.data().join("log.db")).expect("a log").len();
    assert_eq!(page.value("lastword_file_bytes{file=\"log.db\"}"), log as f64);
    let files = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("Linux").count() as f64;
    assert!((page.value("process_open_fds") - files).abs() <= 2.0, "{files} files are open");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).expect("Linux");
    let most = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit");
    let most: f64 = most.split_whitespace().next().and_then(|most| most.parse().ok()).expect("a number");
    assert_eq!(page.value("process_max_fds"), most);
    let virtual_bytes = page.value("process_virtual_memory_bytes");
    assert!(virtual_bytes >= page.value("process_resident_memory_bytes") && virtual_bytes < 1e12, "{virtual_bytes}");
}

/// Sixteen people want to get in at once, and hashes are computed one after the other.
#[test]
fn who_waits_for_a_hash_is_on_the_page() {
    let server = Server::start_at(&addresses(1)[0], &["--hash-memory", "64", "--hashes", "1"]);
    let flood: Vec<Talk> = (0..16)
        .map(|n| {
            let mut talk = Talk::to(&server.address);
            let create = json!({"id": 1, "op": "create", "name": format!("n{n}"), "password": "secret", "key": key()});
            talk.say(format!("{create}\n").as_bytes());
            talk
        })
        .collect();
    wait_until("hashes wait, and those who asked for them", || {
        let page = Page::of(&server.address);
        let (hashes, jobs) = (page.value("lastword_password_hashes_waiting"), page.value("lastword_jobs"));
        (3.0..=16.0).contains(&hashes) && (3.0..=16.0).contains(&jobs)
    });
    for mut talk in flood {
        assert_eq!(talk.next().expect("answered")["ok"]["stored"], 1);
    }
}

/// Somebody listens and does not look: what waits for him shows while it waits, and that he was disconnected because it
/// was too much.
#[test]
fn who_does_not_read_is_on_the_page() {
    let server = Server::start();
    let mut alice = Talk::to(&server.address);
    let token = alice.create("alice")["token"].clone();
    let mut deaf = Talk::to(&server.address);
    deaf.ask(&json!({"op": "resume", "token": token}));
    deaf.ask(&json!({"op": "listen"}));
    let text = "x".repeat(16 * 1024);
    // What the system keeps for him comes first, some megabytes.
    let mut most = 0.0;
    let gone = (0..150).any(|_| {
        for _ in 0..10 {
            assert_eq!(alice.ask(&send("alice", &text))["ok"]["stored"], 1);
        }
        let page = Page::of(&server.address);
        let (items, bytes) = (page.value("lastword_client_queue_items"), page.value("lastword_client_queue_bytes"));
        assert!((items * 16_384.0..=items * 16_800.0).contains(&bytes), "{items} messages, {bytes} bytes");
        let is_gone = most > 400.0 && items < 20.0;
        most = f64::max(most, items);
        is_gone
    });
    assert!(gone && most <= 520.0, "more than 8 MiB do not wait: {most} messages");
    let last = std::iter::from_fn(|| deaf.next()).last().expect("something");
    assert_eq!(last, json!({"event": "closed", "reason": "slow"}));
    let ended = Page::of(&server.address).by("lastword_connections_ended_total", "reason");
    assert_eq!(ended, counts(&[("slow", 1.0)]));
}

/// One replica of two, whose disk is full, who finds a damaged record, and whom nobody can help.
#[test]
fn what_is_wrong_with_a_disk_is_on_the_page() {
    let places = addresses(2);
    let group = places.join(",");
    let mut server = Server::start_at(&places[0], &["--group", &group]);
    let mut alice = Talk::to(&server.address);
    alice.create("alice");
    for n in 0..3 {
        assert_eq!(alice.ask(&send("alice", &format!("text {n}")))["ok"]["stored"], 1);
    }
    assert!(server.stop(Signal::TERM).success());
    let log = rusqlite::Connection::open(server.data().join("log.db")).expect("a log");
    let damage = "UPDATE log SET fact = zeroblob(9) WHERE place = (SELECT max(place) - 1 FROM log)";
    assert_eq!(log.execute(damage, []).expect("damaged"), 1);
    drop(log);
    server.arguments.extend(["--min-free".to_owned(), "1000000000".to_owned()]);
    server.again();
    wait_until("the disk is full", || Page::of(&server.address).value("lastword_disk_has_room") == 0.0);
    assert_eq!(Page::of(&server.address).value("lastword_damaged_records"), 1.0);
    let mut alice = Talk::to(&server.address);
    let login = json!({"op": "login", "name": "alice", "password": "secret"});
    assert_eq!(alice.ask(&login)["error"]["code"], "storage_full");
}

/// A full disk is said wherever somebody looks, and people can still get in.
#[test]
fn a_full_disk_is_seen_everywhere() {
    let mut server = Server::start_at(&addresses(1)[0], &[]);
    let mut alice = Talk::to(&server.address);
    alice.create("alice");
    let hello = alice.ask(&json!({"op": "hello", "version": 1}));
    assert!(hello["ok"]["disk_full"].is_null(), "{hello}");
    assert!(http(&server.address, "GET", "/readyz").starts_with("HTTP/1.1 200"));
    assert!(lastword(&["status", &server.address]).status.success());
    let free = Page::of(&server.address).value("lastword_disk_free_bytes");
    assert!(server.stop(Signal::TERM).success());
    // A third of what is to be free is: that is the reserve.
    let min_free = (3.0 * free / 1024.0 / 1024.0) as u64;
    server.arguments.extend(["--min-free".to_owned(), min_free.to_string()]);
    server.again();
    wait_until("the disk is full", || Page::of(&server.address).value("lastword_disk_has_room") == 0.0);
    let mut alice = Talk::to(&server.address);
    for op in ["hello", "status"] {
        assert_eq!(alice.ask(&json!({"op": op}))["ok"]["disk_full"], true, "{op}");
    }
    let ready = http(&server.address, "GET", "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("disk full"), "{ready}");
    assert!(http(&server.address, "GET", "/healthz").starts_with("HTTP/1.1 200"));
    let status = lastword(&["status", &server.address]);
    let table = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(!status.status.success() && table.contains("The disk of a is full"), "{table}");
    let login = json!({"op": "login", "name": "alice", "password": "secret"});
    assert_eq!(alice.ask(&login)["ok"]["name"], "alice");
    assert_eq!(alice.ask(&send("alice", "x"))["error"]["code"], "storage_full");
    assert!(alice.ask(&json!({"op": "conversations"}))["ok"].is_object());
}
