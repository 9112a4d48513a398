//! Which faults a run has, drawn by its seed: each run has a subset of its own, so that some have few
//! kinds at a high rate.

use std::fmt;

use crate::chance::Chance;

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A replica's process is killed, and started again later.
    Crash,
    /// All processes are killed at once.
    CrashAll,
    /// A process is stopped for 0.1 to 8 s.
    Freeze,
    /// A crashed replica's disk is emptied.
    Wipe,
    /// A crashed replica's disk is replaced by an older copy of it.
    Restore,
    /// The link of two replicas breaks, and they may dial again at once.
    BreakLink,
    /// Nothing goes through between two replicas, either way.
    Cut,
    /// Nothing goes through between two replicas, one way.
    CutOneWay,
    /// A replica is cut off from all others.
    Isolate,
    /// A client can't reach a replica.
    CutClient,
    /// Syncs of a disk take 20 ms to 5 s for a while.
    SlowDisk,
    /// A sync fails: the process ends.
    FailedSync,
    /// A disk has no room for a while.
    FullDisk,
    /// A replica's clock jumps by up to twenty years.
    ClockJump,
    /// Messages take up to 400 ms for a while.
    SlowNetwork,
}

/// All kinds.
pub const FAULTS: [Fault; 15] = [
    Fault::Crash,
    Fault::CrashAll,
    Fault::Freeze,
    Fault::Wipe,
    Fault::Restore,
    Fault::BreakLink,
    Fault::Cut,
    Fault::CutOneWay,
    Fault::Isolate,
    Fault::CutClient,
    Fault::SlowDisk,
    Fault::FailedSync,
    Fault::FullDisk,
    Fault::ClockJump,
    Fault::SlowNetwork,
];

/// What a run is like.
#[derive(Debug, Clone)]
pub struct Plan {
    /// So many replicas: mostly three.
    pub replicas: usize,
    /// So many people.
    pub people: usize,
    /// The faults, of which each moment of trouble draws one.
    pub faults: Vec<Fault>,
    /// Between two faults, in milliseconds on average.
    pub fault_every_ms: u64,
    /// Between two deeds of one person, in milliseconds on average.
    pub deed_every_ms: u64,
    /// How long the trouble lasts, in milliseconds.
    pub trouble_ms: u64,
    /// A replica that nothing ever happens to.
    pub sanctuary: Option<usize>,
    /// One way over a link, in microseconds, at most.
    pub hop_us: u64,
    /// A sync, in microseconds, at most.
    pub sync_us: u64,
    /// People all want the same few names.
    pub crowded_names: bool,
    /// People delete their accounts now and then.
    pub deletes: bool,
}

impl Plan {
    /// Draws a plan.
    pub fn draw(chance: &mut Chance) -> Self {
        let replicas = [3, 3, 3, 3, 3, 2, 4, 1][chance.below(8) as usize];
        let share = 1 + chance.below(FAULTS.len() as u64);
        let faults: Vec<Fault> = FAULTS.into_iter().filter(|_| chance.below(FAULTS.len() as u64) < share).collect();
        Self {
            replicas,
            people: 2 + chance.below(4) as usize,
            faults,
            fault_every_ms: [150, 500, 1500, 4000][chance.below(4) as usize],
            deed_every_ms: [20, 100, 400][chance.below(3) as usize],
            trouble_ms: 5_000 + chance.below(20_000),
            sanctuary: chance.per_mille(400).then(|| chance.below(replicas as u64) as usize),
            hop_us: [200, 2_000, 30_000][chance.below(3) as usize],
            sync_us: [200, 2_000, 20_000][chance.below(3) as usize],
            crowded_names: chance.per_mille(300),
            deletes: chance.per_mille(300),
        }
    }

    /// Whether replicas that run may not see each other at times.
    pub fn splits(&self) -> bool {
        use Fault::{BreakLink, Cut, CutOneWay, Freeze, Isolate, SlowDisk, SlowNetwork};
        let splitting = [BreakLink, Cut, CutOneWay, Freeze, Isolate, SlowDisk, SlowNetwork];
        self.faults.iter().any(|fault| splitting.contains(fault))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{} replicas, {} people, a deed every {} ms; for {} ms a fault every {} ms of {:?}; safe: {:?}",
            self.replicas,
            self.people,
            self.deed_every_ms,
            self.trouble_ms,
            self.fault_every_ms,
            self.faults,
            self.sanctuary
        )
    }
}
