//! Few open files, and connections that would take them all: the log and the views always find some.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use super::process::{self, Server, Talk, http, key};

/// More connections than the process may have files open. Nothing ends, and whoever is connected goes on.
#[test]
fn connections_never_take_the_last_files() {
    const OPEN_FILES: u32 = 256;
    let mut server = Server::prepare(&process::addresses(1)[0], &[]);
    server.open_files = Some(OPEN_FILES);
    server.again();
    let log = server.log();
    let warning = log.lines().find(|line| line.contains("256 open files")).expect("one line says so");
    assert!(warning.contains(" takes 96 connections at a time and not 10000"), "{warning}");
    let (mut ann, mut bob) = (Talk::to(&server.address), Talk::to(&server.address));
    ann.create("ann");
    bob.create("bob");
    bob.ask(&json!({"op": "listen"}));
    let mut crowd = Vec::new();
    for round in 0..10 {
        crowd.extend((0..60).filter_map(|_| TcpStream::connect(&server.address).ok()));
        // Long texts: the views and the log write, and bring their files in order.
        for _ in 0..20 {
            let text = format!("{round} {}", "x".repeat(10_000));
            let sent = ann.ask(&json!({"op": "send", "to": "bob", "text": text, "key": key()}));
            assert!(sent["ok"].is_object(), "{sent}");
            assert_eq!(bob.event("message")["text"], text);
        }
        let open = server.descriptors();
        assert!(open < OPEN_FILES as usize - 64, "{open} files are open, and few are left for the log and the views");
    }
    drop(crowd);
    process::wait_until("strangers get in again", || {
        std::thread::sleep(Duration::from_millis(50));
        http(&server.address, "GET", "/healthz").starts_with("HTTP/1.1 200")
    });
}

/// With hardly any files a server says so, and does not start.
#[test]
fn a_server_needs_some_files() {
    let mut server = Server::prepare(&process::addresses(1)[0], &[]);
    server.open_files = Some(100);
    server.launch();
    assert!(!server.ended().success());
    let log = server.log();
    assert!(log.contains("only 100 open files") && log.contains("needs 160") && log.contains("ulimit -Hn"), "{log}");
}
