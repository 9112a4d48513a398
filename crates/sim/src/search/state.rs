//! A state of the whole group, in numbers.
//!
//! Replicas, links and messages are kept once each, in tables, and a state names them by their numbers:
//! it is a few dozen bytes, is compared exactly, and two states that differ in one replica share the rest.

use std::collections::HashMap;
use std::hash::Hash;

use super::scenario::{Budget, OPERATIONS, REPLICAS};

/// The two sides of each pair of replicas.
pub(super) const PAIRS: [(usize, usize); REPLICAS] = [(0, 1), (0, 2), (1, 2)];

/// A state of the whole group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// Steps of time so far.
    pub(super) time: u16,
    pub(super) replicas: [u32; REPLICAS],
    pub(super) pairs: [u32; REPLICAS],
    pub(super) operations: [Stage; OPERATIONS],
    pub(super) left: Budget,
    /// Those who want one name were not connected at some moment since the first of them asked.
    pub(super) split: bool,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    /// Nobody has asked yet.
    Ahead,
    /// Nobody will ask.
    Never,
    Asked,
    /// Its replica crashed before it answered.
    Lost,
    Refused,
    /// A message is on so many disks.
    Stored(u8),
    Created,
}

/// What is between two replicas.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Pair {
    /// Counts the links between them; 0 before the first.
    pub(super) link: u16,
    /// The last one works. What is on its way on a broken one may still arrive.
    pub(super) whole: bool,
    pub(super) ends: [End; 2],
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct End {
    /// The link that this side knows of; 0 for none.
    pub(super) known: u16,
    /// It has not been told of the latest link yet.
    pub(super) coming: bool,
    /// What is on its way to this side on the latest link.
    pub(super) inbox: Vec<u32>,
}

impl End {
    /// What this side believes to be its link does not work any more.
    pub(super) fn is_stale(&self, pair: &Pair) -> bool {
        self.known != 0 && (self.known != pair.link || !pair.whole)
    }
}

impl Pair {
    /// Both sides know of the link, and it works.
    pub(super) fn is_up(&self) -> bool {
        self.whole && self.ends.iter().all(|end| end.known == self.link)
    }

    pub(super) fn break_link(&mut self) {
        self.whole = false;
        for end in &mut self.ends {
            if std::mem::take(&mut end.coming) {
                end.inbox.clear();
            }
        }
    }

    pub(super) fn join(&mut self) {
        self.link += 1;
        self.whole = true;
        for end in &mut self.ends {
            end.coming = true;
            end.inbox.clear();
        }
    }
}

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// One side of a pair is told of the new link.
    Up { pair: usize, end: usize },
    /// One side of a pair is told that its link is down. What was still on its way is lost.
    Down { pair: usize, end: usize },
    /// The next message arrives.
    Deliver { pair: usize, end: usize },
    /// The sync under way is done.
    Sync(usize),
    /// A client asks.
    Ask(usize),
    /// A process ends; the sync under way counts, or does not.
    Crash { replica: usize, survives: bool },
    /// A process starts.
    Start(usize),
    /// A disk is emptied.
    Wipe(usize),
    /// A link breaks.
    Cut(usize),
    /// A link is made.
    Join(usize),
    /// Time goes on.
    Pass,
}

/// The pair of two replicas, and at which end of it the first is.
pub(super) fn pair_of(one: usize, other: usize) -> (usize, usize) {
    let pair = one + other - 1;
    (pair, usize::from(one > other))
}

/// Things that are kept once each, by number.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    numbers: HashMap<K, u32>,
    all: Vec<V>,
}

impl<K: Eq + Hash, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), all: Vec::new() }
    }
}

impl<K: Eq + Hash, V> Table<K, V> {
    pub(super) fn number(&mut self, key: K, value: impl FnOnce() -> V) -> u32 {
        *self.numbers.entry(key).or_insert_with(|| {
            self.all.push(value());
            u32::try_from(self.all.len() - 1).expect("fewer than four billion")
        })
    }

    pub(super) fn of(&self, number: u32) -> &V {
        &self.all[number as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}
