//! Hashing: with which parameters, how long, on which threads, and in whose turn.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{Server, Talk, addresses, wait_until};

fn log_in(address: &str, name: &str, password: &str) -> Value {
    Talk::to(address).ask(&json!({"op": "login", "name": name, "password": password}))
}

/// How many facts in the log of a server that is not up hold a hash of so much memory.
fn hashes_of(server: &Server, memory_kib: u32) -> usize {
    let log = rusqlite::Connection::open(server.data().join("log.db")).expect("the log");
    let mut facts = log.prepare("SELECT fact FROM log").expect("a table");
    let facts = facts.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("read");
    let begins = format!("$argon2id$v=19$m={memory_kib},t=2,p=1$").into_bytes();
    let holds = |fact: Vec<u8>| fact.windows(begins.len()).any(|bytes| bytes == begins);
    facts.filter(|fact| holds(fact.as_ref().expect("a fact").clone())).count()
}

/// Started with other parameters, a server hashes a password anew at the first login, and not at the next. Sessions
/// do not notice.
#[test]
fn a_login_after_a_change_of_parameters_hashes_anew_once() {
    let mut server = Server::start_at(&addresses(1)[0], &["--hash-memory", "8"]);
    let token = Talk::to(&server.address).create("alice")["token"].clone();
    assert!(log_in(&server.address, "alice", "secret")["ok"].is_object());
    server.stop(Signal::TERM);
    assert_eq!((hashes_of(&server, 8 * 1024), hashes_of(&server, 19 * 1024)), (1, 0));

    server.arguments = Vec::new();
    server.again();
    assert_eq!(log_in(&server.address, "alice", "Secret")["error"]["code"], "wrong_login");
    for _ in 0..3 {
        assert!(log_in(&server.address, "alice", "secret")["ok"].is_object());
    }
    let resumed = Talk::to(&server.address).ask(&json!({"op": "resume", "token": token}));
    assert_eq!(resumed["ok"]["name"], "alice", "{resumed}");
    server.stop(Signal::TERM);
    assert_eq!((hashes_of(&server, 8 * 1024), hashes_of(&server, 19 * 1024)), (1, 1), "once, and it stays");

    // The views say the same as the log.
    server.again();
    assert_eq!(log_in(&server.address, "alice", "Secret")["error"]["code"], "wrong_login");
    assert!(log_in(&server.address, "alice", "secret")["ok"].is_object());
    server.stop(Signal::TERM);
    assert_eq!(hashes_of(&server, 19 * 1024), 1);
}

/// Who asks for names learns nothing from the time it takes: not of those who are not there, nor of those whose hash
/// is of other parameters.
#[test]
fn unknown_names_take_as_long_as_wrong_passwords() {
    let mut server = Server::start_at(&addresses(1)[0], &["--hash-memory", "16"]);
    Talk::to(&server.address).create("older");
    server.stop(Signal::TERM);
    server.arguments = ["--hash-memory", "64", "--login-failures", "1000"].map(str::to_owned).to_vec();
    server.again();
    let mut talk = Talk::to(&server.address);
    talk.create("newer");
    let mut talk = Talk::to(&server.address);
    let mut time = |name: &str| {
        let began = Instant::now();
        let answer = talk.ask(&json!({"op": "login", "name": name, "password": "wrong"}));
        assert_eq!(answer["error"]["code"], "wrong_login", "{answer}");
        began.elapsed()
    };
    // In turn, so that whatever else the machine does is in all of them; and the least of many is what it takes.
    let names = ["nobody", "newer", "older"];
    let mut least = [Duration::MAX; 3];
    for round in 0.. {
        for (least, name) in least.iter_mut().zip(names) {
            *least = time(name).min(*least);
        }
        let (shortest, longest) = (least.iter().min().expect("three"), least.iter().max().expect("three"));
        if round > 10 && *longest < *shortest * 3 / 2 {
            break;
        }
        assert!(round < 60, "{names:?} take {least:?}");
    }
}

