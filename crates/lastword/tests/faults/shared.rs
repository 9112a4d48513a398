//! What everybody in a run knows: the checker, the tally, the network, and what is to be done now.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::checker::Checker;
use crate::network::Network;
use crate::tally::Tally;

/// What people do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// They write.
    Write,
    /// They look only.
    Rest,
    /// They go.
    End,
}

/// A checker that is to be seen to fail: what is done to what people were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// A message is dropped.
    Drop,
    /// A message is shown twice.
    Twice,
    /// A message is shown after the next one.
    Late,
}

/// What everybody in a run knows.
pub struct Shared {
    checker: Mutex<Checker>,
    tally: Mutex<Tally>,
    /// The proxies.
    pub network: Network,
    /// What people do now.
    pub pace: watch::Sender<Pace>,
    /// The name of each person's account now; empty where there is none.
    pub names: Vec<Mutex<String>>,
    /// Which people are logged in.
    pub logged_in: Vec<AtomicBool>,
    /// Clients are not killed now: a disk is about to be destroyed.
    pub spare_clients: AtomicBool,
    /// How many faults are going on.
    pub faults_now: AtomicUsize,
    /// How many have begun.
    pub faults_begun: AtomicU64,
    /// How many races for a name there were.
    pub races: AtomicU16,
    /// Spoils what people are shown.
    pub sabotage: Option<Sabotage>,
}

impl Shared {
    /// For a network.
    pub fn new(network: Network, sabotage: Option<Sabotage>) -> Self {
        let people = network.people();
        Self {
            checker: Mutex::new(Checker::new(people)),
            tally: Mutex::new(Tally::default()),
            network,
            pace: watch::Sender::new(Pace::Write),
            names: (0..people).map(|_| Mutex::default()).collect(),
            logged_in: (0..people).map(|_| AtomicBool::new(false)).collect(),
            spare_clients: AtomicBool::new(false),
            faults_now: AtomicUsize::new(0),
            faults_begun: AtomicU64::new(0),
            races: AtomicU16::new(0),
            sabotage,
        }
    }

    /// The checker, for a moment.
    pub fn checker(&self) -> MutexGuard<'_, Checker> {
        self.checker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tally, for a moment.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A person's name.
    pub fn name(&self, person: usize) -> String {
        self.names[person].lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A person has another name.
    pub fn set_name(&self, person: usize, name: &str) {
        name.clone_into(&mut self.names[person].lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether everybody is logged in.
    pub fn everybody_is_in(&self) -> bool {
        self.logged_in.iter().all(|is_in| is_in.load(Ordering::Relaxed))
    }

    /// What people do now.
    pub fn pace(&self) -> Pace {
        *self.pace.borrow()
    }
}
