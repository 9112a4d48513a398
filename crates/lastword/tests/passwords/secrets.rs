//! No password, no token and no text of a message stands in a log or an error, and on disk are hashes alone.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{Server, Talk, addresses, key, wait_until};

const PASSWORD: &str = "Zwiebelkuchen \"77\"";
const NEW_PASSWORD: &str = "Apfelstrudel-88";
const WRONG_PASSWORD: &str = "Sauerkraut-99";
const SHORT_PASSWORD: &str = "§7";
const NUMBER_PASSWORD: &str = "8675309412";
const TEXT: &str = "Geheimrezept mit Muskat";
const BAD_TOKEN: &str = "Quarkbrot-as-a-token";
const WRONG_TOKEN: &str = "c0ffee00c0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77";

/// What a secret looks like in a log: as it is, escaped, in hexadecimal digits, and as a list of bytes.
fn shapes(secret: &str) -> Vec<Vec<u8>> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{:?}", &secret.as_bytes()[..secret.len().min(8)]);
    let shapes = [secret, secret.escape_debug().to_string().as_str(), &hex, list.trim_matches(['[', ']'])]
        .map(|shape| shape.as_bytes().to_vec());
    shapes.to_vec()
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    shapes(secret).iter().any(|shape| bytes.windows(shape.len()).any(|window| window == shape))
}

/// Every file below a folder.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path());
    let read = |path: std::path::PathBuf| (path.display().to_string(), std::fs::read(&path).expect("read"));
    entries.map(read).collect()
}

/// Asks, and keeps the answer if it is an error.
struct Asker {
    errors: Vec<String>,
}

impl Asker {
    /// Says which code the error has, or that there was none.
    fn ask(&mut self, talk: &mut Talk, request: &Value) -> String {
        let answer = talk.ask(request);
        let Some(code) = answer["error"]["code"].as_str() else { return "ok".to_owned() };
        self.errors.push(answer.to_string());
        code.to_owned()
    }

    /// The same for a line that is not right, on a connection of its own.
    fn say(&mut self, address: &str, line: &str) {
        let mut talk = Talk::to(address);
        talk.say(format!("{line}\n").as_bytes());
        let answer = talk.next().expect("answered");
        assert!(answer["error"].is_object(), "{answer}");
        self.errors.push(answer.to_string());
    }
}

fn login(name: &str, password: &str) -> Value {
    json!({"op": "login", "name": name, "password": password})
}

