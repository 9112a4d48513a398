//! What goes into the core, and what comes out of it.
//!
//! The driver hands in an [`Input`] with [`Core::handle`](crate::Core::handle), then takes every
//! [`Output`] from [`Core::poll_output`](crate::Core::poll_output) and carries it out, and calls
//! again with [`Input::Timer`] at the latest when [`Core::poll_timeout`](crate::Core::poll_timeout)
//! says. Its duties:
//!
//! 1. Outputs are carried out in the order in which they come, as far as they go to the same place
//!    (the log, the views, one connection, one link).
//! 2. [`Input::Stored`] comes only when the facts up to there are synced to disk.
//! 3. On waking after a pause, inputs that wait are handed in before timers.
//! 4. What goes to a connection or a link that has closed meanwhile is dropped. A connection or link
//!    that has ended is reported as such once, and its id is never used again.

mod refusal;
mod report;

use std::sync::Arc;

use lastword_facts::Fact;
use lastword_facts::ids::{AccountId, Key, LogIndex, Order, Position, Stamp};
use lastword_facts::token::{Pos, SessionToken, TokenHash};
use lastword_facts::views::{Applied, Found, MessageRecord, Query};

use crate::pattern::{BadPattern, Matched, Pattern};
use crate::peer_message::PeerMessage;

pub use refusal::Refusal;
pub use report::{Leave, Report};

/// A client's connection. Drawn by the driver, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A request on a connection. Drawn by the driver; the answer carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// A replica, by its place in the group's list, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(pub u8);

impl ReplicaId {
    /// `a`, `b`, `c`… as people see it.
    pub fn name(self) -> String {
        char::from(b'a' + self.0 % 26).to_string()
    }
}

/// One connection to another replica. Drawn by the driver, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Something slow that the driver does for the core off the main path: hashing, or reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// What goes in.
#[derive(Debug, Clone)]
pub enum Input {
    /// A client has connected.
    Opened(ConnectionId),
    /// A client's connection has ended.
    Closed(ConnectionId),
    /// A client asks. Requests of one connection are carried out in their order.
    Request(ConnectionId, Tag, Request),
    /// Everything handed to this connection up to an [`Output::Event`] with `drain` was written.
    Drained(ConnectionId),
    /// Another replica is connected: keys were checked on both sides, nothing was said yet.
    LinkUp(ReplicaId, LinkId),
    /// Another replica says something.
    Link(ReplicaId, LinkId, PeerMessage),
    /// The connection to another replica has ended.
    LinkDown(ReplicaId, LinkId),
    /// The log is on disk up to and with this place.
    Stored(LogIndex),
    /// The [`Output::Repair`] of this position is on disk.
    Repaired(Position),
    /// How much room the disk has.
    DiskRoom(DiskRoom),
    /// Whether the views can be asked: not while they are made anew. Said before the replica starts, or when they
    /// are there. Until then nobody is let in; taking part in the replication needs no views.
    ViewsReady(bool),
    /// The answer to [`Output::Hash`]; `None` if it could not be done now.
    Hashed(JobId, Option<String>, SessionToken),
    /// The answer to [`Output::Check`]: which of the hashes fits, if any; or that too many wait.
    Checked(JobId, Result<Option<Fit>, Busy>, SessionToken),
    /// The answer to [`Output::Query`].
    Found(JobId, Found),
    /// The answer to [`Output::Match`].
    Matched(JobId, Result<Matched, BadPattern>),
    /// Time has passed.
    Timer,
}

/// How much room there is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskRoom {
    /// None: only what frees room or people is taken: deletions, logouts, confirms of delivery.
    None,
    /// A reserve for people who are there already: they can also log in, change their password, and block somebody. No
    /// new messages or accounts.
    Reserve,
    /// For everything.
    Enough,
}

/// A password fits a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// Which of the hashes it fits.
    pub which: usize,
    /// The password hashed anew, if that hash was made with other parameters than are in use now. (It is made
    /// before the login is answered, which then takes twice as long, once.)
    pub rehashed: Option<String>,
}

