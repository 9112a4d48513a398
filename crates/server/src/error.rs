//! Why a server can't start, or had to stop.

use std::io;
use std::path::PathBuf;

use crate::group::Address;

/// Why a server can't start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The port can't be had.
    #[error(
        "can't listen on {address}: {source}; is another server running there? Give it another port, or stop that one"
    )]
    Listen {
        /// Where.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// The group's list makes no sense.
    #[error("the group list is not right: {0}")]
    Group(String),
    /// The group reaches beyond this machine, and there is no key.
    #[error(
        "the group member {0} is not on loopback, so the replicas need a cluster key: make one with `lastword key FILE`, copy it to every replica, and start each with --key FILE"
    )]
    KeyNeeded(Address),
    /// The key file is not one.
    #[error("{path} is no cluster key ({what}): make one with `lastword key FILE`")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The certificate for clients, or its key.
    #[error(
        "{path} can't be used for TLS: {what}; give PEM files: the certificate (and those that lead to its root) as --tls-cert, its key as --tls-key"
    )]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The data directory.
    #[error(transparent)]
    Open(#[from] lastword_store::OpenError),
    /// The databases can't be read.
    #[error(
        "the data directory can't be used: {0}; if views.db is at fault, delete it and start again: it is made anew"
    )]
    Store(#[from] lastword_store::StoreError),
    /// The disk failed while the server ran.
    #[error(transparent)]
    Disk(#[from] lastword_store::AppendError),
    /// The core panicked.
    #[error("the core has failed, which is a mistake in the program: please report what stands above")]
    Panicked,
    /// The machine refused a thread or randomness.
    #[error("the machine refused {what}: {source}")]
    Machine {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}
