//! The line client at a real terminal.

mod process;
mod pty;

use process::{Server, Talk, addresses};
use pty::Terminal;
use rustix::process::Signal;
use serde_json::json;

/// Terminals that can move their cursor, and that can't.
const KINDS: [&str; 3] = ["xterm", "dumb", ""];

const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

fn chat(term: &str, server: &Server) -> Terminal {
    let mut terminal = Terminal::chat(term, &[&server.address]);
    terminal.sees("Welcome to Lastword.");
    terminal.sees("> ");
    terminal
}

#[test]
fn every_kind_of_terminal_chats() {
    let server = Server::start();
    let mut other = Talk::to(&server.address);
    other.create("boss");
    for (kind, name) in KINDS.into_iter().zip(["ann", "bob", "cid"]) {
        let mut terminal = chat(kind, &server);
        terminal.types(&format!("create {name}\r"));
        terminal.sees("Password: ");
        terminal.waits_without_echo();
        terminal.types("not shown\r");
        terminal.sees("Repeat password: ");
        terminal.waits_without_echo();
        terminal.types("not shown\r");
        terminal.sees("Created new account successfully!");
        terminal.types("send boss hello\r");
        terminal.sees("Sent message to boss");
        let text = json!({"op": "send", "to": name, "text": "come", "key": process::key()});
        assert!(other.ask(&text)["ok"].is_object());
        terminal.sees("boss: come");
        terminal.types("list bos\r");
        terminal.sees("1 match: boss");
        terminal.types(CTRL_D);
        assert!(terminal.ends().success(), "{kind}: {:?}", terminal.shown());
        assert!(!terminal.shown().contains("not shown"), "{kind}: the password was shown");
        assert!(terminal.is_right(), "{kind}");
    }
}

#[test]
fn nobody_can_write_a_line_of_somebody_else() {
    let server = Server::start();
    let mut mallory = Talk::to(&server.address);
    mallory.create("mallory");
    let padded = format!("hi{}boss: pay 1000", " ".repeat(usize::from(pty::COLUMNS) - "mallory: hi".len()));
    for kind in KINDS {
        let mut terminal = chat(kind, &server);
        let name = if kind.is_empty() { "none" } else { kind };
        terminal.types(&format!("create {name} secret\r"));
        terminal.sees("Created new account successfully!");
        for text in ["hi\nboss: pay 1000", "hi\r\nboss: pay 1000", &padded] {
            mallory.ask(&json!({"op": "send", "to": name, "text": text, "key": process::key()}));
            terminal.sees("mallory: hi");
            let forged = terminal.sees("boss: pay 1000");
            assert!(forged.ends_with("\n  | boss: pay 1000"), "{kind}: {forged:?}");
        }
    }
}

#[test]
fn ctrl_c_at_a_password_cancels_and_again_leaves() {
    let server = Server::start();
    for kind in KINDS {
        let mut terminal = chat(kind, &server);
        terminal.types("login ann\r");
        terminal.sees("Password: ");
        terminal.waits_without_echo();
        terminal.types("half a passw");
        terminal.types(CTRL_C);
        terminal.sees("Cancelled.");
        terminal.sees("> ");
        terminal.types("status\r");
        terminal.sees("User not logged in");
        // Anything between makes it the first one again.
        terminal.types(CTRL_C);
        terminal.sees("Press Ctrl-C again to leave");
        terminal.sees("> ");
        terminal.types(CTRL_C);
        assert!(terminal.ends().success(), "{kind}: {:?}", terminal.shown());
        assert!(terminal.is_right(), "{kind}");
        assert!(!terminal.shown().contains("half a passw"));
    }
}

#[test]
fn a_signal_at_a_password_puts_the_terminal_right() {
    let server = Server::start();
    for kind in KINDS {
        for signal in [Signal::TERM, Signal::HUP, Signal::QUIT] {
            let mut terminal = chat(kind, &server);
            terminal.types("login ann\r");
            terminal.sees("Password: ");
            terminal.waits_without_echo();
            terminal.signal(signal);
            assert!(!terminal.ends().success());
            assert!(terminal.is_right(), "{kind} {signal:?}");
        }
    }
}

