//! The original's two files, in and out again.

mod harness;

use std::path::Path;
use std::process::{Command, Output};

use harness::Group;

const USERS: &str = r#"{"user1":{"password":"pwd1"},"user2":{"password":"p"}}"#;
const PENDING: &str = r#"[
  {"sender":"user1","receiver":"user2","timestamp":1600000000.25,"message":"one"},
  {"sender":"user1","receiver":"user2","timestamp":null,"message":"two"},
  {"sender":"user1","receiver":"user2","timestamp":null,"message":"two"},
  {"sender":"user2","receiver":"user1","timestamp":1600000001,"message":"back"}]"#;

fn lastword(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lastword")).args(arguments).output().expect("it runs")
}

fn import(data: &Path, users: &Path, pending: &Path) -> Output {
    let [data, users, pending] = [data, users, pending].map(|path| path.to_str().expect("UTF-8"));
    lastword(&["import", data, "--userinfo", users, "--pending", pending])
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_the_original_had_is_there_on_every_replica() {
    let mut group = Group::prepare(3);
    let files = tempfile::tempdir().unwrap();
    let (users, pending) = (files.path().join("userinfo.json"), files.path().join("pending.json"));
    std::fs::write(&users, USERS).unwrap();
    std::fs::write(&pending, PENDING).unwrap();
    // Into two replicas: they are the same accounts.
    for replica in [0, 1] {
        let output = import(&group.data(replica), &users, &pending);
        assert!(output.status.success(), "{}", said(&output));
    }
    let again = import(&group.data(0), &users, &pending);
    assert!(!again.status.success() && said(&again).contains("\"user1\" already exists"), "{}", said(&again));
    for replica in 0..3 {
        group.spawn(replica);
    }
    group.wait_in_sync().await;
    let running = import(&group.data(0), &users, &pending);
    assert!(said(&running).contains("in use by another process"), "{}", said(&running));

    let (lines, well) = group.chat(&[2], "login user2 p\nlist\nlist_pending\n");
    assert!(well);
    assert_eq!(
        lines,
        [
            "Successfully logged in!",
            "You have 3 recent messages.",
            "user1: one",
            "user1: two",
            "user1: two",
            "2 matches: ['user1', 'user2']",
            "1 pending message:",
            "To user1: back",
        ]
    );

    // Out again, and into a fresh directory: the passwords still fit.
    assert!(group.stop(2, rustix::process::Signal::TERM).success());
    let (users_out, pending_out) = (files.path().join("users-out.json"), files.path().join("pending-out.json"));
    let data = group.data(2);
    let arguments = |command| {
        [
            command,
            data.to_str().unwrap(),
            "--userinfo",
            users_out.to_str().unwrap(),
            "--pending",
            pending_out.to_str().unwrap(),
        ]
        .map(str::to_owned)
    };
    let export = arguments("export");
    let export: Vec<&str> = export.iter().map(String::as_str).collect();
    let output = lastword(&export);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!lastword(&export).status.success(), "an existing file is not overwritten");
    let users: serde_json::Value = serde_json::from_slice(&std::fs::read(&users_out).unwrap()).unwrap();
    assert!(users["user1"]["password"].as_str().unwrap().starts_with("$argon2id$"));
    let pending: serde_json::Value = serde_json::from_slice(&std::fs::read(&pending_out).unwrap()).unwrap();
    assert_eq!(
        pending,
        serde_json::json!([{"sender":"user2","receiver":"user1","timestamp":1600000001.0,"message":"back"}])
    );
    let mut fresh = Group::prepare(1);
    let output = import(&fresh.data(0), &users_out, &pending_out);
    assert!(output.status.success(), "{}", said(&output));
    fresh.spawn(0);
    fresh.wait_in_sync().await;
    let (lines, well) = fresh.chat(&[0], "login user1 pwd1\n");
    assert!(well);
    assert_eq!(lines, ["Successfully logged in!", "You have 1 recent messages.", "user2: back"]);
}

