//! Too much of something: others are served meanwhile, and afterwards the memory is free again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::{Server, Talk, addresses, http, key, talk};

/// Lines of 10 MB, from many at once.
#[test]
fn lines_without_end() {
    let server = Server::start();
    let before = server.memory_mib();
    let line = b"{\"id\":1,\"op\":\"".iter().copied().chain(std::iter::repeat_n(b'x', 10 << 20)).collect::<Vec<u8>>();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let (said, closed) = talk(&server.address, &line, Duration::from_secs(5));
                assert!(said.contains("too_long") && said.lines().count() == 1 && closed, "{said}");
            });
        }
    });
    server.assert_serves();
    let grown = server.memory_mib().saturating_sub(before);
    assert!(grown < 24, "{grown} MiB more");
}

/// Blanks that nothing ever follows: a few are read over, and then nothing more.
#[test]
fn blanks_without_end() {
    let server = Server::start();
    for blank in [b' ', b'\n'] {
        let (said, closed) = talk(&server.address, &vec![blank; 1 << 20], Duration::from_secs(3));
        assert!(closed && said.lines().count() <= 1, "{said}");
    }
    server.assert_serves();
    let few = [&[b'\n'; 4000][..], b"{\"id\":1,\"op\":\"ping\"}\n"].concat();
    let (said, closed) = talk(&server.address, &few, Duration::from_millis(600));
    assert!(!closed && said.starts_with("{\"id\":1,\"ok\":{}}"), "{said}");
}

/// Logins with passwords as long as a line, one behind the other, while the first ones have to wait: none of those stands
/// in a queue with its 64 KiB.
#[test]
fn logins_with_passwords_as_long_as_a_line() {
    let server = Server::start();
    Talk::to(&server.address).create("alice");
    let before = server.memory_mib();
    let line = |password: &str| format!("{}\n", json!({"id": 1, "op": "login", "name": "alice", "password": password}));
    let flood = line("wrong").repeat(12) + &line(&"x".repeat(65_000)).repeat(40);
    let stop = Instant::now() + Duration::from_secs(5);
    thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(&server.address).unwrap();
                stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
                // It answers late, or does not read on: what matters is what it keeps.
                while Instant::now() < stop && stream.write_all(flood.as_bytes()).is_ok() {}
            });
        }
        let mut most = 0;
        while Instant::now() < stop {
            most = most.max(server.memory_mib());
            thread::sleep(Duration::from_millis(50));
        }
        let grown = most.saturating_sub(before);
        assert!(grown < 100, "{grown} MiB more");
    });
    server.assert_serves();
}

/// Clients that ask for pages and pages and read none of them. Others are served; the memory is free
/// again when they are gone.
#[test]
fn clients_that_never_read() {
    let server = Server::start();
    let mut alice = Talk::to(&server.address);
    let token = alice.create("alice")["token"].clone();
    let text = "x".repeat(16 * 1024);
    for _ in 0..200 {
        let line = json!({"id": 1, "op": "send", "to": "alice", "text": text, "key": key()});
        alice.say(format!("{line}\n").as_bytes());
    }
    for _ in 0..200 {
        assert!(alice.next().expect("answered")["ok"]["stored"] == 1);
    }
    let round = || {
        let flood = |_| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            let resume = json!({"id": 1, "op": "resume", "token": token});
            let more = format!("{}\n", json!({"id": 1, "op": "history", "with": "alice", "limit": 500}));
            let _ =
                stream.write_all(format!("{resume}\n{{\"id\":2,\"op\":\"listen\"}}\n{}", more.repeat(500)).as_bytes());
            stream
        };
        let floods: Vec<TcpStream> = (0..10).map(flood).collect();
        let began = Instant::now();
        let mut other = Talk::to(&server.address);
        while began.elapsed() < Duration::from_secs(1) {
            let asked = Instant::now();
            assert_eq!(other.ask(&json!({"op": "ping"})), json!({"ok": {}}));
            assert!(asked.elapsed() < Duration::from_secs(1), "a ping took {:?}", asked.elapsed());
            thread::sleep(Duration::from_millis(20));
        }
        drop(floods);
        thread::sleep(Duration::from_millis(300));
        server.memory_mib()
    };
    // What the allocator keeps, it keeps from the first rounds; what leaks goes on growing.
    let early = (0..2).map(|_| round()).max().unwrap_or_default();
    let late = (0..3).map(|_| round()).min().unwrap_or_default();
    server.assert_serves();
    assert!(late < early + 60, "{early} MiB after two rounds, {late} MiB after more of them");
    assert!(late < 400, "{late} MiB");
}

