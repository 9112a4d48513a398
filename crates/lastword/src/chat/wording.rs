//! What is said back, word for word. The original's wording is kept where it has one: scripts read it.

use lastword_client::protocol::Code;
use lastword_client::protocol::answer::{Message, PendingMessage, Replica, ReplicaState, Sent, Status};
use lastword_client::{Error, LogoutReason};
use serde_json::json;

use super::command::Command;
use super::said::Said;

pub(super) const CREATED: &str = "Created new account successfully!";
pub(super) const LOGGED_IN: &str = "Successfully logged in!";
pub(super) const LOGGED_OUT: &str = "Logged out successfully";
pub(super) const DELETED: &str = "Deleted account successfully!";
pub(super) const PASSWORD_CHANGED: &str = "Changed the password successfully!";
pub(super) const NOT_LOGGED_IN: &str = "User not logged in";
pub(super) const NO_PENDING: &str = "No pending messages";

/// Which command an error belongs to, where that makes a difference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    Create,
    Login,
    Send { to: &'a str, text: &'a str },
    Other,
}

/// Why a command was not carried out.
pub(super) fn refused(asked: Asked, error: &Error, at_terminal: bool) -> String {
    match (asked, error.code()) {
        (Asked::Create, Some(Code::NameTaken)) => "Username is not unique, please try again.".into(),
        (Asked::Login, Some(Code::WrongLogin)) => {
            "Failed to login, please check username and/or password and try again.".into()
        }
        (_, Some(Code::NotLoggedIn)) => not_logged_in(at_terminal),
        (Asked::Send { to, .. }, Some(Code::NoSuchUser)) if at_terminal => {
            format!("The recipient user does not exist: there is nobody called {to}. `list` shows all names.")
        }
        (Asked::Send { .. }, Some(Code::NoSuchUser)) => "The recipient user does not exist.".into(),
        (Asked::Send { to, text }, _) => match error {
            Error::NoReplica { .. } | Error::TooMany { .. } => format!("Not sent to {to}: {text} ({error})"),
            Error::NoAnswer { .. } => format!("Possibly not sent to {to}: {text} ({error})"),
            _ => error.to_string(),
        },
        _ => error.to_string(),
    }
}

/// For a person, with what to do.
pub(super) fn not_logged_in(at_terminal: bool) -> String {
    let more = if at_terminal { ": type `login NAME` or `create NAME`" } else { "" };
    format!("{NOT_LOGGED_IN}{more}")
}

/// `status` while no server answers: what the client knows by itself.
pub(super) fn status_alone(tried: &str, logged_in: bool, at_terminal: bool) -> Vec<String> {
    let who =
        if logged_in { "Logged in; this goes on when a server answers.".into() } else { not_logged_in(at_terminal) };
    vec![who, no_replica(tried)]
}

/// A command that was typed after one that was given up, and might do harm without it.
pub(super) fn not_without(command: &Command, given_up: &str) -> Said {
    let name = command.name();
    let text =
        format!("Not done: `{name}`, because `{given_up}` before it was given up. Type `{name}` again to do it.");
    Said::refused(text, "no_server")
}

/// What was tried tells why, where that is known.
pub(super) fn no_replica(tried: &str) -> String {
    format!("No server answers (tried {tried}). Still trying.")
}

/// A command waits until a replica can be reached.
pub(super) fn waits(line: u64, command: &Command) -> Said {
    let text = match command {
        Command::Send { to, .. } => {
            format!("No server answers yet; the message to {to} waits and will be sent if one answers within 30 s.")
        }
        other => format!("No server answers yet; `{}` waits for one for up to 30 s.", other.name()),
    };
    Said::event(text, "waiting", json!({ "line": line, "command": command.name() }))
}

/// A command was not answered before the end. `reached`: a replica may have got it.
pub(super) fn left_undone(line: u64, command: &Command, reached: bool) -> Said {
    let json = json!({ "line": line, "command": command.name(), "may_be_done": reached });
    let text = match (command, reached) {
        (Command::Send { to, text }, false) => format!("Not sent to {to}: {text}"),
        (Command::Send { to, text }, true) => format!("Possibly not sent to {to} (no server has confirmed it): {text}"),
        (other, false) => format!("Not done: {}", other.name()),
        (other, true) => format!("Possibly not done (no server has confirmed it): {}", other.name()),
    };
    Said::event(text, "not_done", json)
}

