//! Commands that can't do what they are told.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::command;
use crate::process::{Server, addresses, wait_until};

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn without_a_place_for_its_key_a_server_says_to_give_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut homeless = command();
    homeless.args(["server", "127.0.0.1", "0", "--data", "/proc/nowhere"]);
    let output = homeless.env_remove("XDG_STATE_HOME").env_remove("HOME").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("neither XDG_STATE_HOME nor HOME") && said(&output).contains("--key FILE"));
    std::fs::write(dir.path().join("file"), "").unwrap();
    let output = homeless.env("XDG_STATE_HOME", dir.path().join("file")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("local.key") && said(&output).contains("--key FILE"), "{}", said(&output));
}

/// The system's words stand there once, and a new key is not what helps where there is one.
#[test]
fn a_key_file_that_can_not_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let start = |key: &std::path::Path| {
        let output = command().args(["server", "127.0.0.1", "0", "--data", "/proc/nowhere", "--key"]).arg(key).output();
        said(&output.unwrap())
    };
    let missing = start(&dir.path().join("key"));
    assert_eq!(missing.matches("No such file").count(), 1, "{missing}");
    assert!(missing.contains("`lastword key FILE`"), "{missing}");
    let folder = start(dir.path());
    assert_eq!(folder.matches("Is a directory").count(), 1, "{folder}");
    assert!(!folder.contains("make one"), "{folder}");
    let nowhere = said(&command().args(["server", "127.0.0.1", "0", "--data", "/proc/nowhere"]).output().unwrap());
    assert_eq!(nowhere.matches("(os error").count(), 1, "{nowhere}");
}

#[test]
fn a_log_level_that_is_none_is_not_taken_for_silence() {
    let output = command()
        .args(["server", "127.0.0.1", "0", "--data", "/proc/nowhere"])
        .env("LASTWORD_LOG", "verbose")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("`verbose` is not a level: give error, warn"), "{}", said(&output));
}

#[test]
fn addresses_of_ipv6_in_every_form() {
    for host in ["::1", "[::1]"] {
        let port = std::net::TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port();
        let place = format!("[::1]:{port}");
        let dir = tempfile::tempdir().unwrap();
        let mut child = command()
            .args(["server", host, &port.to_string(), "--group", &place, "--data"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("it answers", || crate::process::http(&place, "GET", "/healthz").contains(" 200 "));
        end(&mut child, Signal::TERM);
    }
    let dir = tempfile::tempdir().unwrap();
    let output = command().args(["server", "[2001:db8::2]", "1", "--insecure", "--data"]).arg(dir.path()).output();
    let said = said(&output.unwrap());
    assert!(said.contains("can't listen on [2001:db8::2]:1") && said.contains("does not have this address"), "{said}");
    assert!(!said.contains("another"), "{said}");
}

fn end(child: &mut Child, signal: Signal) -> std::process::ExitStatus {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, signal).expect("told");
    child.wait().expect("ended")
}

/// Of two `local`s one says what is taken, and leaves nothing behind.
#[test]
fn local_beside_another_local() {
    let dir = tempfile::tempdir().unwrap();
    let first = &addresses(1)[0];
    let (host, port) = first.rsplit_once(':').unwrap();
    let port = port.parse::<u16>().unwrap().min(65_000).to_string();
    let local = |data: &str| {
        let mut local = command();
        local.args(["local", "--host", host, "--port", &port, "--data"]).arg(dir.path().join(data));
        local.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        local
    };
    let mut one = local("one").spawn().unwrap();
    let mut lines = BufReader::new(one.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.contains("Ctrl-C stops all three")));
    for data in ["one", "other"] {
        let other = local(data).output().unwrap();
        let said = said(&other);
        assert_eq!(other.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("{host}:{port} is taken")) && said.contains("--port"), "{said}");
        assert!(!said.contains("is up"), "{said}");
    }
    // A server alone on one of the ports is as much in the way.
    assert!(end(&mut one, Signal::INT).success());
    let last = format!("{host}:{}", port.parse::<u16>().unwrap() + 2);
    let _server = Server::start_at(&last, &[]);
    let other = local("other").output().unwrap();
    assert!(other.status.code() == Some(1) && said(&other).contains(&format!("{last} is taken")), "{}", said(&other));
    assert!(std::net::TcpListener::bind((host, port.parse().unwrap())).is_ok(), "the others have ended");
}

/// Whoever reads the first lines only does not make a command fail with a panic.
#[test]
fn nobody_reads_to_the_end() {
    let server = Server::start();
    let mut watching = command();
    watching.args(["status", "--watch", &server.address]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watching = watching.spawn().unwrap();
    let mut out = BufReader::new(watching.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    wait_until("it ends", || watching.try_wait().unwrap().is_some());
    let mut complaint = String::new();
    watching.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!(complaint, "");
}