/// Who is only connected costs a few KiB: there may be ten thousands of them.
#[test]
fn idle_connections() {
    const IDLE: usize = 1000;
    let server = Server::start();
    let connect = |_| {
        let mut talk = Talk::to(&server.address);
        assert_eq!(talk.ask(&json!({"op": "hello", "version": 1}))["ok"]["version"], 1);
        talk
    };
    let first: Vec<Talk> = (0..100).map(connect).collect();
    let before = server.memory_mib();
    let others: Vec<Talk> = (0..IDLE).map(connect).collect();
    let grown = server.memory_mib() - before;
    assert!(grown < 16, "{IDLE} idle connections take {grown} MiB");
    drop((first, others));
}

/// Listeners that never read what streams in: the sender hardly feels it, and what waited for them is
/// thrown away when they are gone.
#[test]
fn listeners_that_never_read() {
    const MESSAGES: usize = 2000;
    let server = Server::start();
    let mut alice = Talk::to(&server.address);
    alice.create("alice");
    let text = "x".repeat(16 * 1024);
    let mut round = |name: &str| {
        let token = Talk::to(&server.address).create(name)["token"].clone();
        let listener = |_| {
            let mut talk = Talk::to(&server.address);
            talk.ask(&json!({"op": "resume", "token": token}));
            assert_eq!(talk.ask(&json!({"op": "listen"}))["ok"]["pending"], 0);
            talk
        };
        let listeners: Vec<Talk> = (0..6).map(listener).collect();
        for _ in 0..MESSAGES {
            let sent = alice.ask(&json!({"op": "send", "to": name, "text": text, "key": key()}));
            assert_eq!(sent["ok"]["stored"], 1, "{sent}");
        }
        server.assert_serves();
        drop(listeners);
        thread::sleep(Duration::from_millis(500));
        server.memory_mib()
    };
    let early = round("bob");
    let late = ["carol", "dave"].map(&mut round)[1];
    // Their outboxes alone would be 48 MiB a round.
    assert!(late < early + 50, "{early} MiB after the first round, {late} MiB after two more");
}

/// A thousand logins at once, of people who do not exist: each is answered, most of them by `too_many`, and
/// what needs no hash is answered at once.
#[test]
fn logins() {
    // Else they would wait for one another, and never be too many.
    let server = Server::start_at(&addresses(1)[0], &["--login-failures", "1000"]);
    let mut flood = Talk::to(&server.address);
    let line =
        |n: usize| format!("{}\n", json!({"id": n, "op": "login", "name": format!("x{n}"), "password": "wrong"}));
    let connections: Vec<Talk> = (0..50)
        .map(|_| {
            let mut talk = Talk::to(&server.address);
            talk.say((0..20).map(line).collect::<String>().as_bytes());
            talk
        })
        .collect();
    flood.say(line(0).as_bytes());
    let began = Instant::now();
    assert_eq!(Talk::to(&server.address).ask(&json!({"op": "ping"})), json!({"ok": {}}));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    for mut talk in connections {
        for _ in 0..20 {
            let answer = talk.next().expect("answered");
            let code = &answer["error"]["code"];
            assert!(code == "wrong_login" || code == "too_many" && answer["error"]["retry_ms"].is_u64(), "{answer}");
        }
    }
    assert!(flood.next().is_some());
    server.assert_serves();
}

