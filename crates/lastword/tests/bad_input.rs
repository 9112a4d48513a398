//! Whatever bytes come on the port, the server says what is wrong or closes that connection, and goes on.

mod harness;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use harness::Group;

/// Sends bytes, and reads until the server closes or nothing comes for a while.
fn talk(address: &str, bytes: &[u8], patience: Duration) -> (String, bool) {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(patience)).expect("a timeout");
    // The server may have closed before all of it was written.
    let _ = stream.write_all(bytes);
    let mut said = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (String::from_utf8_lossy(&said).into_owned(), true),
            Ok(n) => said.extend(&buffer[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                return (String::from_utf8_lossy(&said).into_owned(), true);
            }
            Err(_) => return (String::from_utf8_lossy(&said).into_owned(), false),
        }
    }
}

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
        (b"{\"id\":1,\"op\":\"list\",\"pattern\":\"(\"}\n", "not a regular expression", false),
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

/// Half lines, silence, and handshakes that are never finished: closed after 10 s, all at once.
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
        assert!(closed && took > Duration::from_secs(4), "{opening:?}: {closed} after {took:?}");
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
    assert!(get("GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
    assert!(get("GET /readyz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200"));
    assert!(get("GET /metrics HTTP/1.1\r\n\r\n").contains("lastword_stale 0"));
    assert!(get("GET /nothing HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(get(&format!("GET /{} HTTP/1.1\r\n", "x".repeat(40_000))).starts_with("HTTP/1.1 431"));
    assert_serves(&group.addresses[0]);
}

fn server(arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lastword"))
        .arg("server")
        .args(arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let began = Instant::now();
    while child.try_wait().expect("waited").is_none() {
        if began.elapsed() > Duration::from_secs(5) {
            child.kill().expect("killed");
            panic!("the server should not have started: {arguments:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("ended")
}

/// The server does not start, and says why and what to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_keeps_a_server_from_starting() {
    let group = Group::start(1).await;
    let (host, port) = group.addresses[0].split_once(':').unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("file"), "x").unwrap();
    std::fs::create_dir(path("damaged")).unwrap();
    std::fs::write(path("damaged") + "/log.db", "this is no database, ".repeat(1000)).unwrap();
    std::fs::write(path("bad.key"), "xyz").unwrap();
    let newer = path("newer");
    drop(lastword_server::offline::Offline::open(std::path::Path::new(&newer)).unwrap());
    set_format(&newer, 99);
    let used = group.data(0).to_str().unwrap().to_owned();
    let cases: Vec<(Vec<&str>, Vec<&str>)> = vec![
        (vec!["127.0.0.1", "0", "--data", &used], vec!["in use by another process", &used, "--data"]),
        (vec![host, port, "--data", &newer, "--group", "127.0.0.1:1"], vec!["does not name this server"]),
        (vec!["127.0.0.1", "0", "--data", &newer], vec!["format 99", "newer lastword"]),
        (vec!["127.0.0.1", "1", "--group", "127.0.0.1:1,127.0.0.1:1"], vec!["twice"]),
        (vec!["127.0.0.1", "1", "--group", "127.0.0.1:1,192.0.2.1:1"], vec!["192.0.2.1:1", "lastword key"]),
    ];
    let (file, damaged, bad_key, fresh) = (path("file"), path("damaged"), path("bad.key"), path("fresh"));
    let more: Vec<(Vec<&str>, Vec<&str>)> = vec![
        (vec!["127.0.0.1", "0", "--data", &file], vec![&file]),
        (vec!["127.0.0.1", "0", "--data", &damaged], vec!["is damaged", "refills from the others"]),
        (vec!["127.0.0.1", "0", "--key", &bad_key], vec!["no cluster key", "64 hex digits"]),
        (vec![host, port, "--data", &fresh], vec!["can't listen on", "another port"]),
    ];
    for (arguments, expected) in cases.into_iter().chain(more) {
        let output = server(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}");
        for word in expected {
            assert!(said.contains(word), "{arguments:?}: {word}: {said}");
        }
    }
    assert_serves(&group.addresses[0]);
}

fn set_format(data: &str, format: u32) {
    let connection = rusqlite::Connection::open(format!("{data}/log.db")).expect("a database");
    connection.execute("UPDATE meta SET value = ?1 WHERE name = 'format'", [format]).expect("changed");
}

/// Two replicas with different keys both say so, and serve their clients all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_cluster_key() {
    let mut group = Group::prepare(2);
    for replica in 0..2 {
        let key = group.data(replica).with_extension("key");
        lastword_server::ClusterKey::generate().unwrap().write(&key).unwrap();
        group.spawn_with(replica, &["--key", key.to_str().unwrap()]);
    }
    let began = Instant::now();
    while !(0..2).all(|replica| group.log(replica).contains("cluster key is another one")) {
        assert!(began.elapsed() < Duration::from_secs(10), "{}\n{}", group.log(0), group.log(1));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for address in &group.addresses {
        assert_serves(address);
    }
}

/// SIGTERM: what was asked is answered, the client is told, the exit code is 0, and all is there again.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_is_told_to_stop() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let mut group = Group::start(1).await;
        let (client, _events) = group.client(&[0]);
        client.create("alice", "secret").await.unwrap();
        let mut answers = Vec::new();
        for n in 0..200 {
            let key = lastword_client::protocol::Uuid::now_v7();
            answers.push(client.start_send(key, "alice", &n.to_string()).await.unwrap());
        }
        let mut raw = TcpStream::connect(&group.addresses[0]).unwrap();
        raw.write_all(b"{\"id\":1,\"op\":\"ping\"}\n").unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(group.stop(0, signal).success());
        let mut said = String::new();
        raw.read_to_string(&mut said).unwrap();
        assert!(said.contains("{\"event\":\"closed\",\"reason\":\"shutdown\"}"), "{said}");
        group.spawn(0);
        for answer in answers {
            answer.await.expect("answered, before or after");
        }
        assert_eq!(harness::history(&client, "alice").await.len(), 200);
    }
}
