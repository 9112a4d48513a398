//! Faults of configuration are said on both sides, with what to do, and never look like a replica that is down.

mod process;

#[path = "configuration/keys.rs"]
mod keys;
#[path = "configuration/lists.rs"]
mod lists;
#[path = "configuration/starting.rs"]
mod starting;

use std::process::Command;
use std::time::Duration;

use process::{Server, Talk, http, lastword, wait_until};
use serde_json::json;

/// How a replica sees the group.
fn states(server: &Server) -> Vec<String> {
    let status = Talk::to(&server.address).ask(&json!({"op": "status"}));
    let replicas = status["ok"]["replicas"].as_array().expect("replicas").clone();
    replicas.iter().map(|replica| replica["state"].as_str().expect("a state").to_owned()).collect()
}

fn lines_with(server: &Server, word: &str) -> usize {
    server.log().lines().filter(|line| line.contains(word)).count()
}

/// What `lastword status` says of these servers, and whether it finds all well.
fn status(servers: &[&Server]) -> (String, bool) {
    let addresses = servers.iter().map(|server| server.address.as_str());
    let output = lastword(&["status"].into_iter().chain(addresses).collect::<Vec<_>>());
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
}

/// Both say this, in the log and to whoever asks, once and not every second.
fn assert_told_by(servers: &[&Server], word: &str) {
    for server in servers {
        wait_until(word, || lines_with(server, word) > 0 && status(&[server]).0.contains(word));
    }
    std::thread::sleep(Duration::from_millis(2500));
    for server in servers {
        let errors = lines_with(server, "ERROR");
        // One for what it dialled, one for who dialled it.
        assert!((1..=2).contains(&errors), "{errors} lines: {}", server.log());
        let (said, well) = status(&[server]);
        assert!(!well && said.contains(word) && !said.contains(" down"), "{said}");
        assert!(http(&server.address, "GET", "/metrics").contains("\nlastword_peer_problem{replica="));
    }
}

/// A command of the program, for tests that start it in their own way.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastword"));
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}