/// More connections than there may be: where all have logged in, those beyond are told so, health checks too; who leaves
/// makes room.
#[test]
fn connections() {
    let server = Server::start_at(&addresses(1)[0], &["--connections", "3"]);
    // The health check's own place is free again when its connection has ended.
    thread::sleep(Duration::from_millis(700));
    let mut held: Vec<Talk> = (0..3).map(|_| Talk::to(&server.address)).collect();
    for (n, talk) in held.iter_mut().enumerate() {
        talk.create(&format!("user{n}"));
    }
    let (said, closed) = talk(&server.address, b"{\"id\":1,\"op\":\"ping\"}\n", Duration::from_secs(2));
    assert!(said.contains("too_many") && said.contains("retry_ms") && closed, "{said}");
    assert_eq!(held[2].ask(&json!({"op": "ping"})), json!({"ok": {}}));
    drop(held);
    thread::sleep(Duration::from_millis(700));
    server.assert_serves();
}

/// A client whose line is slow, and that reads all the time, gets everything.
#[test]
fn a_slow_reader_is_no_reader_that_is_stuck() {
    const MESSAGES: usize = 250;
    let server = Server::start();
    let mut alice = Talk::to(&server.address);
    let token = alice.create("alice")["token"].clone();
    // Six bytes each when it is written: 15 MB in all.
    let text = "\u{1}".repeat(10_000);
    for _ in 0..MESSAGES {
        assert_eq!(alice.ask(&json!({"op": "send", "to": "alice", "text": text, "key": key()}))["ok"]["stored"], 1);
    }
    let mut slow = TcpStream::connect(&server.address).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let resume = json!({"id": 1, "op": "resume", "token": token});
    slow.write_all(format!("{resume}\n{{\"id\":2,\"op\":\"listen\"}}\n").as_bytes()).unwrap();
    let mut said = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let count = |said: &[u8]| said.iter().filter(|&&byte| byte == b'\n').count();
    while count(&said) < MESSAGES + 2 {
        let n = slow.read(&mut buffer).expect("it goes on");
        assert!(n > 0, "closed after {} lines: {}", count(&said), String::from_utf8_lossy(&said[said.len() - 80..]));
        said.extend(&buffer[..n]);
        if said.len() > 15_000_000 / 5 * 4 {
            continue;
        }
        thread::sleep(Duration::from_millis(70));
    }
}

#[test]
fn http_that_is_not_right() {
    let server = Server::start();
    let head = http(&server.address, "HEAD", "/healthz");
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "a HEAD has no body: {head:?}");
    assert!(http(&server.address, "HEAD", "/nothing").starts_with("HTTP/1.1 404"));
    let get = |bytes: &[u8]| talk(&server.address, bytes, Duration::from_secs(2)).0;
    assert!(get(b"GET /healthz HTTP/1.1\nHost: x\nConnection: close\n\n").starts_with("HTTP/1.1 200"));
    assert!(get(b"GET /healthz?x=1#y HTTP/1.1\r\nHost: x\r\nX: \xff\xfe\r\n\r\n").starts_with("HTTP/1.1 200"));
    assert!(get(b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 404"));
    let two_hosts = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    for garbage in [&b"GET  \r\n\r\n"[..], b"GET \xff\xfe\xfd \r\n\r\n", b"GET / HTTP/1.1\r\na b: c\r\n\r\n", two_hosts]
    {
        assert!(get(garbage).starts_with("HTTP/1.1 400"), "{}", String::from_utf8_lossy(garbage));
    }
    for other in [
        &b"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        assert!(get(other).starts_with("HTTP/1.1 405"));
    }
    let mut endless = b"GET /healthz HTTP/1.1\r\n".to_vec();
    endless.extend(b"X: y\r\n".repeat(2 << 20));
    assert!(get(&endless).starts_with("HTTP/1.1 431"));
    server.assert_serves();
}
