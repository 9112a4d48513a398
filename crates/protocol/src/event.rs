//! What a server says unasked: lines without an `id`.

use serde::{Deserialize, Serialize};

use crate::answer::{Message, Replica};

/// One event: `{"event":"message", …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Somebody wrote to the account that this connection listens for.
    Message(Message),
    /// Something that this account sent has reached its receiver.
    Receipt(Receipt),
    /// The group's health has changed.
    Replicas {
        /// The whole group.
        replicas: Vec<Replica>,
        /// See [`crate::answer::Hello::stale`].
        stale: bool,
        /// See [`crate::answer::Hello::disk_full`].
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        disk_full: bool,
    },
    /// Somebody has come or gone: only on a connection that has asked for its `conversations`, of the people in them.
    Presence(Presence),
    /// The server ends this connection.
    Closed {
        /// Why.
        reason: CloseReason,
    },
    /// An event that this reader does not know: to be ignored.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// Something that this account sent has reached its receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The message's id.
    pub message: String,
    /// The name of its receiver.
    pub to: String,
    /// How far it came.
    pub state: ReceiptState,
}

/// How far a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// Its receiver's client has shown it.
    Delivered,
    /// A state that this reader does not know.
    #[serde(other)]
    Unknown,
}

/// Somebody has come or gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Whose account.
    pub account: String,
    /// Their name.
    pub name: String,
    /// Listens now.
    pub online: bool,
}

/// Why a server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The client did not read what was sent to it.
    Slow,
    /// The account was deleted.
    Deleted,
    /// The session was ended by a logout or a new password.
    LoggedOut,
    /// Nothing went either way for a long time.
    Idle,
    /// The server stops.
    Shutdown,
    /// A reason that this reader does not know.
    #[serde(other)]
    Unknown,
}
