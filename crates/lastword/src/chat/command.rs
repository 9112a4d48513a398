//! What a line says.

use super::quoting;

/// What is shown by `help`, one a line.
pub(super) const HELP: [&str; 16] = [
    "create NAME [PASSWORD]   create an account and log in to it",
    "login NAME [PASSWORD]    log in, and show the messages that wait for you",
    "logout                   end this session",
    "delete                   delete your account, with its undelivered messages",
    "password [OLD NEW]       change your password",
    "status                   show who you are and how the replicas are",
    "list [REGEX]             list the names that match (all without REGEX)",
    "send NAME TEXT           send a message; TEXT is sent exactly as typed",
    "list_pending             list your messages that are not delivered yet",
    "history NAME [N]         show the last N messages (20) with NAME",
    "block NAME               stop messages from NAME; they are not told",
    "unblock NAME             let messages from NAME through again",
    "blocked                  list the people you block",
    "help [COMMAND]           show this list, or what one command does",
    "quit                     leave (or Ctrl-D)",
    "A PASSWORD with spaces is quoted: \"my password\" or 'my password'. Messages to you appear as NAME: TEXT.",
];

/// The commands' names.
pub(super) const NAMES: [&str; 15] = [
    "create",
    "login",
    "logout",
    "delete",
    "password",
    "status",
    "list",
    "send",
    "list_pending",
    "history",
    "block",
    "unblock",
    "blocked",
    "help",
    "quit",
];

/// How many messages `history` shows if no number is given.
const HISTORY: u32 = 20;

/// What a line asks for.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Command {
    Create {
        name: String,
        password: Option<String>,
    },
    Login {
        name: String,
        password: Option<String>,
    },
    Logout,
    Delete,
    Password(Option<Change>),
    Status,
    List {
        pattern: String,
    },
    Send {
        to: String,
        text: String,
    },
    ListPending,
    History {
        with: String,
        count: u32,
    },
    Block {
        name: String,
    },
    Unblock {
        name: String,
    },
    Blocked,
    /// About all commands, or one.
    Help(Option<&'static str>),
    Quit,
}

impl Command {
    /// What a user calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Login { .. } => "login",
            Self::Logout => "logout",
            Self::Delete => "delete",
            Self::Password(_) => "password",
            Self::Status => "status",
            Self::List { .. } => "list",
            Self::Send { .. } => "send",
            Self::ListPending => "list_pending",
            Self::History { .. } => "history",
            Self::Block { .. } => "block",
            Self::Unblock { .. } => "unblock",
            Self::Blocked => "blocked",
            Self::Help(_) => "help",
            Self::Quit => "quit",
        }
    }
}

impl Command {
    /// Whether there may be another login after it, or none.
    pub fn changes_login(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Login { .. } | Self::Logout | Self::Delete)
    }
}

/// A new password for an old one.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Change {
    pub old: String,
    pub new: String,
}

/// Whether a line may hold a password.
pub(super) fn is_secret(line: &str) -> bool {
    matches!(&*word(line).0.to_ascii_lowercase(), "create" | "login" | "password")
}

/// The first word, and what follows it, less one blank.
fn word(line: &str) -> (&str, &str) {
    let line = line.trim_start();
    line.split_once(char::is_whitespace).unwrap_or((line, ""))
}

/// Reads a line; `None` if it is blank.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub(super) fn parse(line: &str) -> Result<Option<Command>, String> {
    let line = line.trim_end_matches(['\n', '\r']);
    let (typed, rest) = word(line);
    // A keyboard may begin a line with a capital.
    let name = &*typed.to_ascii_lowercase();
    let nothing_more = |command: Command| match rest.trim() {
        "" => Ok(Some(command)),
        more => Err(format!("`{name}` takes no arguments, but got `{more}`. `help` shows all commands.")),
    };
    match name {
        "" => Ok(None),
        "create" => with_password(name, rest, |name, password| Command::Create { name, password }),
        "login" => with_password(name, rest, |name, password| Command::Login { name, password }),
        "logout" => nothing_more(Command::Logout),
        "delete" => nothing_more(Command::Delete),
        "password" => change(rest),
        "status" => nothing_more(Command::Status),
        "list" => Ok(Some(Command::List { pattern: rest.trim().into() })),
        "send" => send(rest),
        "list_pending" => nothing_more(Command::ListPending),
        "history" => history(rest),
        "block" => only_name(name, rest, |name| Command::Block { name }),
        "unblock" => only_name(name, rest, |name| Command::Unblock { name }),
        "blocked" => nothing_more(Command::Blocked),
        "help" | "?" => help(rest),
        "quit" | "exit" => nothing_more(Command::Quit),
        _ => Err(unknown_command(typed)),
    }
}

