//! Why a request was not carried out.

use serde::{Deserialize, Serialize};

/// What kind of refusal it is, for programs. New codes may be added: a reader that meets one it
/// does not know should treat it like [`Code::Internal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request can't be understood; the text says what is wrong with it.
    BadRequest,
    /// A name, a text, a password, a pattern or a line is longer than its limit.
    TooLong,
    /// The operation needs a login on this connection.
    NotLoggedIn,
    /// This connection is logged in to another account.
    AlreadyLoggedIn,
    /// Somebody else has the name.
    NameTaken,
    /// The name does not follow the rules for names.
    BadName,
    /// A new password is too short, or the old one given is wrong.
    BadPassword,
    /// Name and password, or the token, do not open an account.
    WrongLogin,
    /// The account that a request speaks of does not exist.
    NoSuchUser,
    /// Slow down: try again after `retry_ms`.
    TooMany,
    /// The replica's disk is full: it can read, deliver and delete, but not take in.
    StorageFull,
    /// This replica can't do it now: try another one.
    Unavailable,
    /// Accounts are not made here any more.
    Closed,
    /// A fault of the server, or a code that this reader does not know.
    #[serde(other)]
    Internal,
}

/// A refusal: the `error` object of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// What kind of refusal, for programs.
    pub code: Code,
    /// A sentence to show a person.
    pub text: String,
    /// With [`Code::TooMany`]: milliseconds after which another try makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u64>,
}

impl Refusal {
    /// A refusal with a sentence for a person.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), retry_ms: None }
    }

    /// [`Code::TooMany`], with the time after which another try makes sense, in milliseconds.
    pub fn too_many(text: impl Into<String>, retry_ms: u64) -> Self {
        Self { code: Code::TooMany, text: text.into(), retry_ms: Some(retry_ms) }
    }
}
