//! A replica's machine: the core, its disk, its views, its clock.

use std::collections::{BTreeSet, VecDeque};

use lastword_core::{Core, Mono, Now};
use lastword_facts::VersionVector;
use lastword_server::wire::Wire;

use crate::disk::Disk;
use crate::views::Views;
use crate::world::Happening;

pub(crate) struct Node {
    /// None while the process does not run.
    pub(crate) core: Option<Core>,
    pub(crate) disk: Disk,
    pub(crate) views: Views,
    /// They stand for records that were mended since: they are made anew at the next start.
    pub(crate) views_are_void: bool,
    /// They are made while the replica runs, and not to be asked before.
    pub(crate) views_in_making: bool,
    pub(crate) wire: Wire,
    pub(crate) clock: Clock,
    /// Each start has a number of its own: what belongs to an earlier one is void.
    pub(crate) life: u64,
    pub(crate) started: Mono,
    pub(crate) frozen: bool,
    /// It is being killed since then: its links are gone, and it has not ended yet.
    pub(crate) dying: Option<Mono>,
    /// Others were in sync with it when it began to die.
    pub(crate) company: bool,
    /// It had the mark of having been the last one up when it started.
    pub(crate) was_alone: bool,
    /// What waits at the door of a frozen process.
    pub(crate) asleep: Vec<Happening>,
    pub(crate) wake: Option<Mono>,
    /// A sync is under way.
    pub(crate) syncing: bool,
    /// Syncs take so long more until then.
    pub(crate) slow_until: Mono,
    pub(crate) slow_us: u64,
    pub(crate) fail_next_sync: bool,
    /// What is left of a batch after a crash may have holes.
    pub(crate) tears: bool,
    /// Since when the disk is full.
    pub(crate) full: Option<Mono>,
    /// It does not come back.
    pub(crate) gone_for_ever: bool,
    /// It makes facts that others don't understand.
    pub(crate) newer: bool,
    /// Older copies of the disk.
    pub(crate) backups: Vec<Disk>,
    /// What the log covered, at the start of this life and every while since.
    pub(crate) covered: VecDeque<(Mono, VersionVector)>,
    /// The replicas that said hello to it in this life.
    pub(crate) met: BTreeSet<usize>,
    /// When it was last not stale.
    pub(crate) last_fresh: Option<Mono>,
}

impl Node {
    pub(crate) fn new(wire: Wire) -> Self {
        Self {
            core: None,
            disk: Disk::default(),
            views: Views::default(),
            views_are_void: false,
            views_in_making: false,
            wire,
            clock: Clock::default(),
            life: 0,
            started: Mono::default(),
            frozen: false,
            dying: None,
            company: false,
            was_alone: false,
            asleep: Vec::new(),
            wake: None,
            syncing: false,
            slow_until: Mono::default(),
            slow_us: 0,
            fail_next_sync: false,
            tears: false,
            full: None,
            gone_for_ever: false,
            newer: false,
            backups: Vec::new(),
            covered: VecDeque::new(),
            met: BTreeSet::new(),
            last_fresh: None,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.core.is_some()
    }

    pub(crate) fn time(&self, now: Mono) -> Now {
        Now { mono: now, wall_us: self.clock.at(now) }
    }
}

/// What its clock shows.
#[derive(Default)]
pub(crate) struct Clock {
    offset_us: i64,
    /// It goes faster by so many millionths; -1,000,000: it stands still.
    drift: i64,
    /// Since when it drifts.
    since: Mono,
}

impl Clock {
    fn at(&self, now: Mono) -> u64 {
        let drifted = (now.since(self.since).as_micros() as i64 / 1_000_000) * self.drift
            + (now.since(self.since).as_micros() as i64 % 1_000_000) * self.drift / 1_000_000;
        let wall_us = 1_790_000_000_000_000 + now.0.as_micros() as i64 + self.offset_us + drifted;
        wall_us.max(0) as u64
    }

    pub(crate) fn jump(&mut self, by_us: i64) {
        self.offset_us = by_us;
    }

    pub(crate) fn drift(&mut self, now: Mono, millionths: i64) {
        let shown = self.at(now) as i64;
        (self.since, self.drift) = (now, millionths);
        self.offset_us += shown - self.at(now) as i64;
    }
}