/// As many threads as was said, and everybody else goes before them.
#[test]
fn threads_that_hash_stand_back() {
    let server = Server::start_at(&addresses(1)[0], &["--hashes", "3"]);
    /// The policy of a thread that has a core only while nobody else wants it.
    const SCHED_IDLE: i32 = 5;
    // By the number of the field in `/proc/PID/task/TID/stat`: 19 is the priority, 41 the policy.
    let field_of = |name: &str, number: usize| -> Vec<i32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).expect("Linux");
        let stats = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
        let fields = stats.filter_map(|stat| {
            let (before, after) = stat.rsplit_once(')')?;
            // The third is the first after the name.
            before.ends_with(&format!("({name}")).then(|| after.split_whitespace().nth(number - 3)?.parse().ok())?
        });
        fields.collect()
    };
    wait_until("there are three, with the lowest priority", || field_of("hash", 19) == [19; 3]);
    wait_until("they lose their core to everybody", || field_of("hash", 41) == [SCHED_IDLE; 3]);
    wait_until("one more keeps a little of it", || {
        (field_of("hash-relief", 19), field_of("hash-relief", 41)) == (vec![19], vec![0])
    });
    let (log, network) = (field_of("log", 19), field_of("lastword", 19));
    assert!(log.len() == 1 && log[0] < 19 && network.iter().any(|&nice| nice < 19), "{log:?} {network:?}");
}

/// One address wants more hashes than there is room for: somebody from another one is let in all the same.
#[test]
fn a_flood_from_one_address_keeps_nobody_else_from_logging_in() {
    let server = Server::start_at(&addresses(1)[0], &["--hashes", "1", "--hash-memory", "64"]);
    Talk::to(&server.address).create("alice");
    let line =
        |n: usize| format!("{}\n", json!({"id": n, "op": "login", "name": format!("x{n}"), "password": "wrong"}));
    let flood: Vec<Talk> = (0..600)
        .map(|n| {
            let mut talk = Talk::over(connect_from([127, 0, 0, 77], &server.address));
            talk.say(line(n).as_bytes());
            talk
        })
        .collect();
    let answered = || {
        let is_answered = |talk: &&Talk| {
            talk.stream.set_nonblocking(true).expect("told");
            talk.stream.peek(&mut [0]).is_ok()
        };
        flood.iter().filter(is_answered).count()
    };
    wait_until("there is no room for all of the flood", || answered() >= 300);
    let mut talk = Talk::over(connect_from([127, 0, 0, 78], &server.address));
    // One hash is under way, and one of the flood may come before.
    let answer = talk.ask(&json!({"op": "login", "name": "alice", "password": "secret"}));
    assert!(answer["ok"].is_object(), "{answer}");
    // Those for whom there was no room, and hardly any other: for the rest the flood waits for itself.
    assert!(answered() < 450, "{} of the flood are answered", answered());
}

/// A connection from an address of this machine's own.
fn connect_from(from: [u8; 4], to: &str) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((from, 0))).expect("an address");
        socket.connect(to.parse().expect("an address")).await.expect("connected")
    });
    let stream = stream.into_std().expect("a socket");
    stream.set_nonblocking(false).expect("told");
    stream
}

/// The same password from two keyboards, one of which types an accent as a character of its own.
#[test]
fn a_password_fits_however_its_characters_are_made() {
    let server = Server::start();
    let (one, two) = ("  p\u{e9}ch\u{e9} a ", "  pe\u{301}che\u{301}\u{a0}a\u{3000}");
    let mut ann = Talk::to(&server.address);
    let create =
        |password: &str| json!({"op": "create", "name": "ann", "password": password, "key": crate::process::key()});
    let refused = |talk: &mut Talk, password: &str| talk.ask(&create(password))["error"]["code"].clone();
    assert_eq!(refused(&mut ann, "a\tb tab"), "bad_password");
    assert_eq!(refused(&mut ann, "\u{a0}\u{a0}"), "bad_password", "two spaces are too short");
    assert_eq!(refused(&mut ann, &"\u{a0}".repeat(513)), "too_long");
    assert!(ann.ask(&create(two))["ok"].is_object());
    for typed in [one, two] {
        assert!(log_in(&server.address, "ann", typed)["ok"].is_object(), "{typed}");
        assert_eq!(log_in(&server.address, "ann", typed.trim())["error"]["code"], "wrong_login", "the ends count");
    }
    let change = json!({"op": "password", "old": one, "new": "nai\u{308}ve", "key": crate::process::key()});
    assert!(ann.ask(&change)["ok"].is_object());
    assert!(log_in(&server.address, "ann", "na\u{ef}ve")["ok"].is_object());
}