/// How many messages wait; nothing if there are none. In a pipe as the original says it.
pub(super) fn recent(count: u64, at_terminal: bool) -> Option<String> {
    match count {
        0 => None,
        1 if at_terminal => Some("You have 1 new message.".into()),
        _ if at_terminal => Some(format!("You have {count} new messages.")),
        _ => Some(format!("You have {count} recent messages.")),
    }
}

/// No messages come. Where the server lets no more clients listen, this one asks again by itself.
pub(super) fn not_listening(error: &Error) -> String {
    let more = if error.code() == Some(Code::TooMany) { " You can send meanwhile. Still trying." } else { "" };
    format!("Messages can't be received: {error}{more}")
}

/// Messages come after all.
pub(super) fn listening(pending: u64) -> String {
    let waited = match pending {
        0 => String::new(),
        1 => " You have 1 new message.".into(),
        count => format!(" You have {count} new messages."),
    };
    format!("Messages are received now.{waited}")
}

pub(super) fn message(message: &Message) -> String {
    format!("{}: {}", message.from, message.text)
}

pub(super) fn sent(to: &str, sent: &Sent) -> String {
    let copies = format!("(stored on {} of {})", sent.stored, sent.of);
    if sent.online {
        format!("Sent message to {to} successfully! {copies}")
    } else {
        format!("Sent message to {to} successfully, they will see it when they log back on! {copies}")
    }
}

/// The names that match. In a pipe as the original says it: as Python prints a list of strings.
pub(super) fn matches(names: &[String], more: bool, at_terminal: bool) -> String {
    let (count, more) = (names.len(), if more { " and more" } else { "" });
    if !at_terminal {
        let list = names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        return format!("{count} matches: [{list}]{more}");
    }
    match names {
        [] => "No matches".into(),
        [one] => format!("1 match: {one}{more}"),
        all => format!("{count} matches: {}{more}", all.join(", ")),
    }
}

pub(super) fn pending(messages: &[PendingMessage], more: bool) -> Vec<String> {
    if messages.is_empty() {
        return vec![NO_PENDING.into()];
    }
    let head = match (messages.len(), more) {
        (1, false) => "1 pending message:".into(),
        (count, false) => format!("{count} pending messages:"),
        (count, true) => format!("More than {count} pending messages. The first {count}:"),
    };
    let rest = messages.iter().map(|message| format!("To {}: {}", message.to, message.text));
    std::iter::once(head).chain(rest).collect()
}

pub(super) fn blocked_now(name: &str) -> String {
    format!("Blocked {name}. They are not told. `unblock {name}` lets their next messages through.")
}

pub(super) fn unblocked(name: &str) -> String {
    format!("Unblocked {name}. What they wrote in the meantime will not come.")
}

pub(super) fn blocked(names: &[String]) -> Vec<String> {
    if names.is_empty() {
        return vec!["You block nobody".into()];
    }
    vec![format!("You block: {}", names.join(", "))]
}

/// What was said, oldest first. A person sees when, too.
pub(super) fn history(with: &str, messages: &[Message], at_terminal: bool) -> Vec<String> {
    if messages.is_empty() {
        return vec![format!("No messages with {with}")];
    }
    let line = |said: &Message| match at_terminal {
        true => format!("[{}] {}", utc(said.at), message(said)),
        false => message(said),
    };
    messages.iter().rev().map(line).collect()
}

/// A time in ms since 1970, as `YYYY-MM-DD HH:MM UTC`. The date is Howard Hinnant's `civil_from_days`.
fn utc(at_ms: u64) -> String {
    let minutes = at_ms / 60_000;
    let days = minutes / (24 * 60) + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60 % 24, minutes % 60)
}

pub(super) fn status(status: &Status, at_terminal: bool) -> Vec<String> {
    let who = status.name.as_ref().map_or(not_logged_in(at_terminal), |name| format!("Logged in as {name}"));
    vec![who, group(&status.replica, &status.replicas, status.stale)]
}

