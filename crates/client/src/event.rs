//! What the caller is told unasked.

use lastword_protocol::Refusal;
use lastword_protocol::answer::{Message, Replica};
use lastword_protocol::event::{Presence, Receipt};

/// What the caller is told unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Somebody wrote. Comes once, also over failovers, as long as this client lives (and the 100,000
    /// messages before are remembered); a client that ended before it confirmed gets it again.
    Message(Message),
    /// Something that was sent has reached its receiver. Advisory: may be missed in a failover.
    Receipt(Receipt),
    /// Somebody has come or gone, of the people in the [`conversations`](crate::Client::conversations) that were asked
    /// for. Advisory, too.
    Presence(Presence),
    /// The group's health, as the leader sees it, has changed. Advisory, too.
    Replicas {
        /// The whole group.
        replicas: Vec<Replica>,
        /// The leader started, was not the last one up, and may still lack what others have.
        stale: bool,
    },
    /// Commands go to another replica now, and messages come from it.
    Moved {
        /// Who it was before; `None` for the first. The same as `to` where one came back after
        /// [`Event::NoReplica`].
        from: Option<String>,
        /// Who it is now.
        to: String,
    },
    /// No replica can be reached. The client goes on trying, and keeps commands up to their deadline;
    /// [`Event::Moved`] says when it is over.
    NoReplica {
        /// The addresses, separated by commas, each with the reason where there is one to tell: a server that wants TLS,
        /// a certificate that is not trusted.
        tried: String,
    },
    /// No messages come: the leader lets no more connections of this account listen (16 may). The client goes on trying,
    /// and all else works; [`Event::Listening`] says when messages come. Comes once, not for each try; and not after a
    /// [`Client::listen`](crate::Client::listen) that was refused, since its error says the same.
    NotListening {
        /// What the replica said.
        refusal: Refusal,
    },
    /// Messages come again: the leader has let this client listen after all.
    Listening {
        /// How many waited.
        pending: u64,
    },
    /// The session is over, not by this client's doing.
    LoggedOut {
        /// Why.
        reason: LogoutReason,
    },
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutReason {
    /// The account was deleted.
    Deleted,
    /// It was ended from elsewhere: a logout, or a new password.
    LoggedOut,
    /// Every replica that can be reached refuses both the session and its password.
    Refused,
}
