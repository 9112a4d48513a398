//! A replica's disk.
//!
//! The fault model: batches are synced one after the other. A crash loses what was not synced; of the
//! batch whose sync was under way all, nothing, or (a *torn* write) any part may be there: then what is
//! missing in front of what is there are damaged records. Records may be damaged at any time, also
//! under a running process. A failed sync ends the process. Older copies may be put back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastword_facts::ids::Seq;
use lastword_facts::views::Found;
use lastword_facts::{Fact, Position, VersionVector};

/// A replica's disk.
#[derive(Default, Clone)]
pub(crate) struct Disk {
    /// What is synced, damaged records among it.
    pub(crate) log: Vec<Arc<Fact>>,
    /// What the log covers without a gap, damaged records counted as there.
    pub(crate) vector: VersionVector,
    /// The mark of being the last one up.
    pub(crate) alone: bool,
    /// Handed over, and not synced: the first is under way.
    pub(crate) waiting: Vec<Arc<Fact>>,
    pub(crate) under_way: Vec<Arc<Fact>>,
    /// What is to stand in damaged records, with the next sync; and whether views are not true any more.
    pub(crate) repairs: Vec<(Arc<Fact>, bool)>,
    /// Where each incarnation's facts are in the log.
    places: BTreeMap<Position, usize>,
    /// Records whose checksum does not fit.
    damaged: BTreeSet<Position>,
}

impl Disk {
    fn append(&mut self, fact: Arc<Fact>) {
        if self.vector.seq(fact.position.incarnation).next() == fact.position.seq {
            self.vector.raise(fact.position);
        }
        self.places.insert(fact.position, self.log.len());
        self.log.push(fact);
    }

    /// What was under way is on disk. Says what was mended with it, and whether views are void by that.
    pub(crate) fn synced(&mut self) -> (Vec<Position>, bool) {
        for fact in std::mem::take(&mut self.under_way) {
            self.append(fact);
        }
        let (mut mended, mut anew) = (Vec::new(), false);
        for (fact, void) in std::mem::take(&mut self.repairs) {
            anew |= void;
            mended.push(fact.position);
            if self.damaged.remove(&fact.position)
                && let Some(&place) = self.places.get(&fact.position)
            {
                self.log[place] = fact;
            }
        }
        (mended, anew)
    }

    /// The power goes: of what was under way so many records are there. Says the same as
    /// [`Disk::synced`].
    pub(crate) fn crash(&mut self, survives: Survives) -> (Vec<Position>, bool) {
        let mut mended = (Vec::new(), false);
        match survives {
            Survives::All => mended = self.synced(),
            Survives::Nothing => {}
            Survives::Torn(there) => {
                let last = there.iter().rposition(|&there| there).map_or(0, |last| last + 1);
                let under_way = std::mem::take(&mut self.under_way);
                for (fact, there) in under_way.into_iter().zip(there).take(last) {
                    if !there {
                        self.damaged.insert(fact.position);
                    }
                    self.append(fact);
                }
            }
        }
        self.under_way.clear();
        self.waiting.clear();
        self.repairs.clear();
        mended
    }

    pub(crate) fn damage(&mut self, position: Position) {
        if self.has(position) {
            self.damaged.insert(position);
        }
    }

    pub(crate) fn is_damaged(&self, position: Position) -> bool {
        self.damaged.contains(&position)
    }

    /// Whether the record is there, damaged or not.
    pub(crate) fn has(&self, position: Position) -> bool {
        self.places.contains_key(&position)
    }

    /// Whether the record is there and can be read.
    pub(crate) fn has_whole(&self, position: Position) -> bool {
        self.has(position) && !self.is_damaged(position)
    }

    /// Whether it can be read, or is about to be written.
    pub(crate) fn has_or_gets(&self, position: Position) -> bool {
        let coming = self.under_way.iter().chain(&self.waiting).any(|fact| fact.position == position);
        self.has_whole(position) || coming
    }

    /// Where in the log it stands.
    pub(crate) fn place(&self, position: Position) -> Option<usize> {
        self.places.get(&position).copied()
    }

    /// Facts of one incarnation without a gap, at most so many.
    pub(crate) fn facts(&self, from: Position, upto: Seq, limit: usize) -> Found {
        let (mut facts, mut next) = (Vec::new(), from);
        while next.seq <= upto
            && facts.len() < limit
            && let Some(&place) = self.places.get(&next)
        {
            if self.is_damaged(next) {
                return Found::Facts { facts, damaged: Some(next) };
            }
            facts.push(self.log[place].clone());
            next.seq = next.seq.next();
        }
        Found::Facts { facts, damaged: None }
    }
}

/// What is left of the batch whose sync was under way.
pub(crate) enum Survives {
    All,
    Nothing,
    /// Record by record.
    Torn(Vec<bool>),
}