/// Too many password hashes wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// What comes out.
#[derive(Debug, Clone)]
pub enum Output {
    /// Append these facts to the log, the first at this place, and sync. They must be stored before
    /// nothing in particular: everything that depends on them waits for [`Input::Stored`].
    Store(LogIndex, Vec<Arc<Fact>>),
    /// Write into the views. All of it is in the log on disk.
    Apply(Vec<Applied>),
    /// Look something up, after all [`Output::Apply`] that came before. While the views are not ready
    /// ([`Input::ViewsReady`]), only [`Query::Facts`] is asked.
    Query(JobId, Query),
    /// Write the fact over the damaged record of its position in the log, and say [`Input::Repaired`]
    /// when it is on disk.
    Repair {
        /// What is to stand there.
        fact: Arc<Fact>,
        /// The views were made from something else: with the same sync, mark them as not to be used at
        /// the next start.
        anew: bool,
    },
    /// Stop, and start anew on the log, under a new incarnation: a record was mended, and the state was
    /// made from something else. Everything that was handed to the disk must be on it before.
    StartAnew,
    /// Keep durably whether this replica is the only one up.
    Alone(bool),
    /// Hash a new password of a client, and draw a session token. Nobody is to wait for a client that has many of
    /// these.
    Hash(JobId, ConnectionId, Password),
    /// Check a password against these hashes, in this order, and draw a session token. With no hash
    /// at all take as long as with one.
    Check(JobId, ConnectionId, Password, Vec<String>),
    /// Match names ([`Pattern::match_names`]), away from the core's thread, for some milliseconds at most; then say
    /// [`Input::Matched`], with how long it took. There is one of these at a time. (Its number is of these alone.)
    Match(JobId, Pattern, Vec<Arc<str>>),
    /// Answer a request. What it tells is on the disks it names.
    Answer(ConnectionId, Tag, Result<Answer, Refusal>),
    /// Tell a client something. What it tells is on this replica's disk.
    Event {
        /// Whom.
        connection: ConnectionId,
        /// What. Where several are told the same, one after the other, it is one and the same.
        event: Arc<Event>,
        /// Report with [`Input::Drained`] when this was written to the socket.
        drain: bool,
    },
    /// End a client's connection, after telling it why.
    Close(ConnectionId, CloseReason),
    /// Say something to another replica. Nothing needs to be on disk before.
    Send(ReplicaId, LinkId, PeerMessage),
    /// End the connection to another replica.
    CloseLink(ReplicaId, LinkId),
    /// Something an operator wants to know.
    Report(Report),
}

/// A password on its way to be hashed. Never shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("Password(secret)")
    }
}

/// What a client asks.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "operations and fields are those of docs/protocol.md, by the same names")]
pub enum Request {
    Ping,
    /// `hello` and `status`.
    Status,
    Create {
        name: String,
        password: Password,
        key: Key,
    },
    Login {
        name: String,
        password: Password,
    },
    Resume {
        token: TokenHash,
        seen: Option<Stamp>,
    },
    Logout {
        key: Key,
    },
    Delete {
        key: Key,
    },
    Password {
        old: Password,
        new: Password,
        key: Key,
    },
    List {
        pattern: Pattern,
        limit: u32,
        after: Option<String>,
    },
    Send {
        to: Receiver,
        text: String,
        key: Key,
    },
    Pending {
        limit: u32,
        after: Option<Key>,
    },
    /// `block` and `unblock`.
    Block {
        who: Receiver,
        on: bool,
        key: Key,
    },
    Blocked {
        limit: u32,
        after: Option<AccountId>,
    },
    Listen,
    Delivered {
        upto: Pos,
    },
    History {
        with: Receiver,
        limit: u32,
        before: Option<Order>,
        /// The most bytes of the answer, roughly.
        bytes: u32,
    },
    Conversations {
        limit: u32,
        before: Option<Order>,
    },
}