/// `NAME [PASSWORD]`: a password that is not quoted is all the rest of the line, so that it can have spaces inside.
fn with_password(
    command: &str,
    rest: &str,
    make: fn(String, Option<String>) -> Command,
) -> Result<Option<Command>, String> {
    let Some((name, rest, _)) = quoting::word(rest)? else {
        return Err(format!("`{command}` needs a name: {command} NAME [PASSWORD]"));
    };
    let password = match quoting::word(rest)? {
        None => None,
        Some((_, _, false)) => Some(rest.trim().to_owned()),
        Some((password, more, true)) if more.trim().is_empty() => Some(password),
        Some(_) => return Err(format!("There is something after the quoted password: {command} NAME [PASSWORD]")),
    };
    Ok(Some(make(name, password)))
}

fn change(rest: &str) -> Result<Option<Command>, String> {
    let mut words = quoting::words(rest)?.into_iter();
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Ok(Some(Command::Password(None))),
        (Some(old), Some(new), None) => Ok(Some(Command::Password(Some(Change { old, new })))),
        _ => Err("`password` needs the old password and the new one, quoted if they have spaces: \
                  password [OLD NEW]"
            .into()),
    }
}

fn send(rest: &str) -> Result<Option<Command>, String> {
    // The text begins right after the one blank behind the name, and is sent as it is.
    match quoting::word(rest)? {
        Some((to, text, _)) if !text.trim().is_empty() => Ok(Some(Command::Send { to, text: text.to_owned() })),
        _ => Err("`send` needs a name and a text: send NAME TEXT".into()),
    }
}

fn history(rest: &str) -> Result<Option<Command>, String> {
    const FORM: &str = "`history` needs a name, and takes a number of messages from 1: history NAME [N]";
    let words = quoting::words(rest)?;
    let (with, count) = match &words[..] {
        [with] => (with, HISTORY),
        [with, count] => (with, count.parse().ok().filter(|count| *count > 0).ok_or(FORM)?),
        _ => return Err(FORM.into()),
    };
    Ok(Some(Command::History { with: with.clone(), count }))
}

/// `NAME`, and nothing more.
fn only_name(command: &str, rest: &str, make: fn(String) -> Command) -> Result<Option<Command>, String> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    match words[..] {
        [name] => Ok(Some(make(name.into()))),
        _ => Err(format!("`{command}` takes one name: {command} NAME")),
    }
}

fn help(rest: &str) -> Result<Option<Command>, String> {
    let asked = rest.trim();
    match NAMES.iter().find(|name| name.eq_ignore_ascii_case(asked)) {
        Some(name) => Ok(Some(Command::Help(Some(name)))),
        None if asked.is_empty() => Ok(Some(Command::Help(None))),
        None => Err(unknown_command(asked)),
    }
}

/// The lines of `help`, about all commands or one.
pub(super) fn help_lines(about: Option<&str>) -> Vec<String> {
    let is_meant = |line: &&&str| about.is_none_or(|about| line.split(' ').next() == Some(about));
    HELP.iter().filter(is_meant).map(|line| (*line).to_owned()).collect()
}

fn unknown_command(unknown: &str) -> String {
    if let Some(name) = unknown.strip_suffix(':').filter(|name| !name.is_empty()) {
        return format!("There is no command `{unknown}`: to write to {name}, type `send {name} TEXT`.");
    }
    let nearest = NAMES.iter().map(|name| (distance(unknown, name), name)).min();
    match nearest {
        Some((distance, name)) if distance <= 2 && distance < name.len().min(unknown.len()) => {
            format!("There is no command `{unknown}`: did you mean `{name}`?")
        }
        _ => format!("There is no command `{unknown}`: `help` shows all commands."),
    }
}

