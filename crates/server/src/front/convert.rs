//! Between the wire's types and the core's: pages are kept within their limits, tokens are opened and sealed.
//!
//! Lengths are judged before, by [`check`]: what is too long never gets here.

use lastword_core::io::{self, Password, Receiver, Request as CoreRequest, Standing};
use lastword_core::pattern::Pattern;
use lastword_facts::ids::{AccountId, Key, LogIndex};
use lastword_facts::token::{Pos, SeenKey, SessionToken};
use lastword_protocol::answer::{self, Done, ReplicaState};
use lastword_protocol::event::{self, Event, ReceiptState};
use lastword_protocol::{Code, LINE_BYTES, Op, Refusal, RequestId, Uuid, request};

pub use super::lengths::check;
use crate::group::Group;
use crate::passwords::opaque;
use crate::peers::Problems;

/// Names, messages and conversations in a page, if nothing is said, and at most.
const NAMES: (u32, u32) = (100, 1000);
const MESSAGES: (u32, u32) = (50, 500);
const CONVERSATIONS: (u32, u32) = (100, 200);
const BLOCKED: (u32, u32) = (100, 100);

/// The longest text within a line, in bytes as it is escaped there: the rest is for all else that the line says.
const ESCAPED_BYTES: usize = LINE_BYTES - 2048;

/// What a replica needs to know to speak the protocol.
#[derive(Debug, Clone)]
pub struct Wire {
    /// The group.
    pub group: Group,
    /// What `seen` tokens are signed with.
    pub seen_key: SeenKey,
    /// Why replicas can't be met.
    pub problems: Problems,
}

impl Wire {
    /// For one replica of a group, of whose others nothing is wrong.
    pub fn new(group: Group) -> Self {
        let seen_key = group.key.seen_key();
        Self { group, seen_key, problems: Problems::default() }
    }
}

/// Which shape of answer an operation has, where the core does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The object of `hello`.
    Hello,
    /// What the core's answer says.
    Other,
}

impl Shape {
    /// The shape that an operation's answer has.
    pub fn of(op: &Op) -> Self {
        if matches!(op, Op::Hello { .. }) { Self::Hello } else { Self::Other }
    }
}

/// A new password, in the form in which it is hashed. The core judges how long that may be.
fn new_password(password: &str) -> Result<Password, Refusal> {
    let normal = opaque::normal(password).ok_or_else(|| {
        Refusal::new(
            Code::BadPassword,
            "A password can't have control characters in it (a tab or a line break, for example).",
        )
    })?;
    Ok(Password(normal.into_owned()))
}

/// Turns a request of the wire that [`check`] had nothing against into one of the core.
///
/// # Errors
/// Which field can't be read.
pub fn request(op: Op, seen_key: &SeenKey) -> Result<CoreRequest, Refusal> {
    Ok(match op {
        Op::Hello { .. } | Op::Status => CoreRequest::Status,
        Op::Ping => CoreRequest::Ping,
        Op::Create { name, password, key } => {
            CoreRequest::Create { name, password: new_password(&password)?, key: from_uuid(key) }
        }
        Op::Login { name, password } => CoreRequest::Login { name, password: Password(password) },
        Op::Resume { token, seen } => CoreRequest::Resume {
            token: SessionToken::parse(&token)
                .ok_or_else(|| Refusal::new(Code::WrongLogin, io::Refusal::WrongLogin.to_string()))?
                .hash(),
            // One that was not signed here says nothing.
            seen: seen.and_then(|seen| seen_key.open(&seen)),
        },
        Op::Logout { key } => CoreRequest::Logout { key: from_uuid(key) },
        Op::Delete { key } => CoreRequest::Delete { key: from_uuid(key) },
        Op::Password { old, new, key } => {
            CoreRequest::Password { old: Password(old), new: new_password(&new)?, key: from_uuid(key) }
        }
        Op::List { pattern, limit, after } => {
            CoreRequest::List { pattern: Pattern::Text(pattern), limit: within(limit, NAMES), after }
        }
        Op::Send { to, text, key } => {
            let to = somebody(to, "The recipient user does not exist.")?;
            CoreRequest::Send { to, text, key: from_uuid(key) }
        }
        Op::Pending { limit, after } => {
            let after = after.map(|after| {
                let wrong = || Refusal::new(Code::BadRequest, "`after` is not the `message` of a pending message.");
                Uuid::parse_str(&after).map(from_uuid).map_err(|_| wrong())
            });
            CoreRequest::Pending { limit: within(limit, MESSAGES), after: after.transpose()? }
        }
        Op::Block { who, key } => {
            CoreRequest::Block { who: somebody(who, "There is no user with that id.")?, on: true, key: from_uuid(key) }
        }
        Op::Unblock { who, key } => {
            CoreRequest::Block { who: somebody(who, "There is no user with that id.")?, on: false, key: from_uuid(key) }
        }
        Op::Blocked { limit, after } => {
            let wrong = || Refusal::new(Code::BadRequest, "`after` is not the `account` of somebody who is blocked.");
            let after = after.map(|after| AccountId::parse(&after).ok_or_else(wrong)).transpose()?;
            CoreRequest::Blocked { limit: within(limit, BLOCKED), after }
        }
        Op::Listen => CoreRequest::Listen,
        Op::Delivered { upto } => CoreRequest::Delivered { upto: pos(&upto, "upto")? },
        Op::History { with, limit, before, bytes } => {
            let before = before.map(|before| pos(&before, "before")).transpose()?.map(|pos| pos.order);
            let with = somebody(with, "There is no user with that id.")?;
            let bytes = bytes.unwrap_or(u32::MAX);
            CoreRequest::History { with, limit: within(limit, MESSAGES), before, bytes }
        }
        Op::Conversations { limit, before } => {
            let before = before.map(|before| pos(&before, "before")).transpose()?.map(|pos| pos.order);
            CoreRequest::Conversations { limit: within(limit, CONVERSATIONS), before }
        }
    })
}

