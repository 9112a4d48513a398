//! The server: network, threads and disks around the core.
//!
//! One thread for the network and the core, one for each of the disk's files, and batches between them:
//!
//! ```text
//!   network (tokio)                                storage
//!   front::lines  --\                         /-->  log     append, sync, "stored up to here"
//!   front::http   ----->  engine::core_task  -
//!   peers::link   --/     <-- outboxes        \-->  views   apply, look up, read the log
//!                              |
//!                              \--> passwords: a few threads that stand back (bounded)
//! ```
//!
//! * `listen`: one port for everything, told apart by the first bytes (`sniff`), in plain text or in `tls`.
//! * `front`: the client protocols. They know [`engine::Engine`] and nothing of replication.
//! * `peers`: the links to the other replicas.
//! * [`engine`]: the core's task and the threads of the disks.
//! * `metrics`: what an operator asks about all of them.

pub mod cluster_key;
pub mod engine;
mod error;
mod front;
pub mod group;
mod limits;
mod listen;
mod local_key;
mod metrics;
pub mod offline;
pub mod original;
mod passwords;
mod peers;
mod private;
mod reports;
#[doc(hidden)]
pub mod sniff;
mod stream;
mod tls;
mod validity;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lastword_core::Settings;
use lastword_core::io::Report;

use engine::start::{Clock, open};

pub use cluster_key::ClusterKey;
pub use error::ServerError;
pub use front::convert as wire;
#[doc(hidden)]
pub use front::cutting;
#[doc(hidden)]
pub use front::lines::refusal_line;
pub use group::{Address, Group};
pub use limits::Limits;
pub use local_key::local_key;
pub use passwords::{hash_password, is_usable_hash};
pub use peers::Problems;
#[doc(hidden)]
pub use peers::framing;
pub use private::warn_if_others_read;
pub use tls::Certificates;

/// What a server is told at its start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 means any that is free (in a group of one only).
    pub listen: Address,
    /// The whole group, the same list on every replica; empty for a group of one.
    pub group: Vec<Address>,
    /// The data directory.
    pub data: PathBuf,
    /// The cluster key. Left out, a group of one, and one that is all on loopback, uses this user's own.
    pub key: Option<ClusterKey>,
    /// For clients that come within TLS; without them there is none.
    pub certificates: Option<Arc<Certificates>>,
    /// Whether clients may come in plain text.
    pub plain_text: bool,
    /// From where pages may come that open a WebSocket, as browsers say it (`https://chat.example.org`), beside this
    /// server's own host and the group.
    pub origins: Vec<String>,
    /// What clients may take.
    pub limits: Limits,
    /// Below so many free bytes on the disk nothing new is taken in.
    pub free_bytes_min: u64,
    /// Views that are so many facts behind the log at the start are made while the server takes part already, and
    /// lets people in when they are there; fewer are waited for.
    pub views_behind_max: u64,
    /// Replicas that are dialled at another address than the one in `group`, by their names: for tests that put
    /// something in between.
    pub via: Vec<(String, Address)>,
    /// The wall clock is so many milliseconds ahead of the machine's: for tests.
    pub clock_offset_ms: i64,
    /// Memory of one password hash. Passwords that were hashed with another are hashed anew at the next login: it is
    /// to be the same on all replicas.
    pub hash_memory_kib: u32,
    /// Passwords that are hashed at a time, each on a thread of its own.
    pub hashes: usize,
    /// Sessions that nobody used for so long are ended.
    pub session_unused: Duration,
    /// How often they are looked for; for the first time so long after the start.
    pub sessions_swept: Duration,
}

impl Options {
    /// A server with the defaults for everything that is not said here.
    pub fn new(listen: Address, data: PathBuf) -> Self {
        Self {
            listen,
            group: Vec::new(),
            data,
            key: None,
            certificates: None,
            plain_text: true,
            origins: Vec::new(),
            limits: Limits::default(),
            free_bytes_min: 64 * 1024 * 1024,
            // A second or two.
            views_behind_max: 200_000,
            via: Vec::new(),
            clock_offset_ms: 0,
            hash_memory_kib: passwords::MEMORY_KIB,
            hashes: passwords::default_threads(),
            session_unused: Settings::default().session_unused,
            sessions_swept: Settings::default().sweep_every,
        }
    }
}

/// Runs a server until `shutdown` is ready, and calls `ready` when clients can connect. Within a tokio
/// runtime.
///
/// Log lines come in the span that is current where the runtime's thread and this function begin: one that names the
/// replica, with [`Group::own_name`], makes those of several servers tell apart.
///
/// # Errors
/// It can't start, or its disk failed. Each error says what happened, to what, and what to do.
pub async fn run(
    options: Options,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServerError> {
    let group = Group::new(&options)?;
    let settings = settings(&options);
    let (mut ready, mut options) = (Some(ready), options);
    let files = limits::Files::of_process(options.limits.connections)?;
    options.limits.connections = files.places();
    let metrics = Arc::new(metrics::Metrics::new(&options));
    tokio::pin!(shutdown);
    loop {
        let clock = Clock::start_shifted(options.clock_offset_ms);
        let count = |report: &Report| metrics.on_report(report);
        let opened = open(&options.data, &group, settings.clone(), options.views_behind_max, clock, count)?;
        let listener = listen::bind(&options.listen).await?;
        let address =
            listener.local_addr().map_err(|source| ServerError::Listen { address: options.listen.clone(), source })?;
        // Where any port would do, it is to be the same one the next time.
        options.listen.port = address.port();
        let running = engine::Running::start(opened, &options, metrics.clone())?;
        let engine = running.engine.clone();
        let peers = Arc::new(peers::Peers::new(engine.clone(), group.clone(), metrics.problems.clone()));
        let dialling = peers::dial_all(&peers);
        if let Some(ready) = ready.take() {
            ready(address);
        }
        let scheme = if options.plain_text { "http" } else { "https" };
        tracing::info!(%address, page = format_args!("{scheme}://{}/", options.listen), "ready");
        let asked_to_stop = listen::serve(listener, &peers, &options, &files, shutdown.as_mut()).await;
        drop(dialling);
        let anew = engine.starts_anew() && !matches!(asked_to_stop, Ok(true));
        drop(engine);
        running.stop().await?;
        asked_to_stop?;
        if !anew {
            return Ok(());
        }
        tracing::info!("a record of the log has changed: restarting");
    }
}

/// What the core is told of the options.
fn settings(options: &Options) -> Settings {
    let settings = Settings::default();
    // Who comes every day must not look like nobody.
    let use_noted = settings.use_noted.min(options.session_unused / 8);
    let mailbox = options.limits.pending_per_account;
    let accounts = usize::try_from(options.limits.accounts).unwrap_or(usize::MAX);
    let account_bytes_per_day = options.limits.account_bytes_per_day(options.listen.is_loopback());
    let (session_unused, sweep_every) = (options.session_unused, options.sessions_swept);
    Settings { session_unused, sweep_every, use_noted, mailbox, account_bytes_per_day, accounts, ..settings }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_noted_often_enough_for_the_shortest_sessions() {
        let day = Duration::from_secs(24 * 3600);
        let mut options = Options::new("127.0.0.1:1".parse().expect("an address"), "nowhere".into());
        for (unused, noted) in [(day, day / 8), (day * 30, day), (day * 3650, day)] {
            options.session_unused = unused;
            let settings = settings(&options);
            assert_eq!((settings.session_unused, settings.use_noted), (unused, noted));
            assert!(settings.use_noted + settings.sweep_every < settings.session_unused / 2);
        }
    }
}
