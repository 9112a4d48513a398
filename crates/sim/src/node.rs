//! A replica's machine: the core, its disk, its views, its clock.

use lastword_core::io::Report;
use lastword_core::{Core, Mono, Now};
use lastword_server::wire::Wire;

use crate::disk::Disk;
use crate::views::Views;
use crate::world::Happening;

pub(crate) struct Node {
    /// None while the process does not run.
    pub(crate) core: Option<Core>,
    pub(crate) disk: Disk,
    pub(crate) views: Views,
    pub(crate) wire: Wire,
    /// Each start has a number of its own: what belongs to an earlier one is void.
    pub(crate) life: u64,
    pub(crate) frozen: bool,
    /// What waits at the door of a frozen process.
    pub(crate) asleep: Vec<Happening>,
    pub(crate) clock_offset_us: i64,
    pub(crate) wake: Option<Mono>,
    /// Syncs take so long more until then.
    pub(crate) slow_until: Mono,
    pub(crate) slow_us: u64,
    pub(crate) fail_next_sync: bool,
    pub(crate) full: bool,
    /// Older copies of the disk.
    pub(crate) backups: Vec<Disk>,
    pub(crate) reports: Vec<Report>,
}

impl Node {
    pub(crate) fn new(wire: Wire) -> Self {
        Self {
            core: None,
            disk: Disk::default(),
            views: Views::default(),
            wire,
            life: 0,
            frozen: false,
            asleep: Vec::new(),
            clock_offset_us: 0,
            wake: None,
            slow_until: Mono::default(),
            slow_us: 0,
            fail_next_sync: false,
            full: false,
            backups: Vec::new(),
            reports: Vec::new(),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.core.is_some()
    }

    pub(crate) fn time(&self, now: Mono) -> Now {
        let wall_us = 1_790_000_000_000_000 + now.0.as_micros() as i64 + self.clock_offset_us;
        Now { mono: now, wall_us: wall_us.max(0) as u64 }
    }
}
