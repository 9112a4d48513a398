//! Requests, and then the end of input (`printf … | nc -N`): what came is carried out and answered, and then the
//! connection closes.

mod process;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use process::{Server, Talk, key};
use serde_json::{Value, json};

/// All that is answered to these bytes and the end of input.
fn answers(server: &Server, bytes: &[u8]) -> Vec<Value> {
    let mut stream = TcpStream::connect(&server.address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(40))).expect("a timeout");
    stream.write_all(bytes).expect("sent");
    stream.shutdown(Shutdown::Write).expect("half closed");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("answered and closed");
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn what_came_before_the_end_is_carried_out_and_answered() {
    let server = Server::start();
    assert_eq!(answers(&server, b"{\"id\":1,\"op\":\"ping\"}\n"), [json!({"id": 1, "ok": {}})]);
    assert_eq!(answers(&server, b"{\"id\":1,\"op\":\"ping\"}"), [json!({"id": 1, "ok": {}})], "without a line feed");
    assert_eq!(answers(&server, b""), [] as [Value; 0]);
    let cut = answers(&server, b"{\"id\":1,\"op\":\"ping\"}\n{\"id\":2,\"op\":\"pi");
    assert_eq!((cut.len(), &cut[1]["error"]["code"]), (2, &json!("bad_request")), "{cut:?}");

    // More than waits for answers at a time, some of which need the disk.
    let create = json!({"id": "c", "op": "create", "name": "ann", "password": "secret", "key": key()});
    let mut lines = format!("{create}\n");
    for id in 0..3000 {
        let send = json!({"id": id, "op": "send", "to": "ann", "text": id.to_string(), "key": key()});
        lines.push_str(&format!("{send}\n"));
    }
    let said = answers(&server, lines.trim_end().as_bytes());
    let mut ids: Vec<u64> =
        said.iter().filter_map(|answer| answer["ok"].is_object().then(|| answer["id"].as_u64())?).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..3000).collect::<Vec<u64>>(), "{:?}", said.first());
    server.assert_serves();
}

/// A login that has to wait for its turn has it.
#[test]
fn what_is_held_back_is_waited_for() {
    let server = Server::start();
    let mut ann = Talk::to(&server.address);
    ann.create("ann");
    for _ in 0..6 {
        ann.ask(&json!({"op": "password", "old": "wrong", "new": "newer", "key": key()}));
    }
    let login = json!({"id": 1, "op": "login", "name": "ann", "password": "secret"});
    let said = answers(&server, format!("{login}\n{{\"id\":2,\"op\":\"pending\"}}").as_bytes());
    assert_eq!(said.iter().filter(|answer| answer["ok"].is_object()).count(), 2, "{said:?}");
}

/// One that listens is not waited for: events are no answers.
#[test]
fn events_keep_nobody() {
    let server = Server::start();
    let token = Talk::to(&server.address).create("ann")["token"].clone();
    let began = Instant::now();
    let resume = json!({"id": 1, "op": "resume", "token": token});
    let said = answers(&server, format!("{resume}\n{{\"id\":2,\"op\":\"listen\"}}\n").as_bytes());
    assert_eq!(said.iter().filter(|answer| answer["ok"].is_object()).count(), 2, "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