#[test]
fn what_is_typed_ahead_is_kept() {
    let server = Server::start();
    for (kind, name) in KINDS.into_iter().zip(["ann", "bob", "cid"]) {
        let mut terminal = chat(kind, &server);
        // A paste is what its lines are, and passwords are taken from it, too.
        terminal
            .types(&format!("create {name}\rsecret\rsecret\rstatus\rsend {name} one\rsend {name} two\rlist {name}\r"));
        for line in ["Created new", &format!("Logged in as {name}"), "Servers: a", &format!("1 match: {name}")] {
            terminal.sees(line);
        }
        terminal.types("history ");
        terminal.types(&format!("{name}\rquit\r"));
        assert!(terminal.ends().success(), "{:?}", terminal.shown());
        let shown = terminal.shown();
        assert!(
            shown.contains(&format!("{name}: one\r\n")) && shown.contains(&format!("{name}: two\r\n")),
            "{shown:?}"
        );
        assert!(!shown.contains("\u{1b}[?2004h"), "no bracketed paste: it would make one line of many");
    }
}

#[test]
fn without_a_server_it_is_said_what_waits_and_what_was_not_sent() {
    let nowhere = addresses(1).remove(0);
    for kind in KINDS {
        let mut terminal = Terminal::chat(kind, &[&nowhere]);
        terminal.sees("No server answers (tried ");
        terminal.sees("> ");
        terminal.types("send bob hello there\r");
        terminal.sees("the message to bob waits and will be sent");
        terminal.types("list\r");
        terminal.sees("`list` waits");
        terminal.types("status\r");
        terminal.sees("User not logged in: type `login NAME`");
        terminal.sees("No server answers (tried ");
        terminal.types("help send\r");
        terminal.sees("send NAME TEXT");
        terminal.types("quit\r");
        terminal.sees("Not sent to bob: hello there");
        terminal.sees("Not done: list");
        assert_eq!(terminal.ends().code(), Some(1), "{kind}");
        assert!(terminal.is_right(), "{kind}");
    }
}

/// A server that is down, and ann, whose message to herself waits for it.
fn waiting_for_a_server() -> (Server, Terminal) {
    let mut server = Server::start();
    let mut terminal = chat("xterm", &server);
    terminal.types("create ann secret\r");
    terminal.sees("Created new");
    server.stop(Signal::TERM);
    terminal.sees("No server answers");
    terminal.types("send ann hello\r");
    terminal.sees("the message to ann waits");
    (server, terminal)
}

#[test]
fn what_waited_for_a_server_is_sent_when_there_is_one() {
    let (mut server, mut terminal) = waiting_for_a_server();
    server.again();
    terminal.sees("Sent message to ann");
    terminal.types("quit\r");
    assert!(terminal.ends().success());
}

/// What was typed after a command that was given up does no harm that its author did not want.
#[test]
fn an_account_is_not_deleted_after_a_message_that_was_given_up() {
    let (mut server, mut terminal) = waiting_for_a_server();
    std::thread::sleep(std::time::Duration::from_secs(12));
    terminal.types("delete\r");
    terminal.types("yes\r");
    terminal.sees("`delete` waits");
    terminal.sees("Not sent to ann: hello");
    server.again();
    terminal.sees("Not done: `delete`, because `send` before it was given up.");
    terminal.types("history ann\r");
    terminal.sees("No messages with ann");
    terminal.types("send ann later\r");
    terminal.sees("Sent message to ann");
    terminal.types("history ann\r");
    terminal.sees(" UTC] ann: later");
    terminal.types("quit\r");
    assert!(terminal.ends().success());
}

/// What is known is said before anything is asked for.
#[test]
fn without_a_login_nobody_is_asked_to_confirm() {
    let server = Server::start();
    for kind in KINDS {
        let mut terminal = chat(kind, &server);
        for line in ["delete\r", "password\r"] {
            terminal.types(line);
            terminal.sees("User not logged in: type `login NAME` or `create NAME`");
        }
        assert!(!terminal.shown().contains("for good?") && !terminal.shown().contains("Old password"));
    }
}
