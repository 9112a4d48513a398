//! Why something could not be done.

use std::time::Duration;

use lastword_protocol::{Code, Refusal};

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A replica refused it. The sentence is for a person.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No replica answered in time, so it is not known whether it was done. (A command with a key can be
    /// given again with the same key: it is then done once at most.)
    #[error(
        "No server answered within {} s (tried {tried}). It may or may not have been done.",
        waited.as_secs_f32()
    )]
    NoAnswer {
        /// How long the command waited.
        waited: Duration,
        /// The addresses, separated by commas.
        tried: String,
    },
    /// No replica could be reached in time. The command was sent to none: it was not done.
    #[error("No server could be reached within {} s (tried {tried}). It was not done.", waited.as_secs_f32())]
    NoReplica {
        /// How long the command waited.
        waited: Duration,
        /// The addresses, separated by commas.
        tried: String,
    },
    /// Too many commands wait for an answer: it was not done. Wait for some answers first.
    #[error("{limit} commands are waiting for an answer already. This one was not sent; wait for some answers first.")]
    TooMany {
        /// How many may wait.
        limit: usize,
    },
    /// The client was closed.
    #[error("The client is closed.")]
    Closed,
    /// The certificates to trust can't be had.
    #[error("{0}")]
    Tls(String),
    /// An address that is not `HOST:PORT`, or none at all.
    #[error("{0}")]
    BadAddress(String),
}

impl Error {
    /// The server's code, if a replica refused.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }
}
