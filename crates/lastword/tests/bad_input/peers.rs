//! Strangers at the door of a replica, and replicas that do not belong together.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Server, Talk, addresses, http, key_file, talk, wait_until};

const PREFACE: &[u8] = b"LASTWORD-PEER/1\n";

/// How a replica sees the group.
fn states(server: &Server) -> Vec<String> {
    let status = Talk::to(&server.address).ask(&json!({"op": "status"}));
    let replicas = status["ok"]["replicas"].as_array().expect("replicas").clone();
    replicas.iter().map(|replica| replica["state"].as_str().expect("a state").to_owned()).collect()
}

fn lines_with(server: &Server, word: &str) -> usize {
    server.log().lines().filter(|line| line.contains(word)).count()
}

/// Whatever follows the preface: the connection is closed, and the links that live go on.
#[test]
fn strangers_who_know_the_preface() {
    let places = addresses(2);
    let group = places.join(",");
    let a = Server::start_at(&places[0], &["--group", &group]);
    let b = Server::start_at(&places[1], &["--group", &group]);
    wait_until("in sync", || states(&a) == ["self", "in_sync"] && states(&b) == ["in_sync", "self"]);
    let garbage: [&[u8]; 7] = [
        b"\0\0",
        b"\0\x01x",
        b"\0\x30abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuv",
        b"\xff\xff",
        b"\x03\xe0",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"{\"id\":1,\"op\":\"ping\"}\n",
    ];
    for rest in garbage {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(rest);
        bytes.extend([7; 2000]);
        let (said, closed) = talk(&a.address, &bytes, Duration::from_secs(2));
        assert!(closed && said.len() <= 1, "{rest:?}: {said:?}");
    }
    for _ in 0..200 {
        let mut bytes = PREFACE.to_vec();
        bytes.extend([0, 60]);
        bytes.extend([9; 60]);
        drop(TcpStream::connect(&a.address).unwrap().write_all(&bytes));
    }
    a.assert_serves();
    assert_eq!(states(&a), ["self", "in_sync"]);
    assert_eq!(lines_with(&b, "out of sync"), 0, "{}", b.log());
    assert!(a.log().lines().count() < 12, "strangers fill the log");
}

/// Many that can't show the key, one after another: they count until they are closed, so there are never more than may
/// knock at a time.
#[test]
fn strangers_with_another_key_take_few_descriptors() {
    let places = addresses(2);
    let server = Server::start_at(&places[0], &["--group", &places.join(",")]);
    let before = server.descriptors();
    let mut bytes = PREFACE.to_vec();
    bytes.extend([0, 60]);
    bytes.extend([9; 60]);
    let mut kept = Vec::new();
    for _ in 0..400 {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.write_all(&bytes).unwrap();
        kept.push(stream);
        let more = server.descriptors().saturating_sub(before);
        assert!(more < 100, "{more} more after {}", kept.len());
        std::thread::sleep(Duration::from_micros(300));
    }
    server.assert_serves();
}

/// A handshake that was listened in to and is sent again: it is answered, and nobody is let in.
#[test]
fn a_handshake_from_a_record() {
    let places = addresses(2);
    let group = places.join(",");
    // The first place is ours for a while: the second replica dials it.
    let listener = TcpListener::bind(&places[0]).unwrap();
    let b = Server::start_at(&places[1], &["--group", &group]);
    let (mut dialled, _) = listener.accept().unwrap();
    let mut record = vec![0; PREFACE.len() + 2];
    dialled.read_exact(&mut record).unwrap();
    assert!(record.starts_with(PREFACE));
    let mut message = vec![0; usize::from(record[PREFACE.len()]) * 256 + usize::from(record[PREFACE.len() + 1])];
    dialled.read_exact(&mut message).unwrap();
    record.extend(message);
    drop((dialled, listener));
    let a = Server::start_at(&places[0], &["--group", &group]);
    wait_until("in sync", || states(&a) == ["self", "in_sync"]);

    let began = Instant::now();
    let (said, closed) = talk(&a.address, &record, Duration::from_secs(9));
    assert!(said.starts_with('\u{1}') && closed, "answered, and closed when nothing more came: {said:?}");
    assert!(began.elapsed() < Duration::from_secs(8));
    record.extend([1, 0]);
    record.extend([3; 256]);
    let (_, closed) = talk(&a.address, &record, Duration::from_secs(3));
    assert!(closed, "what can't be decrypted ends it at once");
    assert_eq!(states(&a), ["self", "in_sync"]);
    assert_eq!(lines_with(&a, "out of sync") + lines_with(&b, "out of sync"), 0, "{}{}", a.log(), b.log());
}

/// Two lists that differ: both sides say so, in words that fit, and neither says it all the time.
#[test]
fn replicas_of_different_groups() {
    let dir = tempfile::tempdir().unwrap();
    let keys = [key_file(dir.path(), "one"), key_file(dir.path(), "two")];
    for (key_a, key_b, words) in [
        (None, None, ["another list of the group", "another list of the group"]),
        (Some(&keys[0]), Some(&keys[0]), ["another list of the group", "another list of the group"]),
        (Some(&keys[0]), Some(&keys[1]), ["another cluster key", "another cluster key"]),
    ] {
        let places = addresses(3);
        let with_key = |group: &str, key: Option<&String>| {
            let mut arguments = vec!["--group".to_owned(), group.to_owned()];
            arguments.extend(key.into_iter().flat_map(|key| ["--key".to_owned(), key.clone()]));
            arguments
        };
        let start = |address: &str, arguments: &[String]| {
            Server::start_at(address, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let a = start(&places[0], &with_key(&places[..2].join(","), key_a));
        let b = start(&places[1], &with_key(&places.join(","), key_b));
        for (server, word) in [(&a, words[0]), (&b, words[1])] {
            wait_until(word, || lines_with(server, word) > 0);
        }
        std::thread::sleep(Duration::from_millis(2500));
        for server in [&a, &b] {
            let errors = lines_with(server, "ERROR");
            // One for what it dialled, one for who dialled it.
            assert!((1..=2).contains(&errors), "{errors} lines: {}", server.log());
            server.assert_serves();
        }
        assert_eq!(states(&a), ["self", "down"]);
        assert_eq!(states(&b), ["down", "self", "down"]);
    }
}

/// What a replica dials is something else altogether.
#[test]
fn an_address_where_no_replica_is() {
    let places = addresses(2);
    let listener = TcpListener::bind(&places[0]).unwrap();
    let b = Server::start_at(&places[1], &["--group", &places.join(",")]);
    let answers: [&[u8]; 5] =
        [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x01\xff\xff", b"\x01\0\x01x", b"\x01\0\x00"];
    for answer in answers.into_iter().cycle().take(10) {
        let (mut dialled, _) = listener.accept().unwrap();
        let mut head = [0; 16];
        dialled.read_exact(&mut head).unwrap();
        let _ = dialled.write_all(answer);
    }
    wait_until("it says so", || lines_with(&b, "no link to a") > 0);
    b.assert_serves();
    assert!(http(&b.address, "GET", "/readyz").starts_with("HTTP/1.1"));
    let status: Value = Talk::to(&b.address).ask(&json!({"op": "status"}));
    assert_eq!(status["ok"]["replicas"][0]["state"], "down");
}
