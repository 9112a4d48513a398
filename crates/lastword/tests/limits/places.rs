//! Places for connections: strangers, who have not logged in, keep nobody out, and keep no place for long.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use super::process::{self, Talk, http, key};
use super::{code, login, server, talk_from};

/// More connections that only keep places than there are places. People still come in, and stay.
#[test]
fn strangers_keep_nobody_out() {
    let server = server(&["--connections", "40"]);
    let mut strangers = Vec::new();
    let mut crowd = || {
        for _ in 0..20 {
            let mut talk = Talk::to(&server.address);
            talk.say(b"{\"id\":1,\"op\":\"ping\"}\n");
            assert_eq!(talk.next().expect("answered")["ok"], json!({}));
            strangers.push(talk);
            // Those that say nothing, or not all of it, keep places as well.
            let mut talk = Talk::to(&server.address);
            talk.say(if strangers.len() % 2 == 0 { b"{\"id\":" } else { b"GET / HT" });
            strangers.push(talk);
        }
    };
    let mut people: Vec<Talk> = (0..9)
        .map(|n| {
            crowd();
            let mut talk = Talk::to(&server.address);
            talk.create(&format!("user{n}"));
            talk
        })
        .collect();
    crowd();
    assert!(http(&server.address, "GET", "/healthz").starts_with("HTTP/1.1 200"));
    for talk in &mut people {
        assert!(talk.ask(&json!({"op": "conversations"}))["ok"].is_object(), "whoever is inside stays");
    }
    let refused = strangers[0].next().expect("told why");
    assert!(code(&refused) == "too_many" && refused["error"]["retry_ms"] == 1000, "{refused}");
    assert_eq!(strangers[0].line(), None, "closed");
    let last = strangers.len() - 2;
    assert_eq!(strangers[last].ask(&json!({"op": "ping"})), json!({"ok": {}}), "the newest stays");
}

/// Whoever may not come in, because of their address, sends nobody away.
#[test]
fn an_address_that_is_full_sends_nobody_away() {
    let server = server(&["--connections", "8", "--connections-per-address", "3"]);
    let ping = json!({"op": "ping"});
    std::thread::sleep(Duration::from_millis(700));
    let mut inside: Vec<Talk> = (0..6).map(|n| talk_from(&format!("127.0.0.{}", 2 + n / 3), &server)).collect();
    for talk in &mut inside {
        assert_eq!(talk.ask(&ping), json!({"ok": {}}));
    }
    for _ in 0..10 {
        let mut talk = talk_from("127.0.0.2", &server);
        talk.say(b"{\"id\":1,\"op\":\"ping\"}\n");
        assert_eq!(code(&talk.next().expect("told why")), "too_many");
    }
    for talk in &mut inside {
        assert_eq!(talk.ask(&ping), json!({"ok": {}}));
    }
}

/// Without a login a connection ends soon, whatever else it says, and also in the middle of a line.
#[test]
fn strangers_have_little_time() {
    let server = server(&["--handshake", "1", "--idle", "3"]);
    let began = Instant::now();
    let (mut ann, mut busy) = (Talk::to(&server.address), Talk::to(&server.address));
    let (mut half, mut trying) = (Talk::to(&server.address), Talk::to(&server.address));
    ann.create("ann");
    half.say(b"{\"id\":1,\"op\":\"ping\"}\n{\"id\":2,\"op\":\"ping\",\"more\":\"");
    assert_eq!(half.next().expect("answered")["id"], 1);
    let (mut busy_ended, mut half_ended) = (None, None);
    while began.elapsed() < Duration::from_secs(6) {
        std::thread::sleep(Duration::from_millis(400));
        assert_eq!(ann.ask(&json!({"op": "ping"})), json!({"ok": {}}), "somebody who has logged in stays");
        if busy_ended.is_none() {
            let _ = busy.stream.write_all(b"{\"id\":1,\"op\":\"ping\"}\n");
            let answer = busy.next();
            if answer.as_ref().is_none_or(|answer| answer["event"] == "closed") {
                busy_ended = Some((answer.expect("told why")["reason"].clone(), began.elapsed()));
            }
        }
        if half_ended.is_none() && half.stream.write_all(b"x").is_err() {
            half_ended = Some(began.elapsed());
        }
        // Whoever tries to log in has time to type the next password.
        if began.elapsed() < Duration::from_secs(2) {
            assert_eq!(code(&trying.ask(&login("ann", "wrong"))), "wrong_login");
        }
    }
    let (reason, after) = busy_ended.expect("it ended");
    assert!(reason == "idle" && after >= Duration::from_secs(3) && after < Duration::from_secs(5), "{after:?}");
    let after = half_ended.expect("it ended");
    assert!(after >= Duration::from_secs(3) && after < Duration::from_secs(6), "{after:?}");
    assert_eq!(trying.event("closed")["reason"], "idle");
}

/// A connection that tries to log in has its time again.
#[test]
fn who_tries_to_log_in_has_time_for_the_next_try() {
    let server = server(&["--handshake", "1", "--idle", "3"]);
    let mut ann = Talk::to(&server.address);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        assert_eq!(code(&ann.ask(&login("ann", "wrong"))), "wrong_login");
        std::thread::sleep(Duration::from_millis(1500));
    }
    let create = json!({"op": "create", "name": "ann", "password": "secret", "key": key()});
    assert!(ann.ask(&create)["ok"].is_object());
}

/// The kernel asks quiet clients whether they are there: a dead one does not keep its places for an hour.
#[test]
#[cfg(target_os = "linux")]
fn dead_peers_are_looked_for() {
    let server = server(&[]);
    let mut talk = Talk::to(&server.address);
    talk.create("ann");
    let port = |address: std::net::SocketAddr| format!(":{:04X}", address.port());
    let ours = port(talk.stream.local_addr().expect("an address"));
    let theirs = port(talk.stream.peer_addr().expect("an address"));
    // Of the server's end: which timer runs (2: keepalive), and for how long, in hundredths of a second
    // (Linux, Documentation/networking/proc_net_tcp).
    let timer = || {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
        let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = fields.into_iter().find(|row| row[1].ends_with(&theirs) && row[2].ends_with(&ours));
        let (timer, when) =
            row.expect("the connection")[5].split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        Some((timer, u64::from_str_radix(&when, 16).ok()?))
    };
    process::wait_until("the connection is watched", || {
        timer().is_some_and(|(timer, when)| timer == "02" && when <= 60 * 100)
    });
}
