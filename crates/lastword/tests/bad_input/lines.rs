//! Lines that are JSON, and wrong: each is answered, and the connection goes on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Server, Talk, key, wait_until};

#[test]
fn a_connection_goes_on_after_every_wrong_request() {
    let server = Server::start();
    let mut talk = Talk::to(&server.address);
    let deep = format!(r#"{{"id":7,"op":"send","text":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    let deep_id = format!(r#"{{"id":{}{},"op":"ping"}}"#, "[".repeat(20_000), "]".repeat(20_000));
    let long_id = format!(r#"{{"id":"{}","op":"ping"}}"#, "x".repeat(65));
    let long_op = format!(r#"{{"id":7,"op":"{}"}}"#, "x".repeat(60_000));
    let nothing = Value::Null;
    let seven = json!(7);
    // The line, the id in the answer, and what its text must speak of.
    let cases: Vec<(&str, &Value, &str)> = vec![
        ("{}", &nothing, "`op`"),
        (r#"{"id":7}"#, &seven, "`op`"),
        (r#"{"id":7,"op":5}"#, &seven, "integer `5`"),
        (r#"{"id":7,"op":null}"#, &seven, "null"),
        (r#"{"id":7,"op":""}"#, &seven, "`op`"),
        (r#"{"id":7,"op":"PING"}"#, &seven, "`PING`"),
        (&long_op, &seven, "`xxx"),
        (r#"{"id":7,"op":"ping","op":"ping"}"#, &seven, "duplicate field"),
        (r#"{"id":7,"id":8,"op":"ping"}"#, &nothing, "duplicate field"),
        (r#"{"id":null,"op":"ping"}"#, &nothing, "`id`"),
        (r#"{"id":-1,"op":"ping"}"#, &nothing, "`id`"),
        (r#"{"id":1.5,"op":"ping"}"#, &nothing, "`id`"),
        (r#"{"id":1e999,"op":"ping"}"#, &nothing, "number"),
        (r#"{"id":18446744073709551616,"op":"ping"}"#, &nothing, "`id`"),
        (r#"{"id":true,"op":"ping"}"#, &nothing, "`id`"),
        (r#"{"id":{},"op":"ping"}"#, &nothing, "`id`"),
        (&deep_id, &nothing, "`id`"),
        (&long_id, &nothing, "64 bytes"),
        (&deep, &seven, "sequence"),
        (r#"{"id":7,"op":"send","to":["b"],"text":"x","key":"z"}"#, &seven, "sequence"),
        (r#"{"id":7,"op":"send","to":"b","text":{"a":1}}"#, &seven, "map"),
        (r#"{"id":7,"op":"send","to":"b","text":"\ud800"}"#, &seven, "hex escape"),
        (r#"{"id":7,"op":"send","to":"b","text":"x"}"#, &seven, "`key`"),
        (r#"{"id":7,"op":"send","to":"b","text":"x","key":"not-a-uuid"}"#, &seven, "UUID"),
        (r#"{"id":7,"op":"send","text":"x","key":"0198f1a2-7c3e-7f00-8000-000000000001"}"#, &seven, "`to`"),
        (r#"{"id":7,"op":"history","with":"b","limit":-1}"#, &seven, "-1"),
        (r#"{"id":7,"op":"history","with":"b","limit":99999999999}"#, &seven, "99999999999"),
        (r#"{"id":7,"op":"history"}"#, &seven, "`with`"),
        (r#"{"id":7,"op":"hello","version":"1"}"#, &seven, "string"),
        (r#"{"id":7,"op":"create","name":"x"}"#, &seven, "`password`"),
        (r#"{"id":7,"op":"login","password":"x"}"#, &seven, "`name`"),
        (r#"{"id":7,"op":"password","old":"x","key":"0198f1a2-7c3e-7f00-8000-000000000001"}"#, &seven, "`new`"),
        (r#"{"id":7,"op":"delivered"}"#, &seven, "`upto`"),
        (r#"{"id":7,"op":"resume"}"#, &seven, "`token`"),
    ];
    for (line, id, word) in cases {
        let shown: String = line.chars().take(80).collect();
        talk.say(format!("{line}\n").as_bytes());
        let answer = talk.line().expect("answered");
        assert!(answer.len() < 1000, "{shown}: {} bytes", answer.len());
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["id"], *id, "{shown}: {answer}");
        assert_eq!(answer["error"]["code"], "bad_request", "{shown}: {answer}");
        assert!(answer["error"]["text"].as_str().unwrap().contains(word), "{shown}: {answer}");
        assert_eq!(talk.ask(&json!({"op": "ping"})), json!({"ok": {}}), "{shown}");
    }
    // What is odd and right.
    for (line, id) in [
        (r#"{"\u0069d":7,"\u006fp":"p\u0069ng"}"#, json!(7)),
        (r#"  {"op" : "ping" , "id" : 7 , "x" : 1, "x" : 2}  "#, json!(7)),
        (r#"{"op":"ping","id":0}"#, json!(0)),
        (r#"{"op":"ping","id":18446744073709551615}"#, json!(u64::MAX)),
        (r#"{"op":"ping","id":""}"#, json!("")),
        (r#"{"op":"ping","id":"\u0000\"ä"}"#, json!("\0\"ä")),
    ] {
        talk.say(format!("\r\n{line}\r\n\n").as_bytes());
        assert_eq!(talk.next(), Some(json!({"id": id, "ok": {}})), "{line}");
    }
}

/// A line may hold 65,536 bytes: one as long as that is carried out, one byte more is too long. The
/// answer to it, whatever it quotes, keeps to the limit too.
#[test]
fn the_longest_line() {
    let server = Server::start();
    let line = |bytes: usize| {
        let frame = r#"{"id":7,"op":"ping","x":""}"#.len();
        format!(r#"{{"id":7,"op":"ping","x":"{}"}}"#, "x".repeat(bytes - frame)) + "\n"
    };
    let mut talk = Talk::to(&server.address);
    talk.say(line(65_536).as_bytes());
    assert_eq!(talk.next(), Some(json!({"id": 7, "ok": {}})));
    // What a wrong field held must not make the answer longer than a line.
    for wrong in ["\\u0001".repeat(10_000), "x".repeat(60_000), "\\\\".repeat(30_000)] {
        for field in ["limit", "key", "version"] {
            talk.say(format!(r#"{{"id":8,"op":"list","{field}":"{wrong}"}}"#).as_bytes());
            talk.say(b"\n");
            let answer = talk.line().expect("answered");
            assert!(answer.len() < 1000, "{field}: {} bytes", answer.len());
            assert!(answer.starts_with(r#"{"id":8,"error":{"code":"bad_request""#), "{answer}");
        }
    }
    // Bytes that come one by one are a line like any other.
    for byte in b"{\"id\":9,\"op\":\"ping\"}\n" {
        talk.say(&[*byte]);
    }
    assert_eq!(talk.next(), Some(json!({"id": 9, "ok": {}})));
    talk.say(line(65_537).as_bytes());
    let answer = talk.next().expect("answered");
    assert_eq!(answer["error"]["code"], "too_long");
    assert!(answer["error"]["text"].as_str().unwrap().contains("65536 bytes"), "{answer}");
    assert_eq!(talk.next(), None);
    server.assert_serves();
}

#[test]
fn tokens_and_places_that_were_made_up() {
    let server = Server::start();
    let (mut alice, mut bob) = (Talk::to(&server.address), Talk::to(&server.address));
    let token = alice.create("alice")["token"].as_str().unwrap().to_owned();
    let bobs = bob.create("bob")["token"].as_str().unwrap().to_owned();
    for text in ["one", "two"] {
        let sent = alice.ask(&json!({"op": "send", "to": "bob", "text": text, "key": key()}));
        assert_eq!(sent["ok"]["stored"], 1, "{sent}");
    }

    // Tokens.
    let turned: String = bobs.chars().rev().collect();
    let long = "a".repeat(60_000);
    for wrong in ["", "zz", &turned, &"0".repeat(64), &"ä".repeat(32), &long] {
        let mut talk = Talk::to(&server.address);
        let answer = talk.ask(&json!({"op": "resume", "token": wrong}));
        assert_eq!(answer["error"]["code"], "wrong_login", "{answer}");
        assert_eq!(talk.ask(&json!({"op": "listen"}))["error"]["code"], "not_logged_in");
    }

    // A `seen` that no replica signed says nothing: what is sent next is in its usual place.
    let history = alice.ask(&json!({"op": "history", "with": "bob"}));
    let newest = &history["ok"]["messages"][0];
    let seen = newest["seen"].as_str().unwrap().to_owned();
    let forged = seen.chars().map(|c| if c.is_ascii_hexdigit() { 'f' } else { c }).collect::<String>();
    for wrong in ["", "zz", &forged, "3fffffffffffffff.00", &long] {
        let mut talk = Talk::to(&server.address);
        let answer = talk.ask(&json!({"op": "resume", "token": token, "seen": wrong}));
        assert_eq!(answer["ok"]["name"], "alice", "{wrong:.40}: {answer}");
        let sent = talk.ask(&json!({"op": "send", "to": "alice", "text": "x", "key": key()}));
        let after = sent["ok"]["seen"].as_str().unwrap();
        // A stamp stands in front, in hex: it is an hour's microseconds ahead at the most.
        let stamp = |seen: &str| u64::from_str_radix(&seen[..seen.find(['.', '-']).unwrap_or(16).min(16)], 16);
        if let (Ok(before), Ok(after)) = (stamp(&seen), stamp(after)) {
            assert!(after.abs_diff(before) < 3_600_000_000, "{seen} {after}");
        }
    }

    // Places.
    for wrong in ["", "zz", "1.2", "-1.0.0", "1.2.3.4", "fffffffffffffffff.0.0", &long] {
        for request in [
            json!({"op": "delivered", "upto": wrong}),
            json!({"op": "history", "with": "bob", "before": wrong}),
            json!({"op": "pending", "after": wrong}),
        ] {
            let answer = alice.ask(&request);
            assert_eq!(answer["error"]["code"], "bad_request", "{request:.60}: {answer}");
        }
    }
    let after_nothing = alice.ask(&json!({"op": "pending", "after": key()}));
    assert!(after_nothing.to_string().len() < 2000, "{after_nothing}");

    // Only what a connection was sent can be confirmed on it.
    let highest = "ffffffffffffffff.ffffffffffffffff.ffffffffffffffff";
    for upto in [newest["pos"].as_str().unwrap(), highest] {
        let answer = bob.ask(&json!({"op": "delivered", "upto": upto}));
        assert!(answer["ok"].is_object() || answer["error"]["code"] == "bad_request", "{answer}");
    }
    std::thread::sleep(Duration::from_millis(300));
    let answer = Talk::to(&server.address).ask(&json!({"op": "resume", "token": bobs}));
    assert_eq!(answer["ok"]["pending"], 2, "{answer}");
    assert_eq!(bob.ask(&json!({"op": "listen"}))["ok"]["pending"], 2);
    assert_eq!(bob.event("message")["text"], "one");
    let two = bob.event("message");
    assert_eq!(two["text"], "two");
    assert_eq!(bob.ask(&json!({"op": "delivered", "upto": highest}))["error"]["code"], "bad_request");
    assert_eq!(bob.ask(&json!({"op": "delivered", "upto": two["pos"]})), json!({"ok": {}}));
    wait_until("what was sent is confirmed", || {
        Talk::to(&server.address).ask(&json!({"op": "resume", "token": bobs}))["ok"]["pending"] == 0
    });

    // Pages with places that are none.
    for (request, field) in [
        (json!({"op": "history", "with": "bob", "before": "0.0.0"}), "messages"),
        (json!({"op": "history", "with": "bob", "before": highest, "limit": 0}), "messages"),
        (json!({"op": "history", "with": "bob", "limit": u32::MAX}), "messages"),
        (json!({"op": "list", "after": "~~~\0"}), "names"),
        (json!({"op": "list", "after": long, "limit": u32::MAX}), "names"),
    ] {
        let answer = alice.ask(&request);
        assert!(answer["ok"][field].is_array(), "{request:.80}: {answer}");
    }
    server.assert_serves();
}

#[test]
fn requests_that_break_a_rule_say_which() {
    let server = Server::start();
    let mut talk = Talk::to(&server.address);
    talk.create("alice");
    let send = |to: &str, text: &str| json!({"op": "send", "to": to, "text": text, "key": key()});
    let (long, longest) = ("x".repeat(1025), "x".repeat(60_000));
    let unknown = "0".repeat(32);
    let cases = [
        (send("bob", ""), "bad_request", "at least one character"),
        (send("nobody", "x"), "no_such_user", "does not exist"),
        (send("a b", "x"), "no_such_user", "does not exist"),
        (send(&longest, "x"), "no_such_user", "does not exist"),
        (send("alice", &"x".repeat(16_385)), "too_long", "16,384 bytes"),
        (send("alice", &"ä".repeat(8_193)), "too_long", "16,384 bytes"),
        (json!({"op": "send", "to_account": "zz", "text": "x", "key": key()}), "no_such_user", "does not exist"),
        (json!({"op": "send", "to_account": unknown, "text": "x", "key": key()}), "no_such_user", "does not exist"),
        (json!({"op": "history", "with": "nobody"}), "no_such_user", "no user of that name"),
        (json!({"op": "create", "name": "bob", "password": "secret", "key": key()}), "already_logged_in", ""),
        (json!({"op": "password", "old": "secret", "new": "abc", "key": key()}), "bad_password", "at least 4"),
        (json!({"op": "password", "old": "wrong", "new": "secret2", "key": key()}), "bad_password", ""),
        (json!({"op": "password", "old": "secret", "new": long, "key": key()}), "too_long", "1,024 bytes"),
        (json!({"op": "password", "old": longest, "new": "secret2", "key": key()}), "", ""),
        (json!({"op": "list", "pattern": "("}), "bad_request", "regular expression"),
        (json!({"op": "list", "pattern": "(?P<x>a)(?P<x>b)"}), "bad_request", "regular expression"),
        (json!({"op": "list", "pattern": r"(a)\1"}), "bad_request", "regular expression"),
        (json!({"op": "list", "pattern": r"\p{Greek}"}), "bad_request", "regular expression"),
        (json!({"op": "list", "pattern": r"(?u)\w"}), "bad_request", "names are ASCII"),
        (json!({"op": "list", "pattern": "((a{999}){999}){999}"}), "bad_request", "regular expression"),
        (json!({"op": "list", "pattern": "a".repeat(257)}), "too_long", "256 bytes"),
        (json!({"op": "list", "pattern": longest}), "too_long", "256 bytes"),
    ];
    for (request, code, rule) in cases {
        let answer = talk.ask(&request);
        let error = &answer["error"];
        assert!(error.is_object() && (code.is_empty() || error["code"] == code), "{request:.80}: {answer}");
        let text = error["text"].as_str().unwrap();
        assert!(text.contains(rule) && text.len() < 500, "{request:.80}: {answer}");
    }
    let mut stranger = Talk::to(&server.address);
    for (name, password, code, rule) in [
        ("alice", "wrong", "wrong_login", ""),
        ("nobody", "wrong", "wrong_login", ""),
        ("", "", "wrong_login", ""),
        ("a b\0", "x", "wrong_login", ""),
        ("alice", longest.as_str(), "", ""),
        (longest.as_str(), "secret", "", ""),
    ] {
        let answer = stranger.ask(&json!({"op": "login", "name": name, "password": password}));
        assert!(answer["error"].is_object() && answer.to_string().len() < 500, "{answer}");
        assert!(code.is_empty() || answer["error"]["code"] == code, "{name:.20}: {answer}");
        assert!(answer["error"]["text"].as_str().unwrap().contains(rule), "{answer}");
    }
    for (name, password, code, rule) in [
        ("", "secret", "bad_name", "1 to 32"),
        ("a\nb", "secret", "bad_name", "1 to 32"),
        ("bob~1234", "secret", "bad_name", "1 to 32"),
        (&long, "secret", "bad_name", "1 to 32"),
        ("ALICE", "secret", "name_taken", ""),
        ("bob", "", "bad_password", "at least 4"),
        ("bob", "äx", "bad_password", "at least 4"),
        ("bob", &long, "too_long", "1,024 bytes"),
    ] {
        let answer = stranger.ask(&json!({"op": "create", "name": name, "password": password, "key": key()}));
        assert_eq!(answer["error"]["code"], code, "{name:.20}: {answer}");
        assert!(answer["error"]["text"].as_str().unwrap().contains(rule), "{answer}");
    }
    for op in ["logout", "delete", "listen", "pending", "list"] {
        let answer = stranger.ask(&json!({"op": op, "key": key()}));
        assert_eq!(answer["error"]["code"], "not_logged_in", "{op}: {answer}");
    }
    server.assert_serves();
}

/// Patterns that are dear to compile and to match come by the hundred; the others hardly feel it.
#[test]
fn patterns_that_are_dear() {
    let server = Server::start();
    let mut flood = Talk::to(&server.address);
    flood.create("alice");
    let patterns = [r"(\w{9}\W{9}){3}".repeat(8), "(?i)".to_owned() + &"[^x]{9}".repeat(35), "[[^a]&&[^b]]".repeat(19)];
    let line = |n: usize| format!("{}\n", json!({"id": 1, "op": "list", "pattern": patterns[n % patterns.len()]}));
    let lines: String = (0..400).map(line).collect();
    flood.say(lines.as_bytes());
    let mut longest = Duration::ZERO;
    let mut other = Talk::to(&server.address);
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(other.ask(&json!({"op": "ping"})), json!({"ok": {}}));
        longest = longest.max(began.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(longest < Duration::from_millis(500), "a ping took {longest:?}");
    for _ in 0..400 {
        assert!(flood.next().is_some(), "each is answered");
    }
}
