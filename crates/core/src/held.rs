//! Facts that came before what they rest on.
//!
//! Held in memory, not confirmed to anybody, bounded in bytes. What does not fit is dropped and pulled
//! again later.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastword_facts::Fact;
use lastword_facts::ids::{Incarnation, Position, Seq};

/// Facts that came before what they rest on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    facts: BTreeMap<Position, Arc<Fact>>,
    /// By what is missing: who waits for it. Each held fact waits for one thing at a time.
    waiting: BTreeMap<Position, Vec<Position>>,
    bytes: usize,
}

impl Held {
    pub(crate) fn contains(&self, position: Position) -> bool {
        self.facts.contains_key(&position)
    }

    /// Keeps a fact until `missing` is there; says whether there was room.
    pub(crate) fn hold(&mut self, fact: Arc<Fact>, missing: Position, room_bytes: usize) -> bool {
        let size = fact.bytes().len();
        if self.bytes + size > room_bytes {
            return false;
        }
        self.bytes += size;
        self.wait(fact.position, missing);
        self.facts.insert(fact.position, fact);
        true
    }

    pub(crate) fn wait(&mut self, waiter: Position, missing: Position) {
        self.waiting.entry(missing).or_default().push(waiter);
    }

    /// Whether something waits for any fact of this incarnation.
    pub(crate) fn is_waited_for(&self, incarnation: Incarnation) -> bool {
        let (first, last) = (Position { incarnation, seq: Seq::NONE }, Position { incarnation, seq: Seq(u64::MAX) });
        self.waiting.range(first..=last).next().is_some()
    }

    /// One of those that waited for this position or an earlier one of its incarnation. It stays held.
    pub(crate) fn wake(&mut self, there: Position) -> Option<Arc<Fact>> {
        let from = Position { incarnation: there.incarnation, seq: Seq::NONE };
        let mut entry = self.waiting.range_mut(from..=there).next()?;
        loop {
            let (&missing, waiters) = (entry.0, &mut *entry.1);
            let waiter = waiters.pop();
            if waiters.is_empty() {
                self.waiting.remove(&missing);
            }
            if let Some(fact) = waiter.and_then(|waiter| self.facts.get(&waiter)) {
                return Some(fact.clone());
            }
            entry = self.waiting.range_mut(from..=there).next()?;
        }
    }

    pub(crate) fn forget(&mut self, fact: &Fact) {
        if self.facts.remove(&fact.position).is_some() {
            self.bytes -= fact.bytes().len();
        }
    }

    /// How much is held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }
}