/// How many letters must be put in, left out, changed, or swapped with the next to make one word the
/// other (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().take(32).collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let change = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Command {
        parse(line).unwrap().unwrap()
    }

    #[test]
    fn every_command_is_read() {
        let (name, password) = (String::from("ann"), Some(String::from("pw")));
        assert_eq!(read("create ann pw"), Command::Create { name: name.clone(), password: password.clone() });
        assert_eq!(read("  login  ann"), read("login ann"));
        assert_eq!(read("login ann"), Command::Login { name: name.clone(), password: None });
        assert_eq!(
            read("login ann correct horse \r\n"),
            Command::Login { name: name.clone(), password: Some("correct horse".into()) }
        );
        assert_eq!(read("logout\n"), Command::Logout);
        assert_eq!(read("delete"), Command::Delete);
        assert_eq!(read("password"), Command::Password(None));
        assert_eq!(read("password a b"), Command::Password(Some(Change { old: "a".into(), new: "b".into() })));
        assert_eq!(read("status "), Command::Status);
        assert_eq!(read("list"), Command::List { pattern: String::new() });
        assert_eq!(read("list a.*b c"), Command::List { pattern: "a.*b c".into() });
        assert_eq!(read("list_pending"), Command::ListPending);
        assert_eq!(read("history ann"), Command::History { with: name.clone(), count: 20 });
        assert_eq!(read("history ann 3"), Command::History { with: name, count: 3 });
        assert_eq!(read("block ann"), Command::Block { name: "ann".into() });
        assert_eq!(read("unblock  ann "), Command::Unblock { name: "ann".into() });
        assert_eq!(read("blocked"), Command::Blocked);
        assert_eq!((read("help"), read("quit")), (Command::Help(None), Command::Quit));
        assert_eq!((read("help Send"), read("?")), (Command::Help(Some("send")), Command::Help(None)));
        assert_eq!(help_lines(Some("send")).len(), 1);
        assert_eq!(read("SEND Bob Hi"), read("send Bob Hi"));
        assert!(is_secret("Login ann pw"));
        assert!(parse(" \n").unwrap().is_none());
    }

    #[test]
    fn the_text_of_a_message_is_the_rest_of_the_line_as_it_is() {
        assert_eq!(read("send bob  two  blanks "), Command::Send { to: "bob".into(), text: " two  blanks ".into() });
        assert_eq!(
            read("send bob it's \"raw\n").clone(),
            Command::Send { to: "bob".into(), text: "it's \"raw".into() }
        );
        assert_eq!(read("send bob \"quoted\"\n"), Command::Send { to: "bob".into(), text: "\"quoted\"".into() });
    }

    #[test]
    fn passwords_may_be_quoted() {
        let login = |password: &str| Command::Login { name: "ann".into(), password: Some(password.into()) };
        assert_eq!(read("login ann \" outer blanks \""), login(" outer blanks "));
        assert_eq!(read("login 'ann' '\"'"), login("\""));
        assert_eq!(read("login ann say \"hi\""), login("say \"hi\""), "a quote inside is one of its characters");
        let change = |old: &str, new: &str| Command::Password(Some(Change { old: old.into(), new: new.into() }));
        assert_eq!(read("password 'an old one' \"a \\\"new\\\" \\\\ one\""), change("an old one", "a \"new\" \\ one"));
        assert_eq!(read("create 'a b' pw"), Command::Create { name: "a b".into(), password: Some("pw".into()) });
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, words) in [
            ("create", "create NAME [PASSWORD]"),
            ("send", "send NAME TEXT"),
            ("send bob", "send NAME TEXT"),
            ("send bob  ", "send NAME TEXT"),
            ("history", "history NAME [N]"),
            ("block", "block NAME"),
            ("unblock ann bob", "unblock NAME"),
            ("blocked ann", "`ann`"),
            ("history bob x", "history NAME [N]"),
            ("history bob 0", "history NAME [N]"),
            ("logout now", "got `now`"),
            ("password one", "password [OLD NEW]"),
            ("password one two three", "quoted if they have spaces"),
            ("login ann 'open", "not closed"),
            ("login ann 'a' b", "after the quoted password"),
            ("sned bob hi", "did you mean `send`?"),
            ("bob: hi", "type `send bob TEXT`"),
            ("help sned", "did you mean `send`?"),
            ("list_pnding", "did you mean `list_pending`?"),
            ("hello everybody", "did you mean `help`?"),
            ("thanks everybody", "`help` shows all commands"),
            ("x", "`help` shows all"),
        ] {
            let wrong = parse(line).unwrap_err();
            assert!(wrong.contains(words), "{line}: {wrong}");
        }
    }

    #[test]
    fn help_names_every_command() {
        for name in NAMES {
            assert!(HELP.iter().any(|line| line.split(' ').next() == Some(name)), "{name}");
        }
    }

    #[test]
    fn the_docs_name_every_command() {
        let docs = include_str!("../../../../docs/chat.md");
        for name in NAMES {
            assert!(docs.contains(&format!("`{name}`")) || docs.contains(&format!("`{name} ")), "{name}");
        }
    }

    #[test]
    fn lines_with_passwords_are_known() {
        assert!(is_secret(" login ann pw") && is_secret("password a b") && is_secret("create a b"));
        assert!(!is_secret("send login x"));
    }
}
