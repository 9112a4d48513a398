//! A replica's disk: batches are synced one after the other, as transactions. A crash loses what was not
//! synced; the batch whose sync was under way may be there or not, whole.

use std::sync::Arc;

use lastword_facts::{Fact, Position, Seq, VersionVector};

/// A replica's disk.
#[derive(Default, Clone)]
pub(super) struct Disk {
    /// What is synced.
    pub(super) log: Vec<Arc<Fact>>,
    /// What the log covers.
    pub(super) vector: VersionVector,
    /// The mark of being the last one up.
    pub(super) alone: bool,
    /// Their sync is under way.
    pub(super) under_way: Vec<Arc<Fact>>,
    /// Handed over after those.
    pub(super) waiting: Vec<Arc<Fact>>,
}

impl Disk {
    /// Takes facts in, to be synced, and says where in the log the first of them goes.
    pub(super) fn append(&mut self, facts: Vec<Arc<Fact>>) -> usize {
        let place = self.log.len() + self.under_way.len() + self.waiting.len() + 1;
        self.waiting.extend(facts);
        if self.under_way.is_empty() {
            self.under_way = std::mem::take(&mut self.waiting);
        }
        place
    }

    /// The sync under way is done, and the next begins. Says how many facts it was.
    pub(super) fn sync(&mut self) -> usize {
        let synced = std::mem::replace(&mut self.under_way, std::mem::take(&mut self.waiting));
        synced.iter().for_each(|fact| self.vector.raise(fact.position));
        let count = synced.len();
        self.log.extend(synced);
        count
    }

    /// What was not synced is gone.
    pub(super) fn crash(&mut self) {
        self.under_way.clear();
        self.waiting.clear();
    }

    /// Facts of one incarnation without a gap.
    pub(super) fn facts(&self, from: Position, upto: Seq) -> Vec<Arc<Fact>> {
        let mut facts = Vec::new();
        let mut next = from;
        while next.seq <= upto
            && let Some(fact) = self.log.iter().find(|fact| fact.position == next)
        {
            facts.push(fact.clone());
            next.seq = next.seq.next();
        }
        facts
    }

    /// Everything that was handed to it and not lost.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Fact>> {
        self.log.iter().chain(&self.under_way).chain(&self.waiting)
    }
}
