//! `lastword local`, as a new user meets it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Three come up and are named with their pids, two are killed, the chat goes on, Ctrl-C stops all.
#[test]
fn a_first_look() {
    let host = format!("127.{}.{}.200", 1 + std::process::id() / 256 % 250, std::process::id() % 256);
    let port = {
        // Three ports in a row on an address that nobody else uses.
        let listener = TcpListener::bind((host.as_str(), 0)).expect("a free port");
        listener.local_addr().expect("an address").port().min(65_000)
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut local = Command::new(env!("CARGO_BIN_EXE_lastword"))
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .args(["local", "--host", &host, "--port", &port.to_string()])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(local.stdout.take().expect("piped")).lines().map(|line| line.expect("a line"));
    let pids: Vec<i32> = ["a", "b", "c"]
        .map(|name| {
            let line = lines.next().expect("a line for each");
            assert!(line.starts_with(&format!("{name} is up: pid ")), "{line}");
            let pid = line.split(' ').nth(4).and_then(|pid| pid.strip_suffix(',')).expect("a pid");
            pid.parse().expect("a number")
        })
        .to_vec();
    let page = lines.find(|line| line.contains("http://")).expect("where the page is");
    assert_eq!(page.trim(), format!("http://{host}:{port}/"));
    let chat_command = lines.find(|line| line.contains(" chat")).expect("how to chat");
    let data = dir.path().canonicalize().expect("a folder").join("data");
    let told = lines.find(|line| line.contains("The data is in")).expect("where the data is");
    assert!(told.contains(&format!("The data is in {}.", data.display())), "{told}");
    let replicas: Vec<&str> = chat_command.split_whitespace().skip(2).collect();
    assert_eq!(replicas.len(), 6, "{chat_command}");

    let chat = |input: &str| {
        let script = format!("printf '{input}' | {} chat {}", env!("CARGO_BIN_EXE_lastword"), replicas.join(" "));
        let output = Command::new("sh").args(["-c", &script]).output().expect("the chat runs");
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
    };
    let status = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lastword"));
        let output = command.arg("status").args(arguments).output().expect("it runs");
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
    };
    // They answer before they have met.
    let began = std::time::Instant::now();
    while !status(&replicas).1 && began.elapsed().as_secs() < 10 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let (said, well) = status(&replicas);
    assert!(well && said.contains("All 3 answer and are in sync."), "{said}");
    let (said, well) = status(&replicas[4..]);
    assert!(well && said.contains(&format!("a        {host}:{port}")), "one knows the others: {said}");

    let (said, well) = chat("create alice secret\\nsend alice one\\n");
    assert!(well && said.contains("(stored on 3 of 3)"), "{said}");
    for &pid in &pids[..2] {
        kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL).expect("killed");
    }
    assert!(lines.by_ref().any(|line| line.starts_with("b (pid ") && line.contains("has ended")));
    let again = lines.next().expect("how to start it again");
    let b = data.join(format!("{host}_{}", port + 1));
    assert!(again.trim_start().starts_with('/') && again.contains(&format!("--data {}", b.display())), "{again}");
    let (said, well) = chat("login alice secret\\nsend alice two\\nhistory alice\\n");
    assert!(well && said.contains("(stored on 1 of 3)") && said.contains("alice: one"), "{said}");
    let (said, well) = status(&replicas);
    assert!(
        !well && said.contains("1 of 3 servers answer") && said.contains("sees") && said.contains("a down, b down"),
        "{said}"
    );
    assert!(dir.path().join("data").join(format!("{host}_{port}")).join("log.db").exists());

    let pid = i32::try_from(local.id()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::INT).expect("told to stop");
    let status = local.wait().expect("it ends");
    assert!(status.success(), "{status}");
    let last = Pid::from_raw(pids[2]).expect("a pid");
    assert!(rustix::process::test_kill_process(last).is_err(), "the third is stopped, too");
}

/// A user without a home folder gets a key in the data folder.
#[test]
fn without_a_home_the_key_is_in_the_data_folder() {
    let host = format!("127.{}.{}.201", 1 + std::process::id() / 256 % 250, std::process::id() % 256);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut local = Command::new(env!("CARGO_BIN_EXE_lastword"))
        .env_remove("XDG_STATE_HOME")
        .env_remove("HOME")
        .args(["local", "--host", &host, "--port", "47113", "--data", "with a blank"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(local.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let up = lines.by_ref().take(3).filter(|line| line.contains(" is up: ")).count();
    let pid = i32::try_from(local.id()).ok().and_then(Pid::from_raw).expect("a pid");
    let _ = kill_process(pid, Signal::INT);
    assert!(local.wait().expect("it ends").success() && up == 3);
    assert!(dir.path().join("with a blank/local.key").exists());
}

#[test]
fn other_machines_are_refused_with_one_sentence() {
    let output = Command::new(env!("CARGO_BIN_EXE_lastword")).args(["local", "--host", "8.8.8.8"]).output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--host 8.8.8.8 is not on loopback") && !said.contains("--key"), "{said}");
}