/// How the group is, in one line.
pub(super) fn group(replica: &str, replicas: &[Replica], stale: bool) -> String {
    let state = |replica: &Replica| match replica.state {
        ReplicaState::Own => "up",
        ReplicaState::InSync => "in sync",
        ReplicaState::CatchingUp => "catching up",
        ReplicaState::Down => "down",
        ReplicaState::Unknown => "in an unknown state",
    };
    let list: Vec<String> =
        replicas.iter().map(|replica| format!("{} ({}) {}", replica.name, replica.address, state(replica))).collect();
    let stale = if stale { ", which may be behind the others" } else { "" };
    format!("Connected to {replica}{stale}. Servers: {}", list.join(", "))
}

/// Another replica is spoken to. `alone`: the user was told that none answers.
pub(super) fn moved(from: Option<&str>, to: &str, alone: bool) -> Option<String> {
    match from {
        Some(from) if !alone && from != to => Some(format!("Lost {from}; now using {to}.")),
        _ => alone.then(|| format!("Now using {to}.")),
    }
}

pub(super) fn session_over(reason: LogoutReason) -> &'static str {
    match reason {
        LogoutReason::Deleted => "Your account was deleted.",
        LogoutReason::LoggedOut => "This session was ended from another device. Please log in again.",
        _ => "The servers do not accept this session any more. Please log in again.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastword_client::protocol::Refusal;

    const SEND: Asked<'static> = Asked::Send { to: "bob", text: "hi" };

    fn error(code: Code) -> Error {
        Error::Refused(Refusal::new(code, "The server's sentence."))
    }

    #[test]
    fn refusals_have_the_originals_words() {
        for (asked, code, words) in [
            (Asked::Create, Code::NameTaken, "Username is not unique, please try again."),
            (Asked::Login, Code::WrongLogin, "Failed to login, please check username and/or password and try again."),
            (SEND, Code::NotLoggedIn, "User not logged in"),
            (Asked::Other, Code::NotLoggedIn, "User not logged in"),
            (SEND, Code::NoSuchUser, "The recipient user does not exist."),
            (Asked::Other, Code::NoSuchUser, "The server's sentence."),
            (Asked::Create, Code::BadName, "The server's sentence."),
        ] {
            assert_eq!(refused(asked, &error(code), false), words);
        }
        assert!(refused(SEND, &error(Code::NoSuchUser), true).contains("nobody called bob"));
        assert!(refused(SEND, &error(Code::NotLoggedIn), true).contains("`login NAME`"));
    }

    #[test]
    fn a_sent_message_says_what_became_of_it() {
        let mut answer = Sent {
            message: "m".into(),
            to_account: "B".into(),
            at: 1,
            seen: "s".into(),
            stored: 2,
            of: 3,
            online: true,
        };
        assert_eq!(sent("bob", &answer), "Sent message to bob successfully! (stored on 2 of 3)");
        answer.online = false;
        assert_eq!(
            sent("bob", &answer),
            "Sent message to bob successfully, they will see it when they log back on! (stored on 2 of 3)"
        );
    }

    #[test]
    fn a_message_that_was_not_sent_is_named() {
        let (waited, tried) = (std::time::Duration::from_secs(30), String::from("h:1"));
        let unsent = refused(SEND, &Error::NoReplica { waited, tried: tried.clone() }, false);
        assert!(unsent.starts_with("Not sent to bob: hi (No server"), "{unsent}");
        let perhaps = refused(SEND, &Error::NoAnswer { waited, tried }, false);
        assert!(perhaps.starts_with("Possibly not sent to bob: hi (No server"), "{perhaps}");
        let send = Command::Send { to: "bob".into(), text: "hi".into() };
        assert_eq!(left_undone(1, &send, false).lines, ["Not sent to bob: hi"]);
        assert!(left_undone(1, &send, true).lines[0].starts_with("Possibly not sent to bob"));
        assert!(waits(1, &Command::Status).lines[0].contains("`status` waits"));
    }

    #[test]
    fn in_a_pipe_lists_are_pythons() {
        assert_eq!(matches(&["alice".into(), "bob".into()], false, false), "2 matches: ['alice', 'bob']");
        assert_eq!(matches(&["alice".into()], true, false), "1 matches: ['alice'] and more");
        assert_eq!(matches(&[], false, false), "0 matches: []");
        assert_eq!(matches(&["alice".into()], false, true), "1 match: alice");
        assert_eq!(matches(&["alice".into(), "bob".into()], true, true), "2 matches: alice, bob and more");
        assert_eq!(matches(&[], false, true), "No matches");
    }

    #[test]
    fn recent_messages_are_counted_if_there_are_any() {
        assert_eq!(recent(0, false), None);
        assert_eq!(recent(1, false).as_deref(), Some("You have 1 recent messages."));
        assert_eq!(recent(1, true).as_deref(), Some("You have 1 new message."));
    }

    #[test]
    fn one_client_too_many_is_told_that_it_waits_and_when_that_is_over() {
        let full = not_listening(&error(Code::TooMany));
        assert_eq!(full, "Messages can't be received: The server's sentence. You can send meanwhile. Still trying.");
        assert!(!not_listening(&error(Code::Unavailable)).contains("Still trying"));
        assert_eq!(listening(0), "Messages are received now.");
        assert_eq!(listening(1), "Messages are received now. You have 1 new message.");
        assert_eq!(listening(2), "Messages are received now. You have 2 new messages.");
    }

    #[test]
    fn pending_and_history_have_a_line_each() {
        let waiting = PendingMessage { message: "m".into(), to: "bob".into(), text: "hi".into(), at: 1 };
        assert_eq!(pending(&[], false), ["No pending messages"]);
        assert_eq!(pending(std::slice::from_ref(&waiting), false), ["1 pending message:", "To bob: hi"]);
        let two = [waiting.clone(), waiting];
        assert_eq!(pending(&two, false)[0], "2 pending messages:");
        assert_eq!(pending(&two, true)[0], "More than 2 pending messages. The first 2:");
        let said = |from: &str, text: &str| Message {
            message: "m".into(),
            from: from.into(),
            from_account: "F".into(),
            to: "x".into(),
            to_account: "T".into(),
            text: text.into(),
            at: 1,
            pos: "p".into(),
            seen: "s".into(),
        };
        let newest_first = [said("bob", "fine"), said("ann", "how are you?")];
        assert_eq!(history("bob", &newest_first, false), ["ann: how are you?", "bob: fine"]);
        assert_eq!(history("bob", &[], true), ["No messages with bob"]);
        assert_eq!(history("bob", &newest_first, true)[0], "[1970-01-01 00:00 UTC] ann: how are you?");
        assert_eq!(utc(1_764_356_885_000), "2025-11-28 19:08 UTC");
        assert_eq!(utc(1_709_164_800_000), "2024-02-29 00:00 UTC");
    }

    #[test]
    fn a_failover_is_one_short_line() {
        assert_eq!(moved(None, "a", false), None);
        assert_eq!(moved(Some("a"), "b", false).as_deref(), Some("Lost a; now using b."));
        assert_eq!(moved(Some("a"), "b", true).as_deref(), Some("Now using b."));
        assert_eq!(moved(Some("a"), "a", true).as_deref(), Some("Now using a."));
        assert_eq!(moved(None, "c", true).as_deref(), Some("Now using c."));
    }

    #[test]
    fn the_groups_health_is_one_line() {
        let replica =
            |name: &str, state| Replica { name: name.into(), address: format!("{name}:1"), state, problem: None };
        let replicas = vec![
            replica("a", ReplicaState::Own),
            replica("b", ReplicaState::CatchingUp),
            replica("c", ReplicaState::Down),
        ];
        let mut answer = Status { name: None, replica: "a".into(), stale: false, disk_full: false, replicas };
        assert_eq!(
            status(&answer, false),
            ["User not logged in", "Connected to a. Servers: a (a:1) up, b (b:1) catching up, c (c:1) down",]
        );
        (answer.name, answer.stale) = (Some("ann".into()), true);
        let lines = status(&answer, false);
        assert_eq!(lines[0], "Logged in as ann");
        assert!(lines[1].starts_with("Connected to a, which may be behind the others. Servers: "), "{}", lines[1]);
    }
}
