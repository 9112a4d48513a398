//! HTTP as a library speaks it: connections that stay open, requests in a row, forms of requests that proxies use, and
//! answers for whoever can't be served.

mod process;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use process::{Server, Talk, http, talk};
use rustix::process::Signal;
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(20);

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(&server.address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// What comes until this stands in it.
fn read_until(stream: &mut TcpStream, mark: &str) -> String {
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains(mark) {
        let mut some = [0; 4096];
        let read = stream.read(&mut some).expect("it comes");
        assert!(read > 0, "closed before {mark:?}: {}", String::from_utf8_lossy(&said));
        said.extend(&some[..read]);
    }
    String::from_utf8(said).expect("UTF-8")
}

/// What comes until the server closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("closed");
    said
}

#[test]
fn a_connection_stays_open_and_requests_may_come_in_a_row() {
    let server = Server::start();
    let mut stream = connect(&server);
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").expect("asked");
        assert!(read_until(&mut stream, "ok\n").starts_with("HTTP/1.1 200 OK\r\n"));
    }
    // Two at once, and the end of what this side says: both are answered, in their order.
    stream
        .write_all(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nHEAD /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("asked");
    stream.shutdown(Shutdown::Write).expect("half closed");
    let said = rest(&mut stream);
    assert!(said.starts_with("HTTP/1.1 404 ") && said.matches("HTTP/1.1 ").count() == 2, "{said}");
    assert!(said.ends_with("\r\n\r\n") && said.contains("HTTP/1.1 200 OK"), "{said}");
}

#[test]
fn forms_of_a_request() {
    let server = Server::start();
    let end = "Host: x\r\nConnection: close\r\n\r\n";
    for (request, status) in [
        (format!("GET http://somebody.example/healthz HTTP/1.1\r\n{end}"), "200"),
        (format!("GET https://x HTTP/1.1\r\n{end}"), "200"),
        (format!("\r\n\r\nGET /healthz HTTP/1.1\r\n{end}"), "200"),
        (format!("GET /healthz HTTP/1.1\r\nConnection: keep-alive\r\n{end}"), "200"),
        (format!("GET /healthz HTTP/1.1\r\nContent-Length: 3\r\n{end}abc"), "200"),
        (format!("GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{end}3\r\nabc\r\n0\r\n\r\n"), "200"),
        (format!("POST /healthz HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n{end}"), "405"),
        (format!("GET /healthz HTTP/1.1\r\nHost: y\r\n{end}"), "400"),
        ("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), "400"),
        ("GET http://x/healthz HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), "400"),
        ("GET /healthz HTTP/1.1\r\nHost: x y\r\nConnection: close\r\n\r\n".to_owned(), "400"),
        ("GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n".to_owned(), "200"),
        (format!("GET /healthz HTTP/1.1\r\nContent-Length: x\r\n{end}"), "400"),
    ] {
        let (said, closed) = talk(&server.address, request.as_bytes(), PATIENCE);
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && closed, "{request:?}: {said:?}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{request:?}: {said:?}");
    }
    // A handshake of a WebSocket whose words stand in several lines.
    let mut stream = connect(&server);
    let request = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("asked");
    let said = read_until(&mut stream, "\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 101 ") && said.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{said}");
}

#[test]
fn whoever_finds_no_place_is_told_in_http() {
    let server = Server::start_at(&process::addresses(1)[0], &["--connections-per-address", "1"]);
    // The health check's own place is free again when its connection has ended.
    process::wait_until("there is a place", || http(&server.address, "GET", "/healthz").contains(" 200 "));
    let _first = std::iter::repeat_with(|| Talk::to(&server.address)).find_map(|mut talk| {
        talk.say(b"{\"id\":1,\"op\":\"ping\"}\n");
        talk.line().filter(|line| line.contains("ok")).map(|_| talk)
    });
    let said = http(&server.address, "GET", "/");
    assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("\r\nRetry-After: 1\r\n"), "{said}");
    assert!(said.contains("all the connections"), "{said}");
    let (said, _) = talk(&server.address, b"{\"id\":1,\"op\":\"ping\"}\n", PATIENCE);
    assert!(said.contains("too_many"), "lines have their own answer: {said}");
}

#[test]
fn requests_of_one_connection_have_the_rate_that_lines_have() {
    let server = Server::start_at(&process::addresses(1)[0], &["--requests-per-second", "1"]);
    let mut stream = connect(&server);
    stream.write_all("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(15).as_bytes()).expect("asked");
    stream.shutdown(Shutdown::Write).expect("half closed");
    let said = rest(&mut stream);
    assert_eq!((said.matches(" 404 ").count(), said.matches(" 429 ").count()), (10, 5), "{said}");
}

#[test]
fn idle_connections_do_not_keep_a_server_from_stopping() {
    let mut server = Server::start();
    let mut idle = connect(&server);
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").expect("asked");
    read_until(&mut idle, "ok\n");
    let began = Instant::now();
    assert!(server.stop(Signal::TERM).success());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(rest(&mut idle), "");
}

#[test]
fn an_idle_connection_is_closed_after_a_while_and_a_slow_head_too() {
    let server = Server::start();
    let threads: Vec<_> = [&b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"GET /healthz HTTP/1.1\r\nHost: x\r\n"]
        .into_iter()
        .map(|bytes| {
            let address = server.address.clone();
            std::thread::spawn(move || {
                let began = Instant::now();
                (talk(&address, bytes, PATIENCE).1, began.elapsed())
            })
        })
        .collect();
    for thread in threads {
        let (closed, took) = thread.join().expect("talked");
        assert!(closed && (Duration::from_secs(9)..Duration::from_secs(15)).contains(&took), "{closed} after {took:?}");
    }
    assert_eq!(Talk::to(&server.address).ask(&json!({"op": "ping"})), json!({"ok": {}}));
}
