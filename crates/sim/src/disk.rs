//! A replica's disk.
//!
//! The fault model: batches are synced one after the other, as transactions. A crash loses what was not
//! synced; the batch whose sync was under way may be there or not, whole. A failed sync ends the
//! process. Older copies may be put back. (Damaged records are not simulated yet.)

use std::collections::BTreeMap;
use std::sync::Arc;

use lastword_facts::{Fact, Position, VersionVector};

/// A replica's disk.
#[derive(Default, Clone)]
pub(crate) struct Disk {
    /// What is synced.
    pub(crate) log: Vec<Arc<Fact>>,
    /// What the log covers.
    pub(crate) vector: VersionVector,
    /// The mark of being the last one up.
    pub(crate) alone: bool,
    /// Handed over, and not synced: the first is under way.
    pub(crate) waiting: Vec<Arc<Fact>>,
    pub(crate) under_way: Vec<Arc<Fact>>,
    /// Where each incarnation's facts are in the log.
    places: BTreeMap<Position, usize>,
}

impl Disk {
    pub(crate) fn synced(&mut self) {
        for fact in std::mem::take(&mut self.under_way) {
            self.vector.raise(fact.position);
            self.places.insert(fact.position, self.log.len());
            self.log.push(fact);
        }
    }

    /// The power goes: what was under way is there, or not.
    pub(crate) fn crash(&mut self, under_way_survives: bool) {
        if under_way_survives {
            self.synced();
        }
        self.under_way.clear();
        self.waiting.clear();
    }

    pub(crate) fn has(&self, position: Position) -> bool {
        self.places.contains_key(&position)
    }

    /// Facts of one incarnation without a gap, at most so many.
    pub(crate) fn facts(&self, from: Position, upto: lastword_facts::Seq, limit: usize) -> Vec<Arc<Fact>> {
        let mut facts = Vec::new();
        let mut next = from;
        while next.seq <= upto
            && facts.len() < limit
            && let Some(&place) = self.places.get(&next)
        {
            facts.push(self.log[place].clone());
            next.seq = next.seq.next();
        }
        facts
    }
}
