//! One replica: the real core with its disk, and what is remembered of it to judge by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::Hasher as _;
use std::sync::Arc;

use lastword_core::{Core, PeerMessage};
use lastword_facts::ids::{Incarnation, Position};
use lastword_facts::{AccountId, Fact, Key};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::disk::Disk;
use super::state::Stage;

/// One replica.
#[derive(Default, Clone)]
pub(super) struct Replica {
    /// None while the process does not run.
    pub(super) core: Option<Core>,
    pub(super) disk: Disk,
    pub(super) lives: u8,
    pub(super) wiped: bool,
    /// All that it ever made, also what no disk holds any more.
    pub(super) made: BTreeMap<Position, Arc<Fact>>,
    /// The identities of all that was ever on its disk.
    pub(super) had: BTreeSet<(AccountId, Key)>,
}

/// What happens to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Happening {
    Start,
    Crash { survives: bool },
    Wipe,
    Timer,
    Sync,
    Up { peer: usize, link: u64 },
    Down { peer: usize, link: u64 },
    Message { peer: usize, link: u64, message: u32 },
    Ask(usize),
}

/// What a replica does to the rest of the world.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Send {
        peer: usize,
        link: u64,
        message: PeerMessage,
    },
    CloseLink {
        peer: usize,
        link: u64,
    },
    /// An answer, while so many peers were in sync.
    Answer {
        operation: usize,
        stage: Stage,
        in_sync: usize,
    },
    Violation(String),
}

impl Replica {
    pub(super) fn is_up(&self) -> bool {
        self.core.is_some()
    }

    pub(super) fn syncs(&self) -> bool {
        !self.disk.under_way.is_empty()
    }

    /// 128 bits of all that can make a difference. (Debug shows every field of a core.)
    pub(super) fn hash(&self) -> u128 {
        struct Text(SipHasher13);
        impl std::fmt::Write for Text {
            fn write_str(&mut self, text: &str) -> std::fmt::Result {
                self.0.write(text.as_bytes());
                Ok(())
            }
        }
        let mut text = Text(SipHasher13::new());
        // Writing to a hasher does not fail.
        let _ = write!(text, "{:?}", self.core);
        let mut hasher = text.0;
        for facts in [&self.disk.log, &self.disk.under_way, &self.disk.waiting] {
            hasher.write_usize(facts.len());
            facts.iter().for_each(|fact| hasher.write(fact.bytes()));
        }
        hasher.write_usize(self.made.len());
        self.made.values().for_each(|fact| hasher.write(fact.bytes()));
        hasher.write_usize(self.had.len());
        for (account, key) in &self.had {
            hasher.write_u128(account.0);
            hasher.write_u128(key.0);
        }
        hasher.write_u8(self.lives);
        hasher.write_u8(u8::from(self.wiped) | u8::from(self.disk.alone) << 1);
        hasher.finish128().into()
    }
}

/// The incarnation of one life of a replica: `a1`, `a2`, `b1` where it is shown.
pub(super) fn incarnation(replica: usize, life: u8) -> Incarnation {
    Incarnation(((0xa + replica as u64) << 4 | u64::from(life)) << 32)
}

/// Whose incarnation it is.
pub(super) fn maker(incarnation: Incarnation) -> Option<usize> {
    ((incarnation.0 >> 36) as usize).checked_sub(0xa)
}
