//! What keeps a server from starting: it says why, and what to do, and its exit code is 1.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::json;

use crate::process::{Server, Talk, addresses, key, lastword, wait_until};

/// Runs a server that must end by itself. Its exit code, and what it said.
fn server(arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lastword"))
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .arg("server")
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut patience = 500;
    while child.try_wait().expect("waited").is_none() {
        patience -= 1;
        if patience == 0 {
            child.kill().expect("killed");
            panic!("the server should not have started: {arguments:?}");
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("ended");
    assert!(output.stdout.is_empty(), "logs and errors go to standard error");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn assert_refuses(arguments: &[&str], words: &[&str]) {
    let (code, said) = server(arguments);
    assert_eq!(code, Some(1), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?}: no {word:?} in {said}");
    }
    assert!(!said.contains("panicked") && said.lines().count() <= 3, "{arguments:?}: {said}");
}

#[test]
fn addresses_groups_and_keys() {
    let running = Server::start();
    let (host, port) = running.address.split_once(':').unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (fresh, bad_key, short_key) = (path("fresh"), path("bad.key"), path("short.key"));
    std::fs::write(&bad_key, b"\xff\xfe").unwrap();
    std::fs::write(&short_key, "# a comment\nabcdef\n").unwrap();
    let crowd = (1..=27).map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",");
    let one = ["127.0.0.1", "1", "--data", &fresh];
    let with = |more: &[&'static str]| one.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
    assert_refuses(&[host, port, "--data", &fresh], &["can't listen on", &running.address, "another port"]);
    assert_refuses(
        &["no.such.host.invalid", "1", "--insecure", "--data", &fresh],
        &["can't listen on no.such.host.invalid", "can't be resolved"],
    );
    assert_refuses(
        &["192.0.2.1", "1", "--insecure", "--data", &fresh],
        &["can't listen on 192.0.2.1:1", "does not have this address"],
    );
    assert_refuses(&["127.0.0.1:65433", "1", "--data", &fresh], &["HOST and PORT as two words"]);
    assert_refuses(&with(&["--group", "127.0.0.1:2,127.0.0.1:3"]), &["doesn't contain this server, 127.0.0.1:1"]);
    assert_refuses(&with(&["--group", "127.0.0.1:1,127.0.0.1:1"]), &["127.0.0.1:1", "twice"]);
    assert_refuses(&with(&["--group", "127.0.0.1:1,192.0.2.1:1"]), &["192.0.2.1:1", "lastword key", "--key"]);
    assert_refuses(&with(&["--group", "127.0.0.1:1,host:1"]), &["host:1", "lastword key"]);
    assert_refuses(&["127.0.0.1", "1", "--data", &fresh, "--group", &crowd], &["26"]);
    assert_refuses(&["127.0.0.1", "1", "--data", &fresh, "--key", &bad_key], &[&bad_key, "lastword key"]);
    assert_refuses(&["127.0.0.1", "1", "--data", &fresh, "--key", &short_key], &[&short_key, "64 hex digits"]);
    assert_refuses(&["127.0.0.1", "1", "--data", &fresh, "--key", &path("none")], &["No such file", "lastword key"]);
    for (arguments, word) in [
        (with(&["--group", "127.0.0.1"]), "HOST:PORT"),
        (with(&["--group", ""]), "HOST:PORT"),
        (with(&["--connections", "0"]), "--connections"),
        (vec!["127.0.0.1", "70000"], "PORT"),
    ] {
        let (code, said) = server(&arguments);
        assert!(code == Some(2) && said.contains(word), "{arguments:?}: {said}");
    }
    running.assert_serves();
}

#[test]
fn data_directories() {
    let running = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let refuses = |data: &str, words: &[&str]| {
        assert_refuses(&["127.0.0.1", "0", "--data", data], words);
        // Neither do the commands that work on a stopped server's data.
        let file = path("users.json");
        std::fs::write(&file, "{}").unwrap();
        let imported = lastword(&["import", data, "--userinfo", &file]);
        assert!(!imported.status.success(), "{data}");
        assert!(!String::from_utf8_lossy(&imported.stderr).contains("panicked"), "{data}");
    };
    // In use.
    let used = running.data().to_str().unwrap().to_owned();
    refuses(&used, &["in use by another process", &used, "--data"]);

    // Not a directory, or one where nothing can be written.
    std::fs::write(path("file"), "x").unwrap();
    refuses(&path("file"), &[&path("file"), "check that it is a directory"]);
    refuses(&(path("file") + "/deeper"), &["check that it is a directory"]);
    refuses("/proc/lastword", &["/proc/lastword", "may be written by this user"]);
    std::fs::create_dir_all(path("locked") + "/lock").unwrap();
    refuses(&path("locked"), &[&path("locked")]);

    // A log that is none: garbage, cut off, of another make, of a newer version.
    let good = good_log(dir.path());
    let with_log = |name: &str, bytes: &[u8]| {
        std::fs::create_dir(path(name)).unwrap();
        std::fs::write(path(name) + "/log.db", bytes).unwrap();
        path(name)
    };
    let damaged = ["log.db", "is damaged", "refills from the others", "backup"];
    refuses(&with_log("garbage", &b"this is no database, ".repeat(1000)), &damaged);
    refuses(&with_log("cut", &good[..good.len() / 2]), &damaged);
    refuses(&with_log("head", &[&good[..100], &vec![0xa5; good.len() - 100][..]].concat()), &damaged);
    for (name, change, words) in [
        ("newer", "UPDATE meta SET value = 99 WHERE name = 'format'", &["format 99", "newer lastword"][..]),
        ("no format", "DELETE FROM meta", &damaged),
        ("odd format", "UPDATE meta SET value = 'x'", &damaged),
        ("no log", "DROP TABLE log", &damaged),
        ("another log", "DROP TABLE log; CREATE TABLE log (x)", &damaged),
    ] {
        let data = with_log(name, &good);
        let connection = rusqlite::Connection::open(data.clone() + "/log.db").unwrap();
        connection.execute_batch(change).unwrap();
        drop(connection);
        refuses(&data, words);
    }
    let folder = path("folder");
    std::fs::create_dir_all(folder.clone() + "/log.db").unwrap();
    refuses(&folder, &["log.db"]);
    running.assert_serves();
}

/// The log of a server that had something to keep.
fn good_log(dir: &Path) -> Vec<u8> {
    let file = dir.join("users.json");
    std::fs::write(&file, r#"{"alice":{"password":"secret"},"bob":{"password":"secret"}}"#).unwrap();
    let data = dir.join("good");
    let [data_text, file] = [&data, &file].map(|path| path.to_str().unwrap());
    assert!(lastword(&["import", data_text, "--userinfo", file]).status.success());
    let connection = rusqlite::Connection::open(data.join("log.db")).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    std::fs::read(data.join("log.db")).unwrap()
}

/// `views.db` is only a view: garbage in its place, or none, loses nothing.
#[test]
fn views_that_are_garbage_are_made_anew() {
    let mut server = Server::start_at(&addresses(1)[0], &[]);
    let mut alice = Talk::to(&server.address);
    let token = alice.create("alice")["token"].clone();
    assert_eq!(alice.ask(&json!({"op": "send", "to": "alice", "text": "hi", "key": key()}))["ok"]["stored"], 1);
    for garbage in [Some("garbage, ".repeat(5000)), Some(String::new()), None] {
        assert!(server.stop(Signal::TERM).success());
        for file in ["views.db", "views.db-wal", "views.db-shm"] {
            let file = server.data().join(file);
            match &garbage {
                Some(garbage) => std::fs::write(&file, garbage).unwrap(),
                None => drop(std::fs::remove_file(&file)),
            }
        }
        server.again();
        let mut alice = Talk::to(&server.address);
        assert_eq!(alice.ask(&json!({"op": "resume", "token": token}))["ok"]["pending"], 1);
        let history = alice.ask(&json!({"op": "history", "with": "alice"}));
        assert_eq!(history["ok"]["messages"][0]["text"], "hi", "{history}");
    }
    wait_until("it says so", || server.log().contains("rebuilding views.db from"));
}

/// What is damaged in the views shows at the start, or only when somebody asks for it: they are made anew, by
/// themselves.
#[test]
fn damaged_views_are_made_anew() {
    let mut scene = Scene::set();
    assert!(scene.server.stop(Signal::TERM).success());
    scene.damage("views.db", "UPDATE history SET entries = 5");
    scene.server.again();
    scene.ask_for_history_and_wait();
    assert_eq!(scene.history(), 3);
}

/// Messages are read from the log: where one can't be read any more the views are made anew, without it.
#[test]
fn a_damaged_message_is_left_out_and_the_rest_is_served() {
    for while_running in [false, true] {
        let mut scene = Scene::set();
        if !while_running {
            assert!(scene.server.stop(Signal::TERM).success());
        }
        scene.damage("log.db", "UPDATE log SET fact = zeroblob(9) WHERE place = (SELECT max(place) - 1 FROM log)");
        if !while_running {
            scene.server.again();
        }
        scene.ask_for_history_and_wait();
        assert_eq!(scene.history(), 2, "{}", scene.server.log());
        assert!(scene.server.log().contains("damaged"), "{}", scene.server.log());
    }
}

/// A server on its own, with Alice and three messages to herself.
struct Scene {
    server: Server,
}

impl Scene {
    fn set() -> Self {
        let server = Server::start();
        let mut alice = Talk::to(&server.address);
        alice.create("alice");
        for n in 0..3 {
            let sent = alice.ask(&json!({"op": "send", "to": "alice", "text": format!("text {n}"), "key": key()}));
            assert_eq!(sent["ok"]["stored"], 1, "{sent}");
        }
        Self { server }
    }

    fn damage(&self, file: &str, sql: &str) {
        let file = rusqlite::Connection::open(self.server.data().join(file)).expect("a database");
        assert_eq!(file.execute(sql, []).expect("damaged"), 1);
    }

    fn log_in(&self) -> Talk {
        let mut alice = Talk::to(&self.server.address);
        let answer = alice.ask(&json!({"op": "login", "name": "alice", "password": "secret"}));
        assert_eq!(answer["ok"]["name"], "alice", "{answer}");
        alice
    }

    /// What is asked meets the damage, if the start has not met it.
    fn ask_for_history_and_wait(&self) {
        self.log_in().say(format!("{}\n", json!({"id": 9, "op": "history", "with": "alice"})).as_bytes());
        wait_until("it serves with views made anew", || {
            self.server.log().split_once("rebuilding views.db from").is_some_and(|(_, then)| then.contains(": ready "))
        });
        self.server.assert_serves();
    }

    /// How many messages are in the history. Nothing has panicked.
    fn history(&self) -> usize {
        let page = self.log_in().ask(&json!({"op": "history", "with": "alice"}));
        assert!(!self.server.log().contains("panicked"), "{}", self.server.log());
        page["ok"]["messages"].as_array().map_or(0, Vec::len)
    }
}

/// A page of the file that SQLite can't read: no record can be asked for, and it is said what to do.
#[test]
fn a_log_that_can_not_be_read_asks_for_an_empty_directory() {
    let mut server = Server::start();
    let mut ann = Talk::to(&server.address);
    ann.create("ann");
    let text = "x".repeat(2000);
    for _ in 0..200 {
        let sent = ann.ask(&json!({"op": "send", "to": "ann", "text": text, "key": key()}));
        assert_eq!(sent["ok"]["stored"], 1, "{sent}");
    }
    assert!(server.stop(Signal::TERM).success());
    std::fs::remove_file(server.data().join("views.db")).unwrap();
    let log = server.data().join("log.db");
    // All is in the one file.
    rusqlite::Connection::open(&log).unwrap().pragma_update(None, "journal_mode", "DELETE").unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    let page = bytes.len() / 8192 / 2 * 8192;
    bytes[page..page + 8192].fill(0xff);
    std::fs::write(&log, bytes).unwrap();
    server.launch();
    assert!(!server.ended().success());
    let said = server.log();
    assert!(said.contains("log.db is damaged") && said.contains("ove the directory away"), "{said}");
    std::fs::remove_dir_all(server.data()).unwrap();
    server.again();
    server.assert_serves();
}
