//! What an operator asks of a running server: counted here, told by `GET /metrics`.
//!
//! * What happens is counted where it happens, in atomics: a relaxed add for what one person does, once a batch
//!   where there are batches.
//! * What is so now is asked for when somebody looks ([`scrape`]): the core, and the machine; each has so long and no
//!   longer, and what did not answer in time is left out, and named.
//! * `page` makes the text of both. It names replicas, and no accounts.
//!
//! The crate `prometheus-client` writes the text. Its own histograms take a lock for each value, so there is one of
//! atomics here.

mod connections;
mod counts;
mod families;
mod histogram;
mod labels;
mod machine;
mod page;
pub(crate) mod scrape;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use lastword_core::io::{Leave, ReplicaId, Report};
use lastword_protocol::Code;
use tokio::sync::Semaphore;

use crate::Options;
use crate::peers::Problems;
use crate::tls::Certificates;
pub(crate) use connections::Connections;
use counts::Counts;
use histogram::{FACTS, Histogram, TIMES};
pub(crate) use labels::{Ended, Front, Hashing, Kind, Operation};
use labels::{Label, Left, Told};

/// What a server counts, over all its starts within the process.
pub(crate) struct Metrics {
    /// Client connections.
    pub(crate) connections: Connections,
    /// Connections that the server has ended, by reason.
    pub(crate) ended: Counts<Ended>,
    /// Requests, by operation.
    pub(crate) requests: Counts<Operation>,
    /// Refusals, by code.
    pub(crate) errors: Counts<Code>,
    /// From a request being taken up to its answer being on the socket, by what it costs.
    answers: Vec<Histogram>,
    /// Clients that began to listen here after a `resume`.
    pub(crate) moved: AtomicU64,
    /// Password hashes.
    pub(crate) hashes: Counts<Hashing>,
    /// One transaction of the log, with its sync.
    pub(crate) sync: Histogram,
    /// The facts in it.
    pub(crate) sync_facts: Histogram,
    /// Facts that wait for the log's thread.
    pub(crate) log_queue: AtomicU64,
    /// Messages that wait for their receivers; [`NOT_KNOWN`] until the views are there.
    pending: AtomicU64,
    /// By replica: how often answers ceased to wait for it.
    left: Vec<Counts<Left>>,
    /// Why replicas can't be met.
    pub(crate) problems: Problems,
    /// What else the core has reported.
    told: Counts<Told>,
    /// For clients within TLS.
    certificates: Option<Arc<Certificates>>,
    /// When the process began, more or less.
    began: SystemTime,
    /// The data directory.
    dir: PathBuf,
    /// The most client connections.
    connections_max: usize,
    /// One look at the machine at a time: a disk that hangs must not take a thread for each.
    looking: Arc<Semaphore>,
    /// The page that was made last, and when that began; `None` if whoever asked has gone meanwhile.
    page: tokio::sync::Mutex<Option<(tokio::time::Instant, Option<String>)>>,
}

/// In the place of a number.
const NOT_KNOWN: u64 = u64::MAX;

impl Metrics {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            connections: Connections::default(),
            ended: Counts::default(),
            requests: Counts::default(),
            errors: Counts::default(),
            answers: Kind::ALL.iter().map(|_| Histogram::new(&TIMES)).collect(),
            moved: AtomicU64::new(0),
            hashes: Counts::default(),
            sync: Histogram::new(&TIMES),
            sync_facts: Histogram::new(&FACTS),
            log_queue: AtomicU64::new(0),
            pending: AtomicU64::new(NOT_KNOWN),
            left: options.group.iter().map(|_| Counts::default()).collect(),
            problems: Problems::default(),
            told: Counts::default(),
            certificates: options.certificates.clone(),
            began: SystemTime::now(),
            dir: options.data.clone(),
            connections_max: options.limits.connections,
            looking: Arc::new(Semaphore::new(1)),
            page: tokio::sync::Mutex::default(),
        }
    }

    /// So many messages wait for their receivers, if that is known.
    pub(crate) fn set_pending(&self, pending: Option<u64>) {
        self.pending.store(pending.unwrap_or(NOT_KNOWN), Ordering::Relaxed);
    }

    fn pending(&self) -> Option<u64> {
        Some(self.pending.load(Ordering::Relaxed)).filter(|&pending| pending != NOT_KNOWN)
    }

    /// So many answers of a kind took so long.
    pub(crate) fn observe_answers(&self, kind: Kind, time: Duration, count: u64) {
        self.answers[kind.place()].observe_time(time, count);
    }

    /// Counts what the core reports.
    pub(crate) fn on_report(&self, report: &Report) {
        let told = match report {
            Report::OutOfSync(_, Leave::Replaced) => return,
            Report::OutOfSync(peer, why) => return self.on_left(*peer, *why),
            // Gauges tell these.
            Report::InSync(_) | Report::NotStaleAnyMore => return,
            Report::WrongGroup(_) => Told::WrongGroup,
            Report::Ignored(..) => Told::Ignored,
            Report::NotUnderstood(..) => Told::NotUnderstood,
            Report::Damaged(_) => Told::Damaged,
            Report::Lost(_) => Told::Lost,
            Report::Repaired(_) => Told::Repaired,
            Report::HoldFull => Told::HoldFull,
            Report::ClocksDiffer(_) | Report::ClockWasSet => Told::Clock,
        };
        self.told.add(told, 1);
    }

    /// Counts a handshake with a replica that has another list of the group: the core never hears of that one.
    pub(crate) fn on_other_list(&self) {
        self.told.add(Told::WrongGroup, 1);
    }

    fn on_left(&self, peer: ReplicaId, why: Leave) {
        let left = match why {
            Leave::Disconnected | Leave::Replaced => Left::Disconnected,
            Leave::Silent => Left::Silent,
            Leave::Slow => Left::Slow,
        };
        if let Some(counts) = self.left.get(usize::from(peer.0)) {
            counts.add(left, 1);
        }
    }
}
