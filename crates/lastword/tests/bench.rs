//! `lastword bench`, as a user meets it: that it counts rightly, not how fast it is.

mod process;

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Each draws free ports for its servers, and two at once may draw the same.
fn my_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a bench of one second, on three servers of its own. Its result, and whether it ended well. The servers say much,
/// and none of it comes between the lines of the result.
fn bench(arguments: &[&str]) -> (Value, bool) {
    let _turn = my_turn();
    let output = Command::new(env!("CARGO_BIN_EXE_lastword"))
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .args(["bench", "--local", "--seconds", "1", "--json"])
        .args(arguments)
        .env("LASTWORD_LOG", "info")
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("ready address="), "what the servers say: {said}");
    let result = serde_json::from_slice(&output.stdout);
    let result = result.unwrap_or_else(|error| panic!("{error}: {}{said}", String::from_utf8_lossy(&output.stdout)));
    (result, output.status.success())
}

fn number(result: &Value, key: &str) -> f64 {
    result[key].as_f64().unwrap_or_else(|| panic!("no {key} in {result}"))
}

#[test]
fn everything_is_delivered_to_those_who_listen() {
    let (result, well) = bench(&["--connections", "3", "--in-flight", "20"]);
    assert!(well && number(&result, "acknowledged") > 0.0, "{result}");
    assert_eq!(result["acknowledged"], result["delivered"], "{result}");
    assert_eq!(result["errors"], serde_json::json!({}), "{result}");
    assert_eq!(result["replicas"].as_array().map(Vec::len), Some(3), "{result}");
    assert!(number(&result, "disk_bytes_per_message") > 140.0, "{result}");
    assert!(result["latency_ms"]["p50"].as_f64() <= result["latency_ms"]["max"].as_f64(), "{result}");
}

#[test]
fn what_is_not_delivered_waits() {
    let (result, well) = bench(&["--connections", "2", "--receivers", "mixed", "--size", "1000"]);
    assert!(well, "{result}");
    assert!(number(&result, "delivered") > 0.0, "{result}");
    assert!(number(&result, "delivered") < number(&result, "acknowledged"), "{result}");
}

#[test]
fn the_leader_dies_and_nothing_is_lost() {
    let (result, well) = bench(&["--connections", "2", "--kill-leader"]);
    assert!(well, "{result}");
    let longest = result["kill"]["longest_ms"].as_f64().expect("the silence over the kill");
    assert!(longest > 0.0 && longest <= number(&result, "longest_silence_ms"), "{result}");
}

/// Ctrl-C leaves no server and no result behind.
#[test]
fn an_interrupted_run_has_no_result() {
    let _turn = my_turn();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let child = Command::new(env!("CARGO_BIN_EXE_lastword"))
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .args(["bench", "--local", "--seconds", "60", "--data"])
        .arg(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_secs(2));
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::INT).expect("interrupted");
    let output = child.wait_with_output().expect("it ends");
    assert!(!output.status.success() && output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("interrupted: there is no result"), "{said}");
    let left = std::fs::read_dir("/proc").expect("/proc").flatten().filter(|process| {
        let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(&*dir.path().to_string_lossy())
    });
    assert_eq!(left.count(), 0, "no server is left");
}

/// What a run leaves behind in a group of others is said before it begins.
#[test]
fn on_a_group_that_runs_it_is_said_what_stays() {
    let server = process::Server::start();
    let run = Command::new(env!("CARGO_BIN_EXE_lastword")).args(["bench", &server.address, "--seconds", "1"]).output();
    let run = run.expect("it runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    let first = said.lines().next().unwrap_or_default();
    assert!(first.contains("the messages, and the names of those accounts, stay"), "{said}");
}

/// Options for servers of its own are refused on a group of others, before anything is written to it.
#[test]
fn on_a_group_that_runs_nothing_is_killed() {
    for option in [&["--kill-leader"][..], &["--data", "folder"]] {
        let run = process::lastword(&[&["bench", "127.0.0.1", "9", "--seconds", "1"], option].concat());
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{} works only with --local", option[0])), "{said}");
    }
}

/// A run that has no result deletes its accounts, too.
#[test]
fn an_interrupted_run_deletes_its_accounts() {
    let server = process::Server::start();
    let child = Command::new(env!("CARGO_BIN_EXE_lastword"))
        .args(["bench", &server.address, "--seconds", "60"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut look = process::Talk::to(&server.address);
    look.create("looker");
    let list = serde_json::json!({"op": "list", "pattern": "bench-.*"});
    let mut count = || look.ask(&list)["ok"]["names"].as_array().map_or(0, Vec::len);
    process::wait_until("the accounts are made", || count() == 2);
    std::thread::sleep(Duration::from_millis(500));
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::INT).expect("interrupted");
    let output = child.wait_with_output().expect("it ends");
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(count(), 0, "no account is left");
}
