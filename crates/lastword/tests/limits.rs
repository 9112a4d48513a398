//! What clients may take, on real processes: who goes beyond it is told so, and nobody else notices.

#[path = "limits/files.rs"]
mod files;
mod harness;
#[path = "limits/places.rs"]
mod places;
mod process;

use std::io::Read;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use harness::{Group, texts};
use process::{Server, Talk, key};
use serde_json::{Value, json};

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or_default()
}

fn login(name: &str, password: &str) -> Value {
    json!({"op": "login", "name": name, "password": password})
}

/// A server with these arguments, on 127.0.0.1: from other addresses of loopback others come.
fn server(arguments: &[&str]) -> Server {
    let port = process::addresses(1)[0].rsplit_once(':').expect("HOST:PORT").1.to_owned();
    Server::start_at(&format!("127.0.0.1:{port}"), arguments)
}

/// A connection from an address of loopback.
fn talk_from(host: &str, server: &Server) -> Talk {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(host.parse().expect("an address"), 0)).expect("bound");
        let stream = socket.connect(server.address.parse().expect("an address")).await.expect("connected");
        stream.into_std().expect("a socket")
    });
    stream.set_nonblocking(false).expect("blocking");
    Talk::over(stream)
}

#[test]
fn connections_from_one_address() {
    let server = server(&["--connections-per-address", "3"]);
    let ping = json!({"op": "ping"});
    // The health check's own place is free again when its connection has ended.
    std::thread::sleep(Duration::from_millis(700));
    let mut three: Vec<Talk> = (0..3).map(|_| Talk::to(&server.address)).collect();
    for talk in &mut three {
        assert_eq!(talk.ask(&ping), json!({"ok": {}}));
    }
    let mut fourth = Talk::to(&server.address);
    fourth.say(b"{\"id\":1,\"op\":\"ping\"}\n");
    let refused = fourth.next().expect("told why");
    assert_eq!(code(&refused), "too_many");
    assert!(refused["error"]["retry_ms"].as_u64().is_some_and(|ms| ms > 0), "{refused}");
    assert_eq!(fourth.line(), None, "closed");
    assert_eq!(talk_from("127.0.0.2", &server).ask(&ping), json!({"ok": {}}), "from elsewhere");
    three.pop();
    process::wait_until("there is room again", || {
        let mut talk = Talk::to(&server.address);
        talk.say(b"{\"id\":1,\"op\":\"ping\"}\n");
        talk.line().is_some_and(|line| line.contains("ok"))
    });
}

#[test]
fn requests_a_second() {
    let server = server(&["--requests-per-second", "10"]);
    let mut talk = Talk::to(&server.address);
    talk.create("ann");
    let mut burst = Vec::new();
    for n in 0..300 {
        let send = json!({"id": n, "op": "send", "to": "ann", "text": n.to_string(), "key": key()});
        burst.extend(format!("{send}\n").into_bytes());
    }
    talk.say(&burst);
    let mut taken = Vec::new();
    for _ in 0..300 {
        let answer = talk.next().expect("answered");
        match code(&answer) {
            "" => taken.push(answer["id"].as_u64().expect("a number")),
            "too_many" => assert_eq!(answer["error"]["retry_ms"], 1000),
            _ => panic!("{answer}"),
        }
    }
    taken.sort_unstable();
    // Ten seconds' worth, but for the create; and nothing after the first that was refused.
    assert_eq!(taken, (0..99).collect::<Vec<u64>>());
    // Somebody else is not concerned.
    assert_eq!(Talk::to(&server.address).ask(&json!({"op": "ping"})), json!({"ok": {}}));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(code(&talk.ask(&json!({"op": "status"}))), "", "after a pause");
}

