//! What becomes of sessions that nobody uses.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{Server, Talk, addresses, wait_until};

const DAY_MS: u64 = 24 * 3600 * 1000;

fn resume(address: &str, token: &Value) -> (Talk, Value) {
    let mut talk = Talk::to(address);
    let answer = talk.ask(&json!({"op": "resume", "token": token}));
    (talk, answer)
}

/// The machines of a group of two are three days older now.
fn begin_days_later(servers: &mut [Server]) {
    for server in servers.iter_mut() {
        assert!(server.stop(Signal::TERM).success());
    }
    for server in servers {
        server.arguments.extend(["--clock-offset-ms".to_owned(), (3 * DAY_MS).to_string()]);
        server.again();
    }
}

/// It is refused on every replica, and stays so; one that is in use goes on.
#[test]
fn a_session_that_nobody_used_for_its_days_ends_everywhere() {
    let addresses = addresses(2);
    let group = addresses.join(",");
    let arguments = ["--group", &group, "--session-days", "2", "--sessions-swept-ms", "200"];
    let mut servers: Vec<Server> = addresses.iter().map(|address| Server::start_at(address, &arguments)).collect();
    // A time that nobody could compare is not believed: clocks are told twice a second.
    thread::sleep(Duration::from_secs(2));
    let unused = Talk::to(&addresses[0]).create("alice")["token"].clone();
    let login = json!({"op": "login", "name": "alice", "password": "secret"});
    let used = Talk::to(&addresses[1]).ask(&login)["ok"]["token"].clone();
    let (_talk, answer) = resume(&addresses[1], &unused);
    assert_eq!(answer["ok"]["name"], "alice", "{answer}");

    begin_days_later(&mut servers);
    // Somebody who is there is nobody who has gone, however long ago it was that he came.
    let (mut in_use, answer) = resume(&addresses[1], &used);
    assert_eq!(answer["ok"]["name"], "alice", "{answer}");
    for server in &servers {
        wait_until("both are in sync", || server.log().matches("is in sync").count() == 2);
    }
    // To ask for it would be to use it: they look five times a second.
    thread::sleep(Duration::from_secs(3));
    let is_refused = |address: &str| resume(address, &unused).1["error"]["code"] == "wrong_login";
    assert!(is_refused(&addresses[0]) && is_refused(&addresses[1]));
    assert_eq!(in_use.ask(&json!({"op": "ping"})), json!({"ok": {}}));
    for server in &mut servers {
        assert!(server.stop(Signal::TERM).success());
        server.again();
    }
    for address in &addresses {
        assert!(is_refused(address), "it has ended for good");
        assert_eq!(resume(address, &used).1["ok"]["name"], "alice");
    }
}
