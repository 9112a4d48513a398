//! The protocol over WebSocket, on the one port, and whose pages may speak it.

mod process;

use futures_util::{SinkExt, StreamExt};
use process::{Server, Talk, key};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

async fn open(server: &Server, origin: Option<&str>) -> Result<Socket, Error> {
    let mut request = format!("ws://{}/ws", server.address).into_client_request().expect("a request");
    if let Some(origin) = origin {
        request.headers_mut().insert("Origin", origin.parse().expect("a header"));
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
        match open(&server, Some(refused)).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 403, "{refused}"),
            other => panic!("{refused}: {:?}", other.map(|_| "let in")),
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