/// A file that isn't right: the entry is named, and nothing is imported.
#[test]
fn files_that_are_not_right() {
    let dir = tempfile::tempdir().unwrap();
    let (users, pending, data) = (dir.path().join("u.json"), dir.path().join("p.json"), dir.path().join("data"));
    let message = |fields: &str| {
        format!("[{{\"sender\":\"user1\",\"receiver\":\"user2\",\"timestamp\":1,\"message\":\"x\"}},{{{fields}}}]")
    };
    // It fits as it is, and not into a line that hands it over.
    let long = "\\u0001".repeat(16 * 1024);
    let cases = [
        ("{", "[]".to_owned(), "u.json"),
        ("[]", "[]".to_owned(), "u.json"),
        (r#"{"user1":{}}"#, "[]".to_owned(), "password"),
        (r#"{"user 1":{"password":"pwd1"}}"#, "[]".to_owned(), "\"user 1\""),
        (r#"{"user":{"password":"a"},"USER":{"password":"b"}}"#, "[]".to_owned(), "\"user\""),
        (r#"{"user1":{"password":"$argon2id$pwd1"}}"#, "[]".to_owned(), "\"user1\""),
        (USERS, "{}".to_owned(), "p.json"),
        (USERS, message(r#""sender":"user1","receiver":"user9","timestamp":1,"message":"x""#), "entry 2"),
        (USERS, message(r#""sender":"user9","receiver":"user1","timestamp":1,"message":"x""#), "\"user9\""),
        (USERS, message(r#""sender":"user1","receiver":"user2","timestamp":-5,"message":"x""#), "entry 2"),
        (USERS, message(r#""sender":"user1","receiver":"user2","timestamp":"x","message":"x""#), "p.json"),
        (USERS, message(r#""sender":"user1","receiver":"user2","timestamp":1,"message":"""#), "entry 2"),
        (USERS, message(&format!(r#""sender":"user1","receiver":"user2","message":"{long}""#)), "as JSON"),
    ];
    for (users_text, pending_text, expected) in cases {
        std::fs::write(&users, users_text).unwrap();
        std::fs::write(&pending, &pending_text).unwrap();
        let output = import(&data, &users, &pending);
        let said = said(&output);
        assert!(!output.status.success() && said.contains(expected), "{users_text} {pending_text}: {said}");
        assert!(said.contains("nothing was imported"), "{said}");
    }
    std::fs::write(&users, USERS).unwrap();
    std::fs::write(&pending, "[]").unwrap();
    assert!(import(&data, &users, &pending).status.success(), "nothing of what failed was left");
}

#[test]
fn a_key_is_never_written_over_another() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("my.key");
    let file = file.to_str().unwrap();
    assert!(lastword(&["key", file]).status.success());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = lastword(&["key", file]);
    assert!(!again.status.success() && said(&again).contains("never overwritten"), "{}", said(&again));
}

/// What is there already, or is no file of the original at all; and what was there is still there.
#[test]
fn what_is_in_the_way_of_an_import() {
    let dir = tempfile::tempdir().unwrap();
    let (users, pending, data) = (dir.path().join("u.json"), dir.path().join("p.json"), dir.path().join("data"));
    std::fs::write(&users, USERS).unwrap();
    std::fs::write(&pending, PENDING).unwrap();
    assert!(import(&data, &users, &pending).status.success());
    let long = "x".repeat(16 * 1024 + 1);
    let one = |fields: &str| format!("[{{{fields}}}]");
    let cases = [
        (r#"{"USER1":{"password":"x"}}"#.to_owned(), "[]".to_owned(), "\"USER1\" already exists"),
        (format!("{{\"{}\":{{\"password\":\"x\"}}}}", "x".repeat(33)), "[]".to_owned(), "1 to 32 characters"),
        (format!("{{\"new\":{{\"password\":\"{}\"}}}}", "x".repeat(1025)), "[]".to_owned(), "1,024 bytes"),
        (r#"{"new":{"password":5}}"#.to_owned(), "[]".to_owned(), "u.json"),
        (r#"{"new":{"password":"a"}} x"#.to_owned(), "[]".to_owned(), "u.json"),
        (String::new(), "[]".to_owned(), "u.json"),
        (
            r#"{"new":{"password":"a"}}"#.to_owned(),
            one(&format!(r#""sender":"new","receiver":"new","timestamp":1,"message":"{long}""#)),
            "entry 1",
        ),
        (
            r#"{"new":{"password":"a"}}"#.to_owned(),
            one(r#""sender":"new","receiver":"new","timestamp":1e300,"message":"x""#),
            "entry 1",
        ),
        (r#"{"new":{"password":"a"}}"#.to_owned(), one(r#""sender":"new","receiver":"new","timestamp":1"#), "message"),
        (r#"{"new":{"password":"a"}}"#.to_owned(), "\u{feff}[]".to_owned(), "p.json"),
    ];
    for (users_text, pending_text, expected) in cases {
        std::fs::write(&users, &users_text).unwrap();
        std::fs::write(&pending, &pending_text).unwrap();
        let output = import(&data, &users, &pending);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{users_text:.60} {pending_text:.60}: {said}");
        assert!(said.contains(expected) && said.contains("nothing was imported"), "{expected}: {said}");
    }
    // A file that is no UTF-8, and one that is not there.
    std::fs::write(&users, b"{\"new\xff\":{\"password\":\"a\"}}").unwrap();
    for file in [users.clone(), dir.path().join("none.json")] {
        let output = import(&data, &file, &pending);
        assert!(!output.status.success() && said(&output).contains(file.to_str().unwrap()), "{}", said(&output));
    }
    let out = dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let files = [out.join("u.json"), out.join("p.json")].map(|file| file.to_str().unwrap().to_owned());
    let export = ["export", data.to_str().unwrap(), "--userinfo", &files[0], "--pending", &files[1]];
    assert!(lastword(&export).status.success());
    let read = |file: &str| serde_json::from_slice::<serde_json::Value>(&std::fs::read(file).unwrap()).unwrap();
    let names: Vec<String> = read(&files[0]).as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["user1", "user2"]);
    assert_eq!(read(&files[1]).as_array().unwrap().len(), 4);
    // Hashes open accounts: nobody else is to read them.
    for file in &files {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{file}: {mode:o}");
    }
    // Where one of the two is in the way, neither is written.
    std::fs::remove_file(&files[0]).unwrap();
    let output = lastword(&export);
    assert!(!output.status.success() && said(&output).contains(&files[1]), "{}", said(&output));
    assert!(!Path::new(&files[0]).exists(), "half of an export");
    // Nothing is exported from what is no data directory, and none is made of it.
    let nowhere = dir.path().join("nowhere");
    let output = lastword(&["export", nowhere.to_str().unwrap()]);
    assert!(!output.status.success() && said(&output).contains("not a server's data directory"), "{}", said(&output));
    assert!(!nowhere.exists());
}

/// After a split in which both sides gave out a name, the second owner is called `bob~2a90`.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_exported_after_a_split_of_names_can_be_imported() {
    let mut group = Group::prepare(1);
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name);
    std::fs::write(path("u"), r#"{"bob":{"password":"pwd1"},"bob~2a90":{"password":"pwd2"}}"#).unwrap();
    std::fs::write(path("p"), r#"[{"sender":"bob","receiver":"bob~2a90","timestamp":5.5,"message":"hi"}]"#).unwrap();
    let output = import(&group.data(0), &path("u"), &path("p"));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("bob~2a90 is called bob-2a90 from now on"), "{}", said(&output));
    let export = |data: &Path, users: &Path, pending: &Path| {
        let [data, users, pending] = [data, users, pending].map(|path| path.to_str().expect("UTF-8"));
        let output = lastword(&["export", data, "--userinfo", users, "--pending", pending]);
        assert!(output.status.success(), "{}", said(&output));
    };
    export(&group.data(0), &path("u1"), &path("p1"));
    let again = import(&path("again"), &path("u1"), &path("p1"));
    assert!(again.status.success() && !said(&again).contains("is called"), "{}", said(&again));
    export(&path("again"), &path("u2"), &path("p2"));
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    assert_eq!((read("u1"), read("p1")), (read("u2"), read("p2")), "round and round");
    group.spawn(0);
    group.wait_in_sync().await;
    let (lines, well) = group.chat(&[0], "login bob-2a90 pwd2\n");
    assert!(well);
    assert_eq!(lines, ["Successfully logged in!", "You have 1 recent messages.", "bob: hi"]);
}
