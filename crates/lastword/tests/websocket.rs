//! The protocol over WebSocket, on the one port, and whose pages may speak it.

mod process;

use futures_util::{SinkExt, StreamExt};
use process::{Server, Talk, key};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

async fn open(server: &Server, origin: Option<&str>) -> Result<Socket, Error> {
    open_by(server, None, origin).await
}

/// A page of this origin may not.
fn assert_refused(opened: Result<Socket, Error>, origin: &str) {
    match opened {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 403, "{origin}");
            let said = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
            assert!(said.contains(origin) && said.contains("--origin"), "{said}");
        }
        other => panic!("{origin}: {:?}", other.map(|_| "let in")),
    }
}

/// The same, for somebody who has found the server by another name.
async fn open_by(server: &Server, host: Option<&str>, origin: Option<&str>) -> Result<Socket, Error> {
    let mut request = format!("ws://{}/ws", server.address).into_client_request().expect("a request");
    if let Some(origin) = origin {
        request.headers_mut().insert("Origin", origin.parse().expect("a header"));
    }
    if let Some(host) = host {
        request.headers_mut().insert("Host", host.parse().expect("a header"));
    }
    let stream = TcpStream::connect(&server.address).await.expect("connected");
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn next(socket: &mut Socket) -> Option<Value> {
    let wait = tokio::time::timeout(std::time::Duration::from_secs(20), socket.next());
    match wait.await.expect("something comes") {
        Some(Ok(Message::Text(text))) => Some(serde_json::from_str(&text).expect("each frame is one object")),
        _ => None,
    }
}

async fn ask(socket: &mut Socket, mut request: Value) -> Value {
    request["id"] = json!(1);
    socket.send(Message::text(request.to_string())).await.expect("sent");
    loop {
        let frame = next(socket).await.expect("answered");
        if frame["id"] == 1 {
            return frame;
        }
    }
}

/// Connections that have each said and heard something long, and now say nothing: what that took is free again.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn long_messages_leave_no_large_buffers_behind() {
    const CONNECTIONS: usize = 300;
    let server = Server::start();
    let mut first = open(&server, None).await.expect("open");
    let created = json!({"op": "create", "name": "ann", "password": "secret", "key": key()});
    assert_eq!(ask(&mut first, created).await["ok"]["name"], "ann");
    for _ in 0..4 {
        let send = json!({"op": "send", "to": "ann", "text": "x".repeat(14_000), "key": key()});
        assert!(ask(&mut first, send).await["ok"].is_object());
    }
    let history = json!({"op": "history", "with": "ann", "limit": 4});
    let login = json!({"op": "login", "name": "ann", "password": "secret"});
    let token = ask(&mut first, login).await["ok"]["token"].as_str().expect("a token").to_owned();
    let mut sockets = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut socket = open(&server, None).await.expect("open");
        assert!(ask(&mut socket, json!({"op": "resume", "token": token})).await["ok"].is_object());
        sockets.push(socket);
    }
    let before = server.memory_mib();
    for socket in &mut sockets {
        let said = ask(socket, json!({"op": "ping", "more": "x".repeat(60_000)})).await;
        assert_eq!(said["ok"], json!({}));
        let page = ask(socket, history.clone()).await;
        assert!(page.to_string().len() > 50_000, "long");
    }
    // Each of these is served by what it goes on with.
    for socket in &mut sockets {
        assert_eq!(ask(socket, json!({"op": "ping"})).await["ok"], json!({}));
    }
    let grown = server.memory_mib().saturating_sub(before);
    assert!(grown * 1024 < 24 * CONNECTIONS as u64, "{grown} MiB more for {CONNECTIONS} connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_same_protocol_in_frames() {
    let server = Server::start();
    let mut ann = open(&server, None).await.expect("a program without an origin");
    let created = json!({"op": "create", "name": "ann", "password": "secret", "key": key()});
    assert_eq!(ask(&mut ann, created).await["ok"]["name"], "ann");
    assert_eq!(ask(&mut ann, json!({"op": "listen"})).await["ok"]["pending"], 0);

    // From a line to a frame, with all that a text may hold.
    let text = format!("one\ntwo \u{2028} \"three\" {}", "ä".repeat(6000));
    let server_address = server.address.clone();
    let sent = text.clone();
    let bob = std::thread::spawn(move || {
        let mut bob = Talk::to(&server_address);
        bob.create("bob");
        bob.ask(&json!({"op": "send", "to": "ann", "text": sent, "key": key()}))
    });
    let event = next(&mut ann).await.expect("told");
    assert_eq!((&event["event"], &event["text"]), (&json!("message"), &json!(text)));
    assert!(bob.join().expect("sent")["ok"].is_object());

    // An object with line feeds between its words, and several requests at once.
    ann.feed(Message::text("{\"id\":7,\n\"op\":\n\"ping\"}")).await.expect("fed");
    for id in 8..200 {
        ann.feed(Message::text(format!("{{\"id\":{id},\"op\":\"ping\"}}"))).await.expect("fed");
    }
    ann.flush().await.expect("flushed");
    for id in 7..200 {
        assert_eq!(next(&mut ann).await, Some(json!({"id": id, "ok": {}})));
    }
    ann.send(Message::Close(None)).await.expect("closed");
    assert!(next(&mut ann).await.is_none());
    server.assert_serves();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn frames_that_are_not_right_are_refused_as_lines_are() {
    let server = Server::start();
    let cases = [
        (Message::text("x".repeat(70_000)), "too_long"),
        (Message::text(format!("{{\"id\":1,\"op\":\"{}\"}}", "x".repeat(65_600))), "too_long"),
        (Message::text("hello"), "bad_request"),
        (Message::binary(b"{\"id\":1,\"op\":\"ping\"}".to_vec()), "bad_request"),
    ];
    for (frame, code) in cases {
        let mut socket = open(&server, None).await.expect("open");
        // The server may have closed before all of it was written.
        let _ = socket.send(frame).await;
        let refused = next(&mut socket).await.expect("told why");
        assert_eq!(refused["error"]["code"], code, "{refused}");
        assert_eq!(next(&mut socket).await, None, "closed");
    }
    // Whoever says goodbye to nobody, and whoever never reads.
    drop(open(&server, None).await.expect("open"));
    let answer = process::http(&server.address, "GET", "/ws");
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    server.assert_serves();
}

/// The code that the server closes with.
async fn close_code(socket: &mut Socket) -> Option<u16> {
    loop {
        let wait = tokio::time::timeout(std::time::Duration::from_secs(20), socket.next());
        match wait.await.expect("something comes") {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
            Some(Ok(_)) => {}
            other => panic!("no goodbye: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn goodbyes_are_answered_with_the_code_that_fits() {
    let mut server = Server::start_at(&process::addresses(1)[0], &["--handshake", "1", "--idle", "3"]);
    let mut idle = open(&server, None).await.expect("open");
    ask(&mut idle, json!({"op": "ping"})).await;

    // The client's own.
    for (code, answer) in [(1000, 1000), (1001, 1001), (3000, 3000), (4321, 4321), (1005, 1002)] {
        let mut socket = open(&server, None).await.expect("open");
        ask(&mut socket, json!({"op": "ping"})).await;
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        socket.send(Message::Close(Some(frame))).await.expect("sent");
        assert_eq!(close_code(&mut socket).await, Some(answer));
        assert!(socket.next().await.is_none(), "closed by the server, and in good order");
    }
    let mut socket = open(&server, None).await.expect("open");
    socket.send(Message::Close(None)).await.expect("sent");
    assert_eq!(close_code(&mut socket).await, None, "no code, if none was given");

    // What breaks the rules: of WebSocket itself, of UTF-8, of what is taken here.
    let frames: [(&[u8], u16); 7] = [
        (b"\x81\x01x", 1002),
        (b"\xf1\x81\0\0\0\0x", 1002),
        (b"\x83\x81\0\0\0\0x", 1002),
        (b"\x80\x81\0\0\0\0x", 1002),
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x82\x81\0\0\0\0x", 1003),
        (b"\x81\x81\0\0\0\0x", 1008),
    ];
    for (bytes, code) in frames {
        let mut socket = open(&server, None).await.expect("open");
        socket.get_mut().write_all(bytes).await.expect("sent");
        assert_eq!(close_code(&mut socket).await, Some(code), "{bytes:?}");
    }
    let mut socket = open(&server, None).await.expect("open");
    let _ = socket.send(Message::text("x".repeat(70_000))).await;
    assert_eq!(close_code(&mut socket).await, Some(1009));

    // The server's own.
    assert_eq!(close_code(&mut idle).await, Some(1000), "idle");
    let mut socket = open(&server, None).await.expect("open");
    ask(&mut socket, json!({"op": "ping"})).await;
    let stopping = tokio::task::spawn_blocking(move || server.stop(rustix::process::Signal::TERM));
    assert_eq!(close_code(&mut socket).await, Some(1001), "it stops");
    drop(socket);
    assert!(stopping.await.expect("stopped").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn pings_keep_a_connection_open() {
    let server = Server::start_at(&process::addresses(1)[0], &["--handshake", "1", "--idle", "2"]);
    let mut socket = open(&server, None).await.expect("open");
    // Without a login they don't.
    let create = json!({"op": "create", "name": "ann", "password": "secret", "key": process::key()});
    assert!(ask(&mut socket, create).await["ok"].is_object());
    for _ in 0..10 {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        socket.send(Message::Ping("still here".into())).await.expect("sent");
        match socket.next().await {
            Some(Ok(Message::Pong(what))) => assert_eq!(what, "still here"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ask(&mut socket, json!({"op": "ping"})).await, json!({"id": 1, "ok": {}}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_asked_before_a_goodbye_is_carried_out() {
    let server = Server::start();
    let mut ann = open(&server, None).await.expect("open");
    let created = json!({"op": "create", "name": "ann", "password": "secret", "key": key()});
    assert_eq!(ask(&mut ann, created).await["ok"]["name"], "ann");
    // More than waits for answers at a time.
    for n in 0..1500 {
        let send = json!({"id": n, "op": "send", "to": "ann", "text": "hi", "key": key()});
        ann.feed(Message::text(send.to_string())).await.expect("fed");
    }
    ann.close(None).await.expect("closed");
    let began = std::time::Instant::now();
    loop {
        let mut again = open(&server, None).await.expect("open");
        ask(&mut again, json!({"op": "login", "name": "ann", "password": "secret"})).await;
        let waiting = ask(&mut again, json!({"op": "listen"})).await["ok"]["pending"].clone();
        if waiting == 1500 {
            break;
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "only {waiting} were carried out");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn pages_of_other_origins_are_turned_away() {
    let address = process::addresses(1).remove(0);
    let server = Server::start_at(&address, &["--origin", "https://chat.example.org"]);
    let port = address.rsplit_once(':').expect("HOST:PORT").1;
    let own = format!("http://{address}");
    for allowed in [None, Some(own.as_str()), Some("https://chat.example.org")] {
        let mut socket = open(&server, allowed).await.unwrap_or_else(|error| panic!("{allowed:?}: {error}"));
        assert_eq!(ask(&mut socket, json!({"op": "ping"})).await, json!({"id": 1, "ok": {}}));
    }
    let elsewhere = format!("http://evil.example:{port}");
    for refused in ["https://evil.example", &elsewhere, "null", "http://chat.example.org", "http://127.0.0.1"] {
        assert_refused(open(&server, Some(refused)).await, refused);
    }
    assert_eq!(server.log().matches("may not open a WebSocket").count(), 1, "said once: {}", server.log());
    assert!(server.log().contains("https://evil.example may not open a WebSocket"), "{}", server.log());

    // By a name that no list knows: the browser says the same one twice, whatever scheme the page has.
    for (origin, host, allowed) in [
        (format!("http://intranet:{port}"), format!("intranet:{port}"), true),
        ("https://talk.example".to_owned(), "talk.example".to_owned(), true),
        ("https://talk.example".to_owned(), "TALK.example:443".to_owned(), true),
        ("https://talk.example:8443".to_owned(), "talk.example:8443".to_owned(), true),
        ("https://talk.example".to_owned(), format!("talk.example:{port}"), false),
        ("http://evil.example".to_owned(), "talk.example".to_owned(), false),
    ] {
        let opened = open_by(&server, Some(&host), Some(&origin)).await;
        match allowed {
            true => drop(opened.unwrap_or_else(|error| panic!("{origin} at {host}: {error}"))),
            false => assert_refused(opened, &origin),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_page_of_localhost_speaks_with_the_whole_group() {
    let places = process::addresses(2);
    let group = places.join(",");
    let b = Server::start_at(&places[1], &["--group", &group]);
    let port = |address: &str| address.rsplit_once(':').expect("HOST:PORT").1.to_owned();
    // It was loaded from a, which is down: it goes on with b.
    let page = format!("http://localhost:{}", port(&places[0]));
    let mut socket = open(&b, Some(&page)).await.expect("let in");
    assert_eq!(ask(&mut socket, json!({"op": "ping"})).await, json!({"id": 1, "ok": {}}));
    match open(&b, Some("http://localhost:1")).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("{:?}", other.map(|_| "let in")),
    }
}

/// A WebSocket whose frames are written by hand.
fn by_hand(server: &Server) -> std::net::TcpStream {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(&server.address).expect("connected");
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).expect("written");
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("answered");
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    stream.set_read_timeout(Some(std::time::Duration::from_secs(14))).expect("a timeout");
    stream
}

/// The code of the goodbye that comes next.
fn goodbye(mut stream: std::net::TcpStream) -> u16 {
    use std::io::Read;
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).expect("a goodbye");
    assert_eq!(frame[..2], [0x88, 2]);
    u16::from_be_bytes([frame[2], frame[3]])
}

#[test]
fn messages_that_are_never_whole_are_given_up() {
    use std::io::Write;
    let server = Server::start();
    // The beginning of a text, and frames without anything in them.
    let mut empty = by_hand(&server);
    empty.write_all(&[0x01, 0x80, 0, 0, 0, 0]).expect("written");
    let many = [0x00, 0x80, 0, 0, 0, 0].repeat(10_000);
    let sent = (0..2000).take_while(|_| empty.write_all(&many).is_ok()).count();
    assert!(sent < 2000, "all of them were read");
    server.assert_serves();

    // Half a message, and nothing more but pings.
    let mut half = by_hand(&server);
    half.write_all(&[0x01, 0xFE, 0x40, 0, 0, 0, 0, 0]).expect("written");
    half.write_all(&[b' '; 0x4000]).expect("written");
    let mut pinging = half.try_clone().expect("cloned");
    std::thread::spawn(move || {
        // An unasked pong, which is not answered.
        while pinging.write_all(&[0x8A, 0x80, 0, 0, 0, 0]).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
    });
    assert_eq!(goodbye(half), 1008);

    // One whole message in many frames is taken.
    let mut pieces = by_hand(&server);
    pieces.write_all(&[0x01, 0x80, 0, 0, 0, 0]).expect("written");
    for byte in *b"{\"id\":1,\"op\":\"ping\"}" {
        pieces.write_all(&[0x00, 0x81, 0, 0, 0, 0, byte]).expect("written");
    }
    pieces.write_all(&[0x80, 0x80, 0, 0, 0, 0]).expect("written");
    let mut answer = [0; 18];
    std::io::Read::read_exact(&mut pieces, &mut answer).expect("answered");
    assert!(answer.ends_with(b"{\"id\":1,\"ok\":{}}"), "{answer:?}");
}
