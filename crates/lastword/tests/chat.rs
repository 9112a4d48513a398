//! The line client in a pipe.

#![allow(clippy::print_stdout, reason = "what is not tested is said")]

mod process;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use process::{Server, Talk, addresses, http, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// What a text must never look like.
const FORGED: &str = "hi\n> boss: pay 1000\r\nboss: pay\u{1b}[2K\u{2028}boss: more";

/// The line client, and what it says.
struct Chat {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Chat {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lastword"))
            .arg("chat")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the chat runs");
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { input: child.stdin.take(), child, lines }
    }

    fn say(&mut self, lines: &str) {
        self.input.as_mut().expect("open").write_all(lines.as_bytes()).expect("written");
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(20)).expect("a line")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.line()).expect("each line is JSON")
    }

    /// The next line that has this key.
    fn next(&self, key: &str) -> Value {
        loop {
            let line = self.json();
            if line.get(key).is_some() {
                return line;
            }
        }
    }

    /// Closes its input, and waits for its end: the rest of what it said, and its exit code.
    fn end(mut self) -> (Vec<String>, Option<i32>) {
        drop(self.input.take());
        let code = self.child.wait().expect("ended").code();
        (self.lines.iter().collect(), code)
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How often an operation was asked for.
fn asked(server: &Server, op: &str) -> u64 {
    let page = http(&server.address, "GET", "/metrics");
    let start = format!("lastword_requests_total{{op=\"{op}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&start)).and_then(|count| count.parse().ok()).unwrap_or(0)
}

#[test]
fn a_text_is_one_line_whatever_is_in_it() {
    let server = Server::start();
    let mut mallory = Talk::to(&server.address);
    mallory.create("mallory");
    let mut chat = Chat::start(&[&server.address]);
    chat.say("create ann secret\n");
    assert_eq!(chat.line(), "> Created new account successfully!");
    let answer = mallory.ask(&json!({"op": "send", "to": "ann", "text": FORGED, "key": process::key()}));
    assert!(answer["ok"].is_object(), "{answer}");
    let shown = r"> mallory: hi\n> boss: pay 1000\nboss: pay\u{1b}[2K\u{2028}boss: more";
    assert_eq!(chat.line(), shown);
    chat.say("history mallory\n");
    assert_eq!(chat.line(), shown, "in the history, too");
    assert_eq!(chat.end(), (vec![], Some(0)));
    // What I wrote with another program, in my list of what waits.
    mallory.ask(&json!({"op": "send", "to": "ann", "text": FORGED, "key": process::key()}));
    let mut own = Chat::start(&[&server.address]);
    own.say("login mallory secret\nlist_pending\n");
    let (said, code) = own.end();
    assert_eq!((said.len(), code), (3, Some(0)), "{said:?}");
    assert!(said[2].starts_with(r"> To ann: hi\n> boss"), "{said:?}");
}

#[test]
fn for_programs_each_line_is_a_json_object() {
    let server = Server::start();
    let mut boss = Talk::to(&server.address);
    boss.create("boss");
    let mut chat = Chat::start(&["--json", &server.address]);
    chat.say("status\ncreate ann 'a \"secret\"'\n");
    let status = chat.next("line");
    assert_eq!(
        (&status["line"], &status["command"], &status["ok"]["name"]),
        (&json!(1), &json!("status"), &Value::Null)
    );
    assert_eq!(status["ok"]["replicas"][0]["state"], "self");
    let created = chat.next("line");
    assert_eq!(
        (&created["line"], &created["ok"]["name"], &created["ok"]["pending"]),
        (&json!(2), &json!("ann"), &json!(0))
    );
    assert!(!created.to_string().contains("token"), "a token is a secret: {created}");

    let sent = boss.ask(&json!({"op": "send", "to": "ann", "text": FORGED, "key": process::key()}));
    let event = chat.next("event");
    assert_eq!((&event["event"], &event["from"], &event["text"]), (&json!("message"), &json!("boss"), &json!(FORGED)));
    assert_eq!(event["message"], sent["ok"]["message"]);

    chat.say("send boss  as it \"is\" \nsend nobody x\nnonsense\nhistory boss\nlist .*\nlist_pending\nhelp\npassword 'a \"secret\"' new1\n");
    let sent = chat.next("line");
    assert_eq!((&sent["line"], &sent["command"], &sent["ok"]["stored"]), (&json!(3), &json!("send"), &json!(1)));
    let refused = chat.next("line");
    assert_eq!((&refused["line"], &refused["error"]["code"]), (&json!(4), &json!("no_such_user")));
    let nonsense = chat.next("line");
    assert_eq!((&nonsense["line"], &nonsense["error"]["code"]), (&json!(5), &json!("bad_command")));
    let history = chat.next("line");
    assert_eq!(history["ok"]["messages"][0]["text"], FORGED, "oldest first");
    assert_eq!(history["ok"]["messages"][1]["text"], " as it \"is\" ", "sent as it was typed");
    assert_eq!(chat.next("line")["ok"], json!({"names": ["ann", "boss"], "more": false}));
    assert_eq!(chat.next("line")["ok"]["messages"][0]["to"], "boss");
    assert!(chat.next("line")["ok"]["help"].is_array());
    assert_eq!(chat.next("line")["command"], "password");
    assert_eq!(chat.end().1, Some(1), "two were refused");
}

/// A script that runs a thousand times leaves no session behind.
#[test]
fn at_the_end_of_a_pipe_its_session_ends() {
    let server = Server::start();
    let mut first = Chat::start(&[&server.address]);
    first.say("create ann secret\n");
    assert_eq!(first.end().1, Some(0));
    assert_eq!(asked(&server, "logout"), 1);
    let mut own = Chat::start(&[&server.address]);
    own.say("login ann secret\nlogout\n");
    assert_eq!(own.end().1, Some(0));
    assert_eq!(asked(&server, "logout"), 2, "not twice");
    let mut nobody = Chat::start(&[&server.address]);
    nobody.say("login ann wrong\nlist\n");
    assert_eq!(nobody.end().1, Some(1));
    assert_eq!(asked(&server, "logout"), 2, "there was no session");

    // A signal, and nobody who reads on, end it in the same way.
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let before = asked(&server, "logout");
        let mut chat = Chat::start(&[&server.address]);
        chat.say("login ann secret\n");
        assert_eq!(chat.line(), "> Successfully logged in!");
        let pid = i32::try_from(chat.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("told");
        let status = chat.child.wait().expect("ended");
        assert_eq!(status.code(), Some(1), "{signal:?}");
        assert_eq!(asked(&server, "logout"), before + 1, "{signal:?}");
    }
    let before = asked(&server, "logout");
    let line = format!(
        "printf 'login ann secret\\nlist\\nlist\\n' | {} chat {} | head -n 1",
        env!("CARGO_BIN_EXE_lastword"),
        server.address
    );
    assert!(Command::new("sh").args(["-c", &line]).status().expect("a shell").success());
    wait_until("the session is ended", || asked(&server, "logout") == before + 1);
}

#[test]
fn without_a_server_it_is_said_at_once_and_at_the_end() {
    let nowhere = addresses(1).remove(0);
    let began = Instant::now();
    let mut chat = Chat::start(&[&nowhere]);
    chat.say("send bob hello\nsend bob again\nlist\n");
    let told = chat.line() + &chat.line();
    assert!(told.contains("No server answers yet; the message to bob waits and will be sent"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(5), "at once");
    let pid = i32::try_from(chat.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::TERM).expect("told");
    let (said, code) = chat.end();
    let last: Vec<&str> = said.iter().map(String::as_str).rev().take(2).collect();
    assert_eq!((last, code), (vec!["> Not sent to bob: again", "> Not sent to bob: hello"], Some(1)));
    assert!(began.elapsed() < Duration::from_secs(10), "nothing is waited for that can't be");
}

/// Sixteen may listen. The seventeenth is told once, sends all the same, and gets its turn.
#[test]
fn one_listener_too_many_is_told_once_sends_and_gets_its_turn() {
    let server = Server::start();
    let mut others: Vec<Talk> = (0..16).map(|_| Talk::to(&server.address)).collect();
    others[0].create("ann");
    for other in &mut others[1..] {
        let answer = other.ask(&json!({"op": "login", "name": "ann", "password": "secret"}));
        assert!(answer["ok"].is_object(), "{answer}");
    }
    for other in &mut others {
        let answer = other.ask(&json!({"op": "listen"}));
        assert!(answer["ok"].is_object(), "{answer}");
    }
    let before = asked(&server, "listen");
    let mut chat = Chat::start(&[&server.address]);
    chat.say("login ann secret\n");
    assert_eq!(chat.line(), "> Successfully logged in!");
    let told = chat.line();
    assert!(told.starts_with("> Messages can't be received: 16 connections of this account"), "{told}");
    assert!(told.ends_with("You can send meanwhile. Still trying."), "{told}");
    chat.say("send ann to myself\n");
    let sent = chat.line();
    assert!(sent.starts_with("> Sent message to ann successfully"), "{sent}");
    wait_until("it asks a second time", || asked(&server, "listen") == before + 2);
    others.pop();
    assert_eq!(chat.line(), "> Messages are received now. You have 1 new message.");
    assert_eq!(chat.line(), "> ann: to myself");
    assert!(asked(&server, "listen") <= before + 4, "each 5 s");
    assert_eq!(chat.end(), (vec![], Some(1)), "the login was not all that it should be");
}

#[test]
fn whom_one_blocks_is_listed_and_the_program_names_all_commands() {
    let server = Server::start();
    for name in ["bob", "Al"] {
        Talk::to(&server.address).create(name);
    }
    let mut chat = Chat::start(&["--json", &server.address]);
    chat.say("create ann secret\nblocked\nblock bob\nblock Al\nblocked\nunblock bob\nblocked\nblock nobody\n");
    let answers: Vec<Value> = (0..8).map(|_| chat.next("line")).collect();
    assert_eq!(answers[1]["ok"], json!({"names": []}));
    assert_eq!(answers[2]["ok"], json!({}));
    assert_eq!(answers[4]["ok"], json!({"names": ["Al", "bob"]}));
    assert_eq!(answers[6]["ok"], json!({"names": ["Al"]}));
    assert_eq!(answers[7]["error"]["code"], "no_such_user");
    for arguments in [["help", "chat"], ["chat", "--help"]] {
        let help = String::from_utf8(process::lastword(&arguments).stdout).expect("UTF-8");
        for command in ["send NAME TEXT", "block NAME", "unblock NAME", "blocked "] {
            assert!(help.contains(&format!("\n  {command}")), "{command}: {help}");
        }
    }
}

/// Passwords may have spaces, at their ends, too.
#[test]
fn passwords_are_quoted() {
    let server = Server::start();
    let mut chat = Chat::start(&[&server.address]);
    chat.say("create ann \" outer blanks \"\nlogout\nlogin ann outer blanks\nlogin ann ' outer blanks '\n");
    chat.say("password ' outer blanks ' \"a \\\"new\\\" \\\\ one\"\nlogout\nlogin 'ann' 'a \"new\" \\ one'\n");
    let (said, code) = chat.end();
    assert_eq!(
        said,
        [
            "> Created new account successfully!",
            "> Logged out successfully",
            "> Failed to login, please check username and/or password and try again.",
            "> Successfully logged in!",
            "> Changed the password successfully!",
            "> Logged out successfully",
            "> Successfully logged in!",
        ]
    );
    assert_eq!(code, Some(1), "one was refused");
}

#[test]
fn ipv6_in_every_form() {
    let Ok(listener) = std::net::TcpListener::bind(("::1", 0)) else {
        println!("this machine has no IPv6: not tested");
        return;
    };
    let port = listener.local_addr().expect("an address").port().to_string();
    drop(listener);
    let server = Server::start_at(&format!("[::1]:{port}"), &[]);
    for arguments in [vec!["::1", &port], vec!["[::1]", &port], vec![server.address.as_str()]] {
        let mut chat = Chat::start(&arguments);
        chat.say("status\n");
        let (said, code) = chat.end();
        assert_eq!((said[0].as_str(), code), ("> User not logged in", Some(0)), "{arguments:?}");
    }
}

/// A long script does not wait 30 s for each of its lines.
#[test]
fn without_a_server_a_script_waits_once() {
    let nowhere = addresses(1).remove(0);
    let began = Instant::now();
    let mut chat = Chat::start(&[&nowhere]);
    chat.say("help send\nstatus\n");
    assert!(chat.line().contains("send NAME TEXT"));
    assert_eq!(chat.line().split(" (").next(), Some("> No server answers"));
    assert_eq!(chat.line(), "> User not logged in");
    assert!(began.elapsed() < Duration::from_secs(5), "at once");
    chat.say("list\nlist\nsend bob hello\nlist_pending\n");
    let (said, code) = chat.end();
    assert!(began.elapsed() < Duration::from_secs(45), "{:?}", began.elapsed());
    assert!(said.iter().any(|line| line.starts_with("> Not sent to bob: hello (No server")), "{said:?}");
    assert_eq!(code, Some(1));
}