#[test]
fn requests_a_second_of_one_account() {
    let server = server(&["--account-requests-per-second", "10"]);
    let (mut first, mut second, mut other) =
        (Talk::to(&server.address), Talk::to(&server.address), Talk::to(&server.address));
    first.create("ann");
    other.create("bob");
    assert_eq!(code(&second.ask(&login("ann", "secret"))), "");
    let taken = |talk: &mut Talk| (0..80).filter(|_| code(&talk.ask(&json!({"op": "status"}))).is_empty()).count();
    assert_eq!(taken(&mut first), 80);
    let second = taken(&mut second);
    assert!((19..40).contains(&second), "what the first has left: {second}");
    assert_eq!(taken(&mut other), 80, "another account");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_is_told_to_wait_loses_nothing_and_keeps_its_order() {
    let mut group = Group::prepare(1);
    group.spawn_with(0, &["--requests-per-second", "20"]);
    let (ann, _ann_events) = group.client(&[0]);
    ann.create("ann", "secret").await.expect("created");
    let (bob, mut bob_events) = group.client(&[0]);
    bob.create("bob", "secret").await.expect("created");
    bob.listen().await.expect("listens");
    // More than a burst, at once.
    let mut answers = Vec::new();
    for n in 0..260 {
        answers.push(
            ann.start_send(lastword_client::protocol::Uuid::now_v7(), "bob", &n.to_string()).await.expect("asked"),
        );
    }
    for answer in answers {
        answer.await.expect("sent");
    }
    let expected: Vec<String> = (0..260).map(|n| n.to_string()).collect();
    assert_eq!(texts(&mut bob_events, 260).await, expected);
}

#[test]
fn messages_that_wait_for_one_account() {
    let server = server(&["--pending-per-account", "100"]);
    let (mut ann, mut bob) = (Talk::to(&server.address), Talk::to(&server.address));
    ann.create("ann");
    let token = bob.create("bob")["token"].clone();
    drop(bob);
    let mut send = || ann.ask(&json!({"op": "send", "to": "bob", "text": "hi", "key": key()}));
    let taken = (0..40).take_while(|_| code(&send()).is_empty()).count();
    assert!((20..=26).contains(&taken), "{taken}");
    let refused = send();
    assert!(code(&refused) == "too_many" && refused["error"]["retry_ms"] == 1000, "{refused}");
    let mut bob = Talk::to(&server.address);
    bob.ask(&json!({"op": "resume", "token": token}));
    assert_eq!(bob.ask(&json!({"op": "listen"}))["ok"]["pending"], taken);
    let mut last = json!(null);
    for _ in 0..taken {
        last = bob.event("message")["pos"].clone();
    }
    assert_eq!(bob.ask(&json!({"op": "delivered", "upto": last})), json!({"ok": {}}));
    process::wait_until("there is room again", || {
        std::thread::sleep(Duration::from_secs(1));
        code(&send()).is_empty()
    });
}

#[test]
fn wrong_passwords_wait_and_lock_nobody_out() {
    let server = server(&["--login-delay", "2"]);
    let mut ann = Talk::to(&server.address);
    ann.create("ann");
    let mut guesser = Talk::to(&server.address);
    let mut waits = Vec::new();
    for _ in 0..8 {
        let began = Instant::now();
        assert_eq!(code(&guesser.ask(&login("ann", "wrong"))), "wrong_login");
        waits.push(began.elapsed());
    }
    assert!(waits[5] >= Duration::from_millis(250) && waits[7] >= Duration::from_secs(1), "{waits:?}");
    // A name that nobody has is treated the same.
    let mut stranger = Talk::to(&server.address);
    let began = Instant::now();
    for _ in 0..7 {
        assert_eq!(code(&stranger.ask(&login("nobody", "wrong"))), "wrong_login");
    }
    assert!(began.elapsed() >= Duration::from_millis(750), "{:?}", began.elapsed());

    // While an attempt waits its connection lives, and what was asked behind it comes behind it.
    guesser.say(format!("{}\n", json!({"id": 1, "op": "login", "name": "ann", "password": "secret"})).as_bytes());
    guesser.say(b"{\"id\":2,\"op\":\"pending\"}\n{\"id\":3,\"op\":\"ping\"}\n");
    let answers: Vec<Value> = (0..3).map(|_| guesser.next().expect("answered")).collect();
    assert_eq!(answers[0]["id"], 3, "{answers:?}");
    // Answers come in any order; that there is one to what only those who are logged in may ask says that it came second.
    assert!(answers.iter().all(|answer| code(answer).is_empty()), "{answers:?}");

    // While strangers try all the time, from the same address and from others, the owner gets in.
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for n in 0..12 {
            let (server, stop) = (&server, &stop);
            scope.spawn(move || {
                let mut talk = talk_from(&format!("127.0.0.{}", 1 + n % 6), server);
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let answer = talk.ask(&login("ann", "wrong"));
                    assert!(["wrong_login", "too_many"].contains(&code(&answer)), "{answer}");
                }
            });
        }
        std::thread::sleep(Duration::from_secs(2));
        for host in ["127.0.0.1", "127.0.0.9"] {
            let began = Instant::now();
            let answer = talk_from(host, &server).ask(&login("ann", "secret"));
            stop.store(host == "127.0.0.9", std::sync::atomic::Ordering::Relaxed);
            assert_eq!(answer["ok"]["name"], "ann", "{host}: {answer}");
            assert!(began.elapsed() < Duration::from_secs(6), "{host}: {:?}", began.elapsed());
        }
    });
    // Who knows the old password may guess as little.
    let change = json!({"op": "password", "old": "wrong", "new": "newer", "key": key()});
    let began = Instant::now();
    let waited = (0..7).any(|_| {
        assert_eq!(code(&ann.ask(&change)), "bad_password");
        began.elapsed() >= Duration::from_millis(750)
    });
    assert!(waited, "{:?}", began.elapsed());
}