impl Request {
    /// About how many bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        let carries = match self {
            Self::Create { name, password, .. } | Self::Login { name, password } => name.len() + password.0.len(),
            Self::Password { old, new, .. } => old.0.len() + new.0.len(),
            Self::List { pattern, after, .. } => {
                let Pattern::Text(pattern) = pattern else { return size_of::<Self>() };
                pattern.len() + after.as_ref().map_or(0, String::len)
            }
            Self::Send { to: Receiver::Name(name), text, .. } => name.len() + text.len(),
            Self::Send { text, .. } => text.len(),
            Self::History { with: Receiver::Name(name), .. } => name.len(),
            _ => 0,
        };
        size_of::<Self>() + carries
    }
}

/// Somebody whom a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    /// Whoever has this name now.
    Name(String),
    /// This account.
    Account(AccountId),
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are those of docs/protocol.md, by the same names")]
pub enum Answer {
    /// Done, and there is nothing to say.
    Nothing,
    Status {
        name: Option<String>,
        health: Arc<Health>,
    },
    Created {
        account: AccountId,
        name: String,
        token: SessionToken,
        copies: Copies,
    },
    LoggedIn {
        account: AccountId,
        name: String,
        token: Option<SessionToken>,
        pending: u64,
        notice: Option<Notice>,
    },
    /// `logout`, `delete`, `password`, `block`, `unblock`.
    Stored(Copies),
    Blocked {
        people: Vec<Person>,
        more: bool,
    },
    Names {
        names: Vec<String>,
        more: bool,
    },
    Sent {
        key: Key,
        to: AccountId,
        at_ms: u64,
        seen: Stamp,
        copies: Copies,
        online: bool,
    },
    Pending {
        messages: Vec<MessageView>,
        more: bool,
    },
    Listening {
        pending: u64,
    },
    History {
        with: Person,
        messages: Vec<MessageView>,
        more: bool,
    },
    Conversations {
        conversations: Vec<Conversation>,
        more: bool,
    },
}

/// Somebody, as others see him now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub account: AccountId,
    /// What he is called.
    pub name: Arc<str>,
    /// He would get a message at once.
    pub online: bool,
    /// Their account is deleted.
    pub deleted: bool,
}

/// What somebody has exchanged with somebody else, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The other one.
    pub with: Person,
    /// Its newest message.
    pub last: MessageView,
}

/// On how many disks something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copies {
    /// On so many.
    pub stored: u32,
    /// Of so many replicas in the group.
    pub of: u32,
}

/// A message with the names that its people go by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// The message.
    pub message: MessageRecord,
    /// The name of its author.
    pub from: Arc<str>,
    /// The name of its receiver.
    pub to: Arc<str>,
    /// What this replica has seen: at least the message's own stamp, and never less than it told before.
    pub seen: Stamp,
}

/// Something to tell a person at login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Two people took the name while the group was split; this account goes by another one now.
    Renamed {
        /// The name it asked for.
        from: String,
        /// The name it goes by.
        to: String,
    },
    /// The password was changed in two places that did not know of each other: one of the changes has lost.
    PasswordChangedTwice,
}

/// What a client is told unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody wrote to it.
    Message(MessageView),
    /// Something it sent has reached its receiver.
    Receipt {
        /// Which.
        key: Key,
        /// The receiver's name.
        to: Arc<str>,
    },
    /// Somebody has come or gone, of those in the conversations that the connection has asked for.
    Presence(Person),
    /// The group's health has changed.
    Health(Arc<Health>),
}

/// Why a client's connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Its account was deleted.
    Deleted,
    /// Its session has ended.
    LoggedOut,
    /// It asked for more than fits.
    Slow,
}

/// How this replica sees the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// It started, was not the last one up, and may lack what others have: it has not caught up yet with a replica that
    /// is not stale, nor with all others of the group.
    pub stale: bool,
    /// Its disk has no room for new messages and accounts.
    pub disk_full: bool,
    /// Of each replica, in the group's order.
    pub replicas: Vec<Standing>,
}

/// How this replica sees one of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is this one.
    Own,
    /// Every answer waits for its disk.
    InSync,
    /// Connected, and taking in what it missed.
    CatchingUp,
    /// Not connected.
    Down,
}