fn somebody(who: request::Receiver, unknown: &str) -> Result<Receiver, Refusal> {
    Ok(match who {
        request::Receiver::Name(name) => Receiver::Name(name),
        request::Receiver::Account(account) => match AccountId::parse(&account) {
            Some(account) => Receiver::Account(account),
            None => return Err(Refusal::new(Code::NoSuchUser, unknown)),
        },
    })
}

fn pos(text: &str, field: &str) -> Result<Pos, Refusal> {
    Pos::parse(text).ok_or_else(|| Refusal::new(Code::BadRequest, format!("`{field}` is not the `pos` of a message.")))
}

fn within(limit: Option<u32>, (default, most): (u32, u32)) -> u32 {
    limit.unwrap_or(default).clamp(1, most)
}

fn from_uuid(uuid: Uuid) -> Key {
    Key(uuid.as_u128())
}

fn uuid(key: Key) -> String {
    Uuid::from_u128(key.0).to_string()
}

/// Writes the answer to a request as a line. A page that is too long for one is cut.
pub fn write_answer(
    into: &mut Vec<u8>,
    id: RequestId,
    shape: Shape,
    result: Result<io::Answer, io::Refusal>,
    wire: &Wire,
) {
    let result = match result {
        Ok(answer) => Ok(done(answer, shape, wire)),
        Err(refused) => Err(refusal(&refused)),
    };
    let mut answer = answer::Answer { id: Some(id), result };
    let from = into.len();
    loop {
        write_line(into, &answer);
        let length = into.len() - from;
        if length <= LINE_BYTES + 1 || !cut(&mut answer, length) {
            return;
        }
        into.truncate(from);
    }
}

/// Takes entries off the end of a page whose line is so long. Says whether there were any to spare.
fn cut(answer: &mut answer::Answer, length: usize) -> bool {
    fn keep<T>(entries: &mut Vec<T>, more: &mut bool, length: usize) -> bool {
        let kept = (entries.len() * LINE_BYTES / length).min(entries.len() - 1).max(1);
        let shorter = kept < entries.len();
        entries.truncate(kept);
        *more = true;
        shorter
    }
    match &mut answer.result {
        Ok(Done::History(page)) if page.messages.len() > 1 => keep(&mut page.messages, &mut page.more, length),
        Ok(Done::Conversations(page)) if page.conversations.len() > 1 => {
            keep(&mut page.conversations, &mut page.more, length)
        }
        Ok(Done::Pending(page)) if page.messages.len() > 1 => keep(&mut page.messages, &mut page.more, length),
        Ok(Done::List(page)) if page.names.len() > 1 => keep(&mut page.names, &mut page.more, length),
        _ => false,
    }
}

/// Writes one JSON line.
pub fn write_line(into: &mut Vec<u8>, line: &impl SerializeLine) {
    line.write(into);
    into.push(b'\n');
}

/// What stands in a line: these types always become JSON.
pub trait SerializeLine {
    /// Writes it at the end of `into`, without a line feed.
    fn write(&self, into: &mut Vec<u8>);
}

impl SerializeLine for answer::Answer {
    fn write(&self, into: &mut Vec<u8>) {
        serde_json::to_writer(into, self).expect("strings and numbers always become JSON");
    }
}

impl SerializeLine for Event {
    fn write(&self, into: &mut Vec<u8>) {
        serde_json::to_writer(into, self).expect("strings and numbers always become JSON");
    }
}

