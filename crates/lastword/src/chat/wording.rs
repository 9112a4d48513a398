//! What is said back, word for word. The original's wording is kept where it has one: scripts read it.

use lastword_client::protocol::Code;
use lastword_client::protocol::answer::{Message, PendingMessage, Replica, ReplicaState, Sent, Status};
use lastword_client::{Error, LogoutReason};

pub(super) const CREATED: &str = "Created new account successfully!";
pub(super) const LOGGED_IN: &str = "Successfully logged in!";
pub(super) const LOGGED_OUT: &str = "Logged out successfully";
pub(super) const DELETED: &str = "Deleted account successfully!";
pub(super) const PASSWORD_CHANGED: &str = "Changed the password successfully!";
pub(super) const NOT_LOGGED_IN: &str = "User not logged in";
pub(super) const NO_PENDING: &str = "No pending messages";

/// Which command an error belongs to, where that makes a difference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Create,
    Login,
    Send,
    Other,
}

/// Why a command was not carried out.
pub(super) fn refused(asked: Asked, error: &Error) -> String {
    match (asked, error.code()) {
        (Asked::Create, Some(Code::NameTaken)) => "Username is not unique, please try again.".into(),
        (Asked::Login, Some(Code::WrongLogin)) => {
            "Failed to login, please check username and/or password and try again.".into()
        }
        (_, Some(Code::NotLoggedIn)) => NOT_LOGGED_IN.into(),
        (Asked::Send, Some(Code::NoSuchUser)) => "The recipient user does not exist.".into(),
        _ => error.to_string(),
    }
}

/// What was tried tells why, where that is known.
pub(super) fn no_replica(tried: &str) -> String {
    format!("No replica answers (tried {tried}); trying on.")
}

