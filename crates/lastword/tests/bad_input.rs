//! Whatever bytes come on the port, the server says what is wrong or closes that connection, and goes on.

#[path = "bad_input/floods.rs"]
mod floods;
mod harness;
#[path = "bad_input/lines.rs"]
mod lines;
#[path = "bad_input/peers.rs"]
mod peers;
mod process;
#[path = "bad_input/starting.rs"]
mod starting;
#[path = "bad_input/stopping.rs"]
mod stopping;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::Group;
use process::talk;

fn quickly(address: &str, bytes: &[u8]) -> (String, bool) {
    talk(address, bytes, Duration::from_millis(600))
}

fn assert_serves(address: &str) {
    let (said, _) = quickly(address, b"{\"id\":77,\"op\":\"ping\"}\n");
    assert_eq!(said, "{\"id\":77,\"ok\":{}}\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lines_that_are_not_right() {
    let group = Group::start(1).await;
    let address = group.addresses[0].as_str();
    // What is sent, what must stand in the answer, whether the connection is closed.
    let long = format!("{{\"id\":1,\"op\":\"{}\"}}\n", "x".repeat(10 * 1024 * 1024));
    let deep = format!("{{\"id\":1,\"op\":\"ping\",\"x\":{}{}}}\n", "[".repeat(20_000), "]".repeat(20_000));
    let cases: [(&[u8], &str, bool); 22] = [
        (b"hello\n", "not a protocol", true),
        (b"[1]\n", "", true),
        (b"\x16\x03\x01\x02\x00\x01\x00", "bad_request", true),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "bad_request", true),
        (b"{not json\n", "not a JSON object", true),
        (b"{\"id\":1,\"op\":\"\xff\xfe\"}\n", "not UTF-8", true),
        (long.as_bytes(), "65536 bytes", true),
        (deep.as_bytes(), "{\"id\":1,\"ok\":{}}", false),
        (b"{\"id\":1,\"op\":\"send\",\"to\":5}\n", "\"id\":1,\"error\":{\"code\":\"bad_request\"", false),
        (b"{\"id\":1,\"op\":\"fly\"}\n", "There is no operation `fly`", false),
        (b"{\"id\":1}\n", "has no `op`", false),
        (b"{\"op\":\"ping\"}\n", "has no `id`", false),
        (b"{\"id\":-1,\"op\":\"ping\"}\n", "bad_request", false),
        (b"{\"id\":1.5,\"op\":\"ping\"}\n", "bad_request", false),
        (b"{\"id\":\"a\",\"op\":\"ping\"}\n", "{\"id\":\"a\",\"ok\":{}}", false),
        (b"\n\r\n {\"id\":2,\"op\":\"ping\"}\r\n", "{\"id\":2,\"ok\":{}}", false),
        (b"{\"id\":1,\"op\":\"pi\\u006eg\"}\n", "{\"id\":1,\"ok\":{}}", false),
        (b"{\"id\":1,\"op\":\"listen\"}\n", "not_logged_in", false),
        (b"{\"id\":1,\"op\":\"list\",\"pattern\":\"(\"}\n", "not_logged_in", false),
        (b"{\"id\":1,\"op\":\"resume\",\"token\":\"zz\"}\n", "wrong_login", false),
        (b"{\"id\":1,\"op\":\"delivered\",\"upto\":\"zz\"}\n", "`upto`", false),
        (b"{\"id\":1,\"op\":\"send\",\"to\":\"a\",\"text\":\"x\",\"key\":\"zz\"}\n", "bad_request", false),
    ];
    for (bytes, expected, closes) in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        let expected = if expected == "not a protocol" { "no protocol that is spoken here" } else { expected };
        let (said, closed) = quickly(address, bytes);
        assert!(said.contains(expected), "{shown}: {said}");
        assert_eq!(closed, closes, "{shown}: {said}");
        assert_serves(address);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn names_texts_and_passwords_outside_the_rules() {
    let group = Group::start(1).await;
    let address = group.addresses[0].as_str();
    let create = |name: &str, password: &str| {
        let key = "0198f1a2-7c3e-7f00-8000-000000000001";
        let line = format!(
            "{{\"id\":1,\"op\":\"create\",\"name\":\"{name}\",\"password\":\"{password}\",\"key\":\"{key}\"}}\n"
        );
        quickly(address, line.as_bytes()).0
    };
    for name in ["", "a b", "ä", "a~1234", &"x".repeat(33)] {
        let said = create(name, "secret");
        assert!(said.contains("bad_name") && said.contains("1 to 32 characters"), "{name}: {said}");
    }
    assert!(create("alice", "abc").contains("bad_password"));
    assert!(create("alice", &"x".repeat(1025)).contains("too_long"));
    let (client, _events) = group.client(&[0]);
    client.create("bob", "secret").await.unwrap();
    let text = |n: usize| "x".repeat(n);
    client.send("bob", &text(16 * 1024)).await.unwrap();
    let error = client.send("bob", &text(16 * 1024 + 1)).await.unwrap_err();
    assert!(error.to_string().contains("16,384 bytes"), "{error}");
    assert!(client.send("bob", "").await.is_err());
    // A text that grows when it is escaped comes back whole, or is refused.
    let control = "\u{1}".repeat(10_000);
    client.send("bob", &control).await.unwrap();
    assert_eq!(client.history("bob", Some(1), None).await.unwrap().messages[0].text, control);
    assert!(client.send("bob", &"\u{1}".repeat(10_600)).await.is_err());
    // A page that is longer than a line is cut, and goes on.
    for _ in 0..9 {
        client.send("bob", &text(16 * 1024)).await.unwrap();
    }
    assert_eq!(harness::history(&client, "bob").await.len(), 11);
}

/// Half lines, silence, and handshakes that are never finished: closed after 10 s (those of replicas after 3 s).
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn connections_that_say_nothing_more_are_closed() {
    let group = Group::start(1).await;
    let openings: [&[u8]; 5] = [
        b"",
        b"{\"id\":1,\"op\":\"pi",
        b"GET /healthz HTTP/1.1\r\n",
        b"LASTWORD-PEER/1\n",
        b"LASTWORD-PEER/1\n\x00\x30abc",
    ];
    let threads: Vec<_> = openings
        .into_iter()
        .map(|opening| {
            let address = group.addresses[0].clone();
            std::thread::spawn(move || {
                let began = Instant::now();
                let (_, closed) = talk(&address, opening, Duration::from_secs(14));
                (opening, closed, began.elapsed())
            })
        })
        .collect();
    for thread in threads {
        let (opening, closed, took) = thread.join().expect("talked");
        // Replicas show at once what they are.
        let least = if opening.starts_with(b"LASTWORD") { 2 } else { 4 };
        assert!(closed && took > Duration::from_secs(least), "{opening:?}: {closed} after {took:?}");
    }
    assert_serves(&group.addresses[0]);
}

/// A client that asks for a lot and reads nothing is dropped, or waits; others are served meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn floods() {
    let group = Group::start(1).await;
    let address = group.addresses[0].as_str();
    let mut flood = TcpStream::connect(address).unwrap();
    flood.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let many = "{\"id\":1,\"op\":\"hello\"}\n".repeat(200_000);
    let _ = flood.write_all(many.as_bytes());
    let began = Instant::now();
    assert_serves(address);
    assert!(began.elapsed() < Duration::from_secs(2));
    drop(flood);

    // 5,000 requests at once are all answered, in a connection that reads only afterwards.
    let lines: String = (0..5000).map(|n| format!("{{\"id\":{n},\"op\":\"ping\"}}\n")).collect();
    let (said, _) = talk(address, lines.as_bytes(), Duration::from_secs(1));
    assert_eq!(said.lines().count(), 5000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn http() {
    let group = Group::start(1).await;
    let get = |request: &str| quickly(&group.addresses[0], request.as_bytes()).0;
    assert!(get("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200"));
    assert!(get("GET /readyz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200"));
    assert!(get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").contains("lastword_stale 0"));
    assert!(get("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(get(&format!("GET /{} HTTP/1.1\r\n", "x".repeat(40_000))).starts_with("HTTP/1.1 431"));
    assert_serves(&group.addresses[0]);
}