/// Whether a text can be handed over in one line: it may grow beyond that when it is escaped.
pub fn fits_a_line(text: &str) -> bool {
    text.bytes().map(escaped_len).sum::<usize>() <= ESCAPED_BYTES
}

/// How long a byte of a text is within a JSON string, in bytes.
fn escaped_len(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

/// A text as it is handed over. One that does not fit can't have come from a client: its beginning is handed over,
/// for a line that is too long ends the connection, and the next one, and no other message would ever arrive.
fn fitting(mut text: String) -> String {
    if !fits_a_line(&text) {
        let mut room = ESCAPED_BYTES - '…'.len_utf8();
        let reach = text.bytes().take_while(|&byte| {
            let fits = escaped_len(byte) <= room;
            room = room.saturating_sub(escaped_len(byte));
            fits
        });
        text.truncate(text.floor_char_boundary(reach.count()));
        text.push('…');
    }
    text
}

fn done(answer: io::Answer, shape: Shape, wire: &Wire) -> Done {
    let own = wire.group.own_name();
    match answer {
        io::Answer::Nothing => Done::Nothing(answer::Nothing {}),
        io::Answer::Status { health, .. } if shape == Shape::Hello => Done::Hello(answer::Hello {
            server: concat!("lastword/", env!("CARGO_PKG_VERSION")).to_owned(),
            version: lastword_protocol::VERSION,
            replica: own,
            stale: health.stale,
            disk_full: health.disk_full,
            replicas: replicas(&health, wire),
        }),
        io::Answer::Status { name, health } => Done::Status(answer::Status {
            name,
            replica: own,
            stale: health.stale,
            disk_full: health.disk_full,
            replicas: replicas(&health, wire),
        }),
        io::Answer::Created { account, name, token, copies } => Done::Create(answer::Created {
            account: account.to_string(),
            name,
            token: token.reveal(),
            stored: copies.stored,
            of: copies.of,
        }),
        io::Answer::LoggedIn { account, name, token, pending, notice } => Done::Login(answer::LoggedIn {
            account: account.to_string(),
            name,
            token: token.map(|token| token.reveal()),
            pending,
            notice: notice.map(|notice| match notice {
                io::Notice::Renamed { from, to } => format!(
                    "While the servers could not reach each other, somebody else took the name {from}; you are called {to} now, and {from} with your password still opens your account."
                ),
                io::Notice::PasswordChangedTwice => "Your password was changed in two places at the same time, and only the earlier change counts. If you did not make both changes, somebody else knows your old password. Change your password once more to be sure; this message then goes away.".to_owned(),
            }),
        }),
        io::Answer::Stored(copies) => Done::Stored(answer::Stored { stored: copies.stored, of: copies.of }),
        io::Answer::Names { names, more } => Done::List(answer::Names { names, more }),
        io::Answer::Sent { key, to, at_ms, seen, copies, online } => Done::Send(answer::Sent {
            message: uuid(key),
            to_account: to.to_string(),
            at: at_ms,
            seen: wire.seen_key.seal(seen),
            stored: copies.stored,
            of: copies.of,
            online,
        }),
        io::Answer::Pending { messages, more } => Done::Pending(answer::PendingPage {
            messages: messages
                .into_iter()
                .map(|view| answer::PendingMessage {
                    message: uuid(view.message.key),
                    to: view.to.to_string(),
                    at: view.message.at_ms,
                    text: fitting(view.message.text),
                })
                .collect(),
            more,
        }),
        io::Answer::Blocked { people, more } => Done::Blocked(answer::BlockedPage {
            blocked: people
                .into_iter()
                .map(|person| answer::BlockedPerson {
                    account: person.account.to_string(),
                    name: person.name.to_string(),
                })
                .collect(),
            more,
        }),
        io::Answer::Listening { pending } => Done::Listen(answer::Listening { pending }),
        io::Answer::History { with, messages, more } => Done::History(answer::HistoryPage {
            account: with.account.to_string(),
            name: with.name.to_string(),
            online: with.online,
            deleted: with.deleted,
            messages: messages.into_iter().map(|view| message(view, LogIndex::NONE, wire)).collect(),
            more,
        }),
        io::Answer::Conversations { conversations, more } => Done::Conversations(answer::ConversationsPage {
            conversations: conversations
                .into_iter()
                .map(|io::Conversation { with, last }| answer::Conversation {
                    account: with.account.to_string(),
                    name: with.name.to_string(),
                    online: with.online,
                    last: message(last, LogIndex::NONE, wire),
                })
                .collect(),
            more,
        }),
    }
}

fn message(view: io::MessageView, index: LogIndex, wire: &Wire) -> answer::Message {
    let io::MessageView { message, from, to, seen } = view;
    answer::Message {
        message: uuid(message.key),
        from: from.to_string(),
        from_account: message.author.to_string(),
        to: to.to_string(),
        to_account: message.to.to_string(),
        at: message.at_ms,
        pos: Pos { order: message.order, index }.to_string(),
        seen: wire.seen_key.seal(seen),
        text: fitting(message.text),
    }
}

/// Turns an event of the core into one of the wire.
pub fn event(event: &io::Event, wire: &Wire) -> Event {
    match event {
        io::Event::Message(view) => {
            let index = view.message.index;
            Event::Message(message(view.clone(), index, wire))
        }
        io::Event::Receipt { key, to } => {
            Event::Receipt(event::Receipt { message: uuid(*key), to: to.to_string(), state: ReceiptState::Delivered })
        }
        io::Event::Presence(io::Person { account, name, online, .. }) => {
            Event::Presence(event::Presence { account: account.to_string(), name: name.to_string(), online: *online })
        }
        io::Event::Health(health) => {
            Event::Replicas { replicas: replicas(health, wire), stale: health.stale, disk_full: health.disk_full }
        }
    }
}

/// Turns the core's reason into the wire's.
pub fn close_reason(reason: io::CloseReason) -> event::CloseReason {
    match reason {
        io::CloseReason::Deleted => event::CloseReason::Deleted,
        io::CloseReason::LoggedOut => event::CloseReason::LoggedOut,
        io::CloseReason::Slow => event::CloseReason::Slow,
    }
}

fn replicas(health: &io::Health, wire: &Wire) -> Vec<answer::Replica> {
    let members = wire.group.members.iter().zip(&health.replicas).enumerate();
    members
        .map(|(n, (address, standing))| answer::Replica {
            name: io::ReplicaId(n as u8).name(),
            address: address.to_string(),
            state: match standing {
                Standing::Own => ReplicaState::Own,
                Standing::InSync => ReplicaState::InSync,
                Standing::CatchingUp => ReplicaState::CatchingUp,
                Standing::Down => ReplicaState::Down,
            },
            problem: (*standing == Standing::Down).then(|| wire.problems.of(io::ReplicaId(n as u8))).flatten(),
        })
        .collect()
}

fn refusal(refused: &io::Refusal) -> Refusal {
    match refused {
        io::Refusal::TooMany { retry_ms }
        | io::Refusal::MailboxFull { retry_ms }
        | io::Refusal::TooManyListeners { retry_ms, .. }
        | io::Refusal::QuotaUsed { retry_ms } => Refusal::too_many(refused.to_string(), *retry_ms),
        _ => Refusal::new(code_of(refused), refused.to_string()),
    }
}

/// The code of a refusal.
pub(crate) fn code_of(refused: &io::Refusal) -> Code {
    match refused {
        io::Refusal::TooMany { .. }
        | io::Refusal::MailboxFull { .. }
        | io::Refusal::TooManyListeners { .. }
        | io::Refusal::QuotaUsed { .. } => Code::TooMany,
        io::Refusal::BadRequest(_) | io::Refusal::BadPattern(_) => Code::BadRequest,
        io::Refusal::TooLong(_) => Code::TooLong,
        io::Refusal::NotLoggedIn => Code::NotLoggedIn,
        io::Refusal::AlreadyLoggedIn => Code::AlreadyLoggedIn,
        io::Refusal::NameTaken => Code::NameTaken,
        io::Refusal::BadName(_) => Code::BadName,
        io::Refusal::BadPassword(_) | io::Refusal::ShortPassword { .. } => Code::BadPassword,
        io::Refusal::WrongLogin => Code::WrongLogin,
        io::Refusal::NoSuchUser(_) => Code::NoSuchUser,
        io::Refusal::StorageFull => Code::StorageFull,
        io::Refusal::Closed => Code::Closed,
        io::Refusal::Unavailable(_) | io::Refusal::NotKnownHere => Code::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_does_not_fit_a_line_is_cut() {
        let whole = "ü\u{1}\n".repeat(100);
        assert_eq!(fitting(whole.clone()), whole);
        for letter in ["\u{1}", "\n", "😀", "x"] {
            let cut = fitting(letter.repeat(LINE_BYTES));
            assert!(fits_a_line(&cut), "{letter:?}");
            let kept = cut.strip_suffix('…').unwrap();
            assert!(kept.chars().all(|kept| letter.starts_with(kept)), "{letter:?}");
            assert!(!fits_a_line(&(cut + letter + letter)), "no more was cut off than had to be");
        }
    }
}
