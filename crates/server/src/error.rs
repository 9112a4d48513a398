//! Why a server can't start, or had to stop.

use std::io;
use std::path::PathBuf;

use crate::group::Address;

/// Why a server can't start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The host to listen on is not found.
    #[error(
        "can't listen on {host}: its name can't be resolved ({source}). Give an IP address or a host name of this machine as HOST"
    )]
    ListenHost {
        /// What was given.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The port can't be had.
    #[error("can't listen on {address}: {source}. {}", what_to_do(.source))]
    Listen {
        /// Where.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// The group's list makes no sense.
    #[error("--group is wrong: {0}")]
    Group(String),
    /// The group reaches beyond this machine, and there is no key.
    #[error(
        "the group member {0} is not on loopback, so the replicas need a cluster key: make one with `lastword key FILE`, copy it to every replica, and start each with --key FILE"
    )]
    KeyNeeded(Address),
    /// There is no key, and no place for this user's own.
    #[error(
        "no --key was given, and there is no place for this user's own cluster key: neither XDG_STATE_HOME nor HOME is set to an absolute path. Make a key with `lastword key FILE`, and start each server of the group with --key FILE"
    )]
    NoPlaceForKey,
    /// There is no key, and this user's own can't be used.
    #[error(
        "no --key was given, and this user's own cluster key, {path}, can't be used: {what}. Put that right, or make another key with `lastword key FILE` and start each server of the group with --key FILE"
    )]
    LocalKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The key file can't be read.
    #[error("can't read the cluster key {path}: {source}. {}", what_to_do_with_key(.source))]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key file is not one.
    #[error("{path} is not a cluster key: {what}. Make one with `lastword key FILE`")]
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
    #[error("the data directory can't be used: {0}; if views.db is at fault, delete it and start again: it is rebuilt")]
    Store(#[from] lastword_store::StoreError),
    /// The disk failed while the server ran.
    #[error(transparent)]
    Disk(#[from] lastword_store::AppendError),
    /// Somebody took the data directory away while the server ran.
    #[error(
        "the data directory {0} was deleted, moved or replaced while the server ran: start the server again, and it refills from the other replicas; if there are no others, put the directory back first"
    )]
    DataGone(PathBuf),
    /// The core panicked.
    #[error("the core has failed. This is a bug: please report the messages above")]
    Panicked,
    /// The process may have too few files open.
    #[error(
        "this process may have only {most} open files, and a server needs {least} at least: raise the limit (`ulimit -Hn`, LimitNOFILE= of systemd)"
    )]
    TooFewFiles {
        /// How many it may have.
        most: usize,
        /// How many it needs.
        least: usize,
    },
    /// The machine refused a thread or randomness.
    #[error("the machine refused {what}: {source}")]
    Machine {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// What helps where a port can't be had.
fn what_to_do(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "Another program, perhaps another Lastword server, listens on this port: stop it, or choose another port"
        }
        io::ErrorKind::AddrNotAvailable => "This machine does not have this address: give one of its own as HOST",
        io::ErrorKind::PermissionDenied => {
            "This user may not listen on this port: choose one from 1024 on, or allow it (CAP_NET_BIND_SERVICE)"
        }
        _ => "Check HOST and PORT",
    }
}

/// What helps where a key can't be read. A new one, in the place of the group's, would only part this replica from it.
fn what_to_do_with_key(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "Copy the group's key there, or make one for a new group with `lastword key FILE`",
        io::ErrorKind::PermissionDenied => "Give it to the user that the server runs as, with `chown`",
        _ => "Check that it is the file that `lastword key FILE` has made",
    }
}