/// How many messages wait; nothing if there are none.
pub(super) fn recent(count: u64) -> Option<String> {
    (count > 0).then(|| format!("You have {count} recent messages."))
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

/// As Python prints a list of strings.
pub(super) fn matches(names: &[String], more: bool) -> String {
    let list = names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let more = if more { " and more" } else { "" };
    format!("{} matches: [{list}]{more}", names.len())
}

pub(super) fn pending(messages: &[PendingMessage], more: bool) -> Vec<String> {
    if messages.is_empty() {
        return vec![NO_PENDING.into()];
    }
    let head = match (messages.len(), more) {
        (1, false) => "1 pending message:".into(),
        (count, false) => format!("{count} pending messages:"),
        (count, true) => format!("More than {count} pending messages, the first:"),
    };
    let rest = messages.iter().map(|message| format!("To {}: {}", message.to, message.text));
    std::iter::once(head).chain(rest).collect()
}

pub(super) fn history(with: &str, messages: &[Message]) -> Vec<String> {
    if messages.is_empty() {
        return vec![format!("No messages with {with}")];
    }
    messages.iter().rev().map(message).collect()
}

pub(super) fn status(status: &Status) -> Vec<String> {
    let who = status.name.as_ref().map_or(NOT_LOGGED_IN.into(), |name| format!("Logged in as {name}"));
    vec![who, group(&status.replica, &status.replicas, status.stale)]
}

/// How the group is, in one line.
pub(super) fn group(replica: &str, replicas: &[Replica], stale: bool) -> String {
    let state = |replica: &Replica| match replica.state {
        ReplicaState::Own => "up",
        ReplicaState::InSync => "in sync",
        ReplicaState::CatchingUp => "catching up",
        ReplicaState::Down => "down",
        ReplicaState::Unknown => "in a state that this program does not know",
    };
    let list: Vec<String> =
        replicas.iter().map(|replica| format!("{} ({}) {}", replica.name, replica.address, state(replica))).collect();
    let stale = if stale { "; it may lack what the others have" } else { "" };
    format!("On {replica}{stale}: {}", list.join(", "))
}

/// Another replica is spoken to. `alone`: the user was told that none answers.
pub(super) fn moved(from: Option<&str>, to: &str, alone: bool) -> Option<String> {
    match from {
        Some(from) if !alone && from != to => Some(format!("{from} is gone; on {to} now")),
        _ => alone.then(|| format!("On {to} now.")),
    }
}

pub(super) fn session_over(reason: LogoutReason) -> &'static str {
    match reason {
        LogoutReason::Deleted => "Your account was deleted.",
        LogoutReason::LoggedOut => "You were logged out from elsewhere.",
        _ => "No replica knows this login any more: please log in again.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastword_client::protocol::Refusal;

    fn error(code: Code) -> Error {
        Error::Refused(Refusal::new(code, "The server's sentence."))
    }

    #[test]
    fn refusals_have_the_originals_words() {
        for (asked, code, words) in [
            (Asked::Create, Code::NameTaken, "Username is not unique, please try again."),
            (Asked::Login, Code::WrongLogin, "Failed to login, please check username and/or password and try again."),
            (Asked::Send, Code::NotLoggedIn, "User not logged in"),
            (Asked::Other, Code::NotLoggedIn, "User not logged in"),
            (Asked::Send, Code::NoSuchUser, "The recipient user does not exist."),
            (Asked::Other, Code::NoSuchUser, "The server's sentence."),
            (Asked::Create, Code::BadName, "The server's sentence."),
        ] {
            assert_eq!(refused(asked, &error(code)), words);
        }
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
    fn lists_are_pythons() {
        assert_eq!(matches(&["alice".into(), "bob".into()], false), "2 matches: ['alice', 'bob']");
        assert_eq!(matches(&["alice".into()], true), "1 matches: ['alice'] and more");
        assert_eq!(matches(&[], false), "0 matches: []");
    }

    #[test]
    fn recent_messages_are_counted_if_there_are_any() {
        assert_eq!(recent(0), None);
        assert_eq!(recent(1).as_deref(), Some("You have 1 recent messages."));
    }

    #[test]
    fn pending_and_history_have_a_line_each() {
        let waiting = PendingMessage { message: "m".into(), to: "bob".into(), text: "hi".into(), at: 1 };
        assert_eq!(pending(&[], false), ["No pending messages"]);
        assert_eq!(pending(std::slice::from_ref(&waiting), false), ["1 pending message:", "To bob: hi"]);
        let two = [waiting.clone(), waiting];
        assert_eq!(pending(&two, false)[0], "2 pending messages:");
        assert_eq!(pending(&two, true)[0], "More than 2 pending messages, the first:");
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
        assert_eq!(history("bob", &newest_first), ["ann: how are you?", "bob: fine"]);
        assert_eq!(history("bob", &[]), ["No messages with bob"]);
    }

    #[test]
    fn a_failover_is_one_short_line() {
        assert_eq!(moved(None, "a", false), None);
        assert_eq!(moved(Some("a"), "b", false).as_deref(), Some("a is gone; on b now"));
        assert_eq!(moved(Some("a"), "b", true).as_deref(), Some("On b now."));
        assert_eq!(moved(Some("a"), "a", true).as_deref(), Some("On a now."));
        assert_eq!(moved(None, "c", true).as_deref(), Some("On c now."));
    }

    #[test]
    fn the_groups_health_is_one_line() {
        let replica = |name: &str, state| Replica { name: name.into(), address: format!("{name}:1"), state };
        let replicas = vec![
            replica("a", ReplicaState::Own),
            replica("b", ReplicaState::CatchingUp),
            replica("c", ReplicaState::Down),
        ];
        let mut answer = Status { name: None, replica: "a".into(), stale: false, replicas };
        assert_eq!(status(&answer), ["User not logged in", "On a: a (a:1) up, b (b:1) catching up, c (c:1) down"]);
        (answer.name, answer.stale) = (Some("ann".into()), true);
        let lines = status(&answer);
        assert_eq!(lines[0], "Logged in as ann");
        assert!(lines[1].starts_with("On a; it may lack what the others have: "), "{}", lines[1]);
    }
}