#[test]
fn lines_times_and_silence() {
    let server = server(&["--line-bytes", "1024", "--handshake", "1", "--idle", "2"]);
    let mut long = Talk::to(&server.address);
    long.say(format!("{{\"id\":1,\"op\":\"{}\"}}\n", "x".repeat(2000)).as_bytes());
    let refused = long.next().expect("told why");
    assert!(code(&refused) == "too_long" && refused["error"]["text"].as_str().unwrap().contains("1024"), "{refused}");
    assert_eq!(long.line(), None, "closed");

    // Nothing, and half a line.
    let began = Instant::now();
    let mut silent = Talk::to(&server.address);
    let mut half = Talk::to(&server.address);
    half.say(b"{\"id\":");
    assert_eq!(silent.stream.read(&mut [0]).expect("closed"), 0);
    assert_eq!(code(&half.next().expect("told why")), "bad_request");
    assert_eq!(half.line(), None, "closed");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    // Whoever talks, or is talked to, stays; whoever does neither is told so.
    let (mut ann, mut bob, mut idle) =
        (Talk::to(&server.address), Talk::to(&server.address), Talk::to(&server.address));
    ann.create("ann");
    bob.create("bob");
    assert_eq!(code(&bob.ask(&json!({"op": "listen"}))), "");
    assert_eq!(idle.ask(&json!({"op": "ping"})), json!({"ok": {}}));
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        assert_eq!(code(&ann.ask(&json!({"op": "send", "to": "bob", "text": "hi", "key": key()}))), "");
        assert_eq!(bob.event("message")["text"], "hi");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(idle.event("closed")["reason"], "idle");
    assert_eq!(idle.line(), None, "closed");
}

/// What one address, however many connections it has, and many addresses together get of one name.
#[test]
fn guesses_at_one_name_from_everywhere() {
    let server = server(&[]);
    talk_from("127.0.0.9", &server).create("ann");
    let began = Instant::now();
    let guessed = std::sync::atomic::AtomicUsize::new(0);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for n in 0..36 {
            let (server, guessed, stop) = (&server, &guessed, &stop);
            scope.spawn(move || {
                let mut talk = talk_from(&format!("127.0.1.{}", 1 + n % 12), server);
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    match code(&talk.ask(&login("ann", "wrong"))) {
                        "wrong_login" => guessed.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
                        _ => 0,
                    };
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        std::thread::sleep(Duration::from_secs(8));
        // Where she was before, and where she never was.
        let took = [("127.0.0.9", 2), ("127.0.0.77", 15)].map(|(host, most)| {
            let began = Instant::now();
            let mut talk = talk_from(host, &server);
            let let_in = (0..10).any(|_| {
                let answer = talk.ask(&login("ann", "secret"));
                answer["ok"]["name"] == "ann" || {
                    std::thread::sleep(Duration::from_millis(answer["error"]["retry_ms"].as_u64().unwrap_or(1000)));
                    false
                }
            });
            (host, let_in, began.elapsed(), Duration::from_secs(most))
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for (host, let_in, took, most) in took {
            assert!(let_in && took < most, "{host}: {let_in} after {took:?}");
        }
    });
    let guessed = guessed.into_inner() as f64;
    // Twenty are free, and those that were under way at once at the beginning.
    let a_second = (guessed - 60.0) / began.elapsed().as_secs_f64();
    assert!(a_second < 4.0, "{guessed} in {:?}", began.elapsed());
}

#[test]
fn new_accounts_of_one_address() {
    let server = server(&["--accounts-per-hour", "360"]);
    let create = |talk: &mut Talk, name: &str| {
        talk.ask(&json!({"op": "create", "name": name, "password": "secret", "key": key()}))
    };
    let made = |host: &str| {
        let mut refused = Value::Null;
        let made = (0..40).take_while(|n| {
            // A connection has one account.
            let answer = create(&mut talk_from(host, &server), &format!("user{}n{n}", host.replace('.', "x")));
            refused = answer.clone();
            answer["ok"].is_object()
        });
        (made.count(), refused)
    };
    let (count, refused) = made("127.0.0.1");
    assert!((20..23).contains(&count), "{count}: {refused}");
    let retry_ms = refused["error"]["retry_ms"].as_u64().expect("when to try again");
    assert!(code(&refused) == "too_many" && (1000..=10_001).contains(&retry_ms), "{refused}");
    // From elsewhere, and many at once: one at a time.
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..10)
            .map(|n| {
                let (server, create) = (&server, &create);
                scope.spawn(move || create(&mut talk_from("127.0.0.2", server), &format!("crowd{n}")))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("asked")).collect()
    });
    assert!(answers.iter().any(|answer| answer["ok"].is_object()), "{answers:?}");
    assert!(answers.iter().any(|answer| code(answer) == "too_many"), "{answers:?}");
}

#[test]
fn most_accounts() {
    let server = server(&["--accounts", "3"]);
    let create = |name: &str, key: &str| {
        let create = json!({"op": "create", "name": name, "password": "secret", "key": key});
        Talk::to(&server.address).ask(&create)
    };
    let keys: Vec<String> = (0..4).map(|_| key()).collect();
    for (n, key) in keys.iter().enumerate() {
        let answer = create(&format!("user{n}"), key);
        assert_eq!(code(&answer), if n < 3 { "" } else { "closed" }, "{answer}");
    }
    assert_eq!(code(&create("user0", &keys[0])), "", "one that is asked for again is there");
    assert_eq!(code(&Talk::to(&server.address).ask(&login("user1", "secret"))), "");
}
