//! A server that is told to stop: what it has taken it answers, and keeps.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{Server, Talk, addresses, key, wait_until};

/// All that a client has sent to itself, by its text.
fn history(address: &str, token: &Value) -> BTreeSet<u64> {
    let mut talk = Talk::to(address);
    talk.ask(&json!({"op": "resume", "token": token}));
    let (mut texts, mut before) = (BTreeSet::new(), Value::Null);
    loop {
        let mut request = json!({"op": "history", "with": "alice", "limit": 500});
        if !before.is_null() {
            request["before"] = before;
        }
        let page = talk.ask(&request)["ok"].clone();
        let messages = page["messages"].as_array().expect("messages");
        texts.extend(messages.iter().map(|message| message["text"].as_str().unwrap().parse::<u64>().unwrap()));
        before = messages.last().map_or(Value::Null, |message| message["pos"].clone());
        if page["more"] == false {
            return texts;
        }
    }
}

/// While messages stream in: those that were answered are just those that are there after a restart.
#[test]
fn what_was_taken_is_answered() {
    for (signal, replicas) in [(Signal::TERM, 1), (Signal::INT, 1), (Signal::TERM, 3)] {
        let places = addresses(replicas);
        let group = places.join(",");
        let mut servers: Vec<Server> =
            places.iter().map(|address| Server::start_at(address, &["--group", &group])).collect();
        let in_sync = |address: &str| {
            let status = Talk::to(address).ask(&json!({"op": "status"}));
            status["ok"]["replicas"]
                .as_array()
                .unwrap()
                .iter()
                .all(|one| one["state"] == "self" || one["state"] == "in_sync")
        };
        for address in &places {
            wait_until("in sync", || in_sync(address));
        }
        let mut alice = Talk::to(&servers[0].address);
        let token = alice.create("alice")["token"].clone();
        let lines: String = (0..20_000u64)
            .map(|n| {
                json!({"id": n, "op": "send", "to": "alice", "text": n.to_string(), "key": key()}).to_string() + "\n"
            })
            .collect();
        let mut writing = alice.stream.try_clone().unwrap();
        // It is cut off when the server ends.
        let writer = std::thread::spawn(move || drop(writing.write_all(lines.as_bytes())));
        let mut answered = BTreeSet::new();
        let mut last = Value::Null;
        while let Some(line) = alice.next() {
            if answered.is_empty() {
                servers[0].signal(signal);
            }
            if let Some(id) = line["id"].as_u64() {
                assert!(line["ok"]["stored"].is_u64(), "{line}");
                answered.insert(id);
            }
            last = line;
        }
        assert_eq!(last, json!({"event": "closed", "reason": "shutdown"}));
        assert!(servers[0].ended().success());
        writer.join().unwrap();
        assert!(!answered.is_empty() && answered.len() < 20_000, "{} answered", answered.len());
        if replicas > 1 {
            assert_eq!(history(&places[1], &token), answered);
        }
        servers[0].again();
        assert_eq!(history(&places[0], &token), answered);
    }
}

/// Nobody who says nothing, or reads nothing, keeps a server from stopping; neither do its peers.
#[test]
fn nobody_is_waited_for_in_vain() {
    let places = addresses(2);
    let group = places.join(",");
    let mut a = Server::start_at(&places[0], &["--group", &group]);
    let _b = Server::start_at(&places[1], &["--group", &group]);
    wait_until("in sync", || {
        Talk::to(&places[0]).ask(&json!({"op": "status"}))["ok"]["replicas"][1]["state"] == "in_sync"
    });
    let half: Vec<TcpStream> = [&b""[..], b"{\"id\":1", b"GET / HTTP", b"LASTWORD-PEER/1\n"]
        .into_iter()
        .map(|opening| {
            let mut stream = TcpStream::connect(&places[0]).unwrap();
            stream.write_all(opening).unwrap();
            stream
        })
        .collect();
    let mut idle = Talk::to(&places[0]);
    idle.ask(&json!({"op": "ping"}));
    let began = Instant::now();
    assert!(a.stop(Signal::TERM).success());
    assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
    assert_eq!(idle.next(), Some(json!({"event": "closed", "reason": "shutdown"})));
    drop(half);

    // One that reads nothing, with answers that do not fit.
    a.again();
    let mut flood = TcpStream::connect(&places[0]).unwrap();
    flood.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let _ = flood.write_all("{\"id\":1,\"op\":\"hello\"}\n".repeat(200_000).as_bytes());
    let began = Instant::now();
    assert!(a.stop(Signal::INT).success());
    assert!(began.elapsed() < Duration::from_secs(8), "it took {:?}", began.elapsed());
}