/// All that can be done with secrets, right and wrong. Hands back the tokens.
fn use_secrets(asker: &mut Asker, here: &str, there: &str) -> Vec<String> {
    let (mut alice, mut bob) = (Talk::to(here), Talk::to(there));
    let create =
        |name: &str, password: &str, key: &str| json!({"op": "create", "name": name, "password": password, "key": key});
    let key_of_alice = key();
    let made = alice.ask(&create("alice", PASSWORD, &key_of_alice));
    let mut tokens = vec![made["ok"]["token"].as_str().expect("a token").to_owned()];
    let made = bob.ask(&create("bob", WRONG_PASSWORD, &key()));
    tokens.push(made["ok"]["token"].as_str().expect("a token").to_owned());

    let mut talk = Talk::to(here);
    assert_eq!(asker.ask(&mut talk, &create("alice", PASSWORD, &key())), "name_taken");
    assert_eq!(asker.ask(&mut talk, &create("alice", WRONG_PASSWORD, &key_of_alice)), "name_taken");
    assert_eq!(asker.ask(&mut talk, &create("al ice", PASSWORD, &key())), "bad_name");
    assert_eq!(asker.ask(&mut talk, &create("carol", SHORT_PASSWORD, &key())), "bad_password");
    assert_eq!(asker.ask(&mut talk, &create("carol", &PASSWORD.repeat(80), &key())), "too_long");
    for (name, password) in [("alice", WRONG_PASSWORD), ("nobody", PASSWORD), (PASSWORD, PASSWORD)] {
        assert_eq!(asker.ask(&mut talk, &login(name, password)), "wrong_login");
    }
    assert_eq!(asker.ask(&mut talk, &login("alice", &PASSWORD.repeat(80))), "too_long");
    let come = talk.ask(&login("alice", PASSWORD));
    tokens.push(come["ok"]["token"].as_str().expect("a token").to_owned());
    assert_eq!(asker.ask(&mut talk, &login("bob", WRONG_PASSWORD)), "already_logged_in");

    let resume = |token: &str| json!({"op": "resume", "token": token, "seen": BAD_TOKEN});
    let mut talk = Talk::to(there);
    for token in [BAD_TOKEN, WRONG_TOKEN, ""] {
        assert_eq!(asker.ask(&mut talk, &resume(token)), "wrong_login");
    }
    assert_eq!(asker.ask(&mut talk, &resume(&tokens[0])), "ok");
    assert_eq!(asker.ask(&mut talk, &resume(&tokens[1])), "already_logged_in");

    let send = |to: &str| json!({"op": "send", "to": to, "text": TEXT, "key": key()});
    bob.ask(&json!({"op": "listen"}));
    assert_eq!(asker.ask(&mut alice, &send("bob")), "ok");
    assert_eq!(bob.event("message")["text"], TEXT);
    assert_eq!(asker.ask(&mut alice, &send("nobody")), "no_such_user");
    assert_eq!(asker.ask(&mut Talk::to(here), &send("bob")), "not_logged_in");
    let long = json!({"op": "send", "to": "bob", "text": TEXT.repeat(1000), "key": key()});
    assert_eq!(asker.ask(&mut alice, &long), "too_long");

    let change = |old: &str, new: &str| json!({"op": "password", "old": old, "new": new, "key": key()});
    assert_eq!(asker.ask(&mut alice, &change(WRONG_PASSWORD, NEW_PASSWORD)), "bad_password");
    assert_eq!(asker.ask(&mut alice, &change(PASSWORD, SHORT_PASSWORD)), "bad_password");
    assert_eq!(asker.ask(&mut alice, &change(PASSWORD, &NEW_PASSWORD.repeat(80))), "too_long");
    assert_eq!(asker.ask(&mut Talk::to(here), &change(PASSWORD, NEW_PASSWORD)), "not_logged_in");
    assert_eq!(asker.ask(&mut alice, &change(PASSWORD, NEW_PASSWORD)), "ok");
    assert_eq!(asker.ask(&mut Talk::to(there), &resume(&tokens[2])), "wrong_login");

    // Lines that are no requests.
    let token = &tokens[0];
    for line in [
        format!(r#"{{"id":1,"op":"login","name":"alice","password":{NUMBER_PASSWORD}}}"#),
        format!(r#"{{"id":1,"op":"login","name":"alice","password":["{NEW_PASSWORD}"]}}"#),
        format!(r#"{{"id":1,"op":"login","name":"alice","password":{{"{NEW_PASSWORD}":1}}}}"#),
        format!(r#"{{"id":1,"op":"login","name":"alice","password":"{NEW_PASSWORD}","password":"{WRONG_PASSWORD}"}}"#),
        format!(r#"{{"id":1,"op":"login","password":"{NEW_PASSWORD}"}}"#),
        format!(r#"{{"op":"login","name":"alice","password":"{NEW_PASSWORD}"}}"#),
        format!(r#"{{"id":1,"op":"create","name":"dora","password":"{NEW_PASSWORD}","key":"no key"}}"#),
        format!(r#"{{"id":1,"op":"password","old":{NUMBER_PASSWORD},"new":"{NEW_PASSWORD}","key":"{}"}}"#, key()),
        format!(r#"{{"id":1,"op":"resume","token":["{token}"]}}"#),
        format!(r#"{{"id":1,"op":"resume","token":"{token}","seen":{{}}}}"#),
        format!(r#"{{"id":1,"op":"send","to":"bob","text":["{TEXT}"],"key":"{}"}}"#, key()),
        format!(r#"{{"id":1,"op":"send","to":"bob","text":"{TEXT}"}}"#),
        format!(r#"{{"id":1,"op":"login","name":"alice","password":"{NEW_PASSWORD}"#),
        format!(r#"{{"id":1,"op":"resume","token":"{token}"]"#),
        format!(r#"LOGIN alice {NEW_PASSWORD}"#),
    ] {
        asker.say(here, &line);
    }
    let come = Talk::to(there).ask(&login("alice", NEW_PASSWORD));
    tokens.push(come["ok"]["token"].as_str().expect("a token").to_owned());
    assert_eq!(asker.ask(&mut alice, &json!({"op": "logout", "key": key()})), "ok");
    assert_eq!(asker.ask(&mut bob, &json!({"op": "delete", "key": key()})), "ok");
    tokens
}

#[test]
fn nothing_secret_is_logged_told_in_an_error_or_stored() {
    let addresses = addresses(2);
    let group = addresses.join(",");
    let mut servers: Vec<Server> =
        addresses.iter().map(|address| Server::prepare(address, &["--group", &group, "--hash-memory", "8"])).collect();
    for server in &mut servers {
        server.level = "trace";
        server.again();
    }
    wait_until("both are in sync", || servers.iter().all(|server| server.log().contains("is in sync")));
    Talk::to(&addresses[0]).say(b"LASTWORD-PEER/1\n\0\x05hello");
    wait_until("it tells more than usual", || servers[0].log().contains("DEBUG"));
    let mut asker = Asker { errors: Vec::new() };
    let tokens = use_secrets(&mut asker, &addresses[0], &addresses[1]);
    // Once more from what is stored, with other parameters: a login hashes anew.
    for server in &mut servers {
        server.stop(Signal::TERM);
        server.arguments.truncate(2);
        server.again();
    }
    assert_eq!(asker.ask(&mut Talk::to(&addresses[0]), &login("alice", NEW_PASSWORD)), "ok");
    for server in &mut servers {
        server.stop(Signal::TERM);
    }

    let passwords = [PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, NUMBER_PASSWORD, BAD_TOKEN, WRONG_TOKEN];
    let secrets: Vec<&str> = passwords.into_iter().chain(tokens.iter().map(String::as_str)).collect();
    assert!(asker.errors.len() > 30, "{} errors", asker.errors.len());
    for secret in secrets.iter().copied().chain([SHORT_PASSWORD, TEXT]) {
        for error in &asker.errors {
            assert!(!holds(error.as_bytes(), secret), "{secret} in {error}");
        }
        for server in &servers {
            let log = server.log();
            let told = log.lines().find(|line| holds(line.as_bytes(), secret));
            assert_eq!(told, None, "{secret}");
        }
    }
    let mut texts = 0;
    for server in &servers {
        for (name, bytes) in files(&server.data()) {
            for secret in &secrets {
                assert!(!holds(&bytes, secret), "{secret} in {name}");
            }
            for token in &tokens {
                let raw: Vec<u8> = (0..32).map(|n| u8::from_str_radix(&token[2 * n..2 * n + 2], 16).unwrap()).collect();
                assert!(!bytes.windows(32).any(|window| window == raw), "a token in {name}");
            }
            texts += usize::from(holds(&bytes, TEXT));
        }
    }
    assert!(texts > 0, "messages are stored as they are: what is looked for is found");
}

/// Whoever else has an account on the machine reads no messages, also where somebody made the directory before, for all
/// to enter, as systemd does.
#[test]
fn what_a_server_stores_is_for_its_owner() {
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    for made_before in [false, true] {
        let mut server = Server::prepare(&addresses(1)[0], &[]);
        if made_before {
            std::fs::create_dir(server.data()).expect("made");
            std::fs::set_permissions(server.data(), Permissions::from_mode(0o755)).expect("open to all");
        }
        server.again();
        Talk::to(&server.address).create("alice");
        let names: Vec<String> = files(&server.data()).into_iter().map(|(name, _)| name).collect();
        for file in ["log.db", "log.db-wal", "log.db-shm", "views.db"] {
            assert!(names.iter().any(|name| name.ends_with(file)), "no {file} in {names:?}");
        }
        for name in &names {
            assert_eq!(mode(Path::new(name)) & 0o077, 0, "{name}");
        }
        assert_eq!(mode(&server.data()), if made_before { 0o755 } else { 0o700 });
    }
}
