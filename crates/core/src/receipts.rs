//! Which messages are on their way to whom, so that their senders can be told when they arrive.
//!
//! Kept in memory only, and bounded: the oldest are forgotten, and then their senders get no receipt
//! (`pending` still tells them the truth).

use std::collections::{BTreeMap, VecDeque};

use lastword_facts::VersionVector;
use lastword_facts::ids::{AccountId, Key, Position};
use lastword_marks::hit;

/// Messages on their way.
#[derive(Debug, Clone)]
pub(crate) struct Receipts {
    /// By receiver and position: who wrote it.
    waiting: BTreeMap<(AccountId, Position), (AccountId, Key)>,
    order: VecDeque<(AccountId, Position)>,
    /// How many each author waits for.
    by: BTreeMap<AccountId, usize>,
    limit: usize,
}

/// One author may wait for this part of all receipts; of what they write then they get none.
const PART: usize = 4;

impl Receipts {
    pub(crate) fn new(limit: usize) -> Self {
        Self { waiting: BTreeMap::new(), order: VecDeque::new(), by: BTreeMap::new(), limit }
    }

    pub(crate) fn expect(&mut self, to: AccountId, position: Position, author: AccountId, key: Key) {
        let count = self.by.entry(author).or_default();
        if *count >= self.limit.div_ceil(PART) {
            hit("no receipt for an author who waits for many");
            return;
        }
        if self.waiting.insert((to, position), (author, key)).is_none() {
            *count += 1;
        }
        self.order.push_back((to, position));
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.take(oldest);
            }
        }
    }

    fn take(&mut self, place: (AccountId, Position)) -> Option<(AccountId, Key)> {
        let (author, key) = self.waiting.remove(&place)?;
        if let Some(count) = self.by.get_mut(&author) {
            *count -= 1;
            if *count == 0 {
                self.by.remove(&author);
            }
        }
        Some((author, key))
    }

    /// The messages to this account that have arrived, as this vector says: so many of them at most.
    pub(crate) fn arrived(&mut self, to: AccountId, upto: &VersionVector, most: usize) -> Vec<(AccountId, Key)> {
        let mut arrived = Vec::new();
        for last in upto.iter() {
            let first = Position { incarnation: last.incarnation, seq: lastword_facts::Seq::NONE };
            let range = (to, first)..=(to, last);
            while arrived.len() < most
                && let Some((&place, _)) = self.waiting.range(range.clone()).next()
            {
                arrived.extend(self.take(place));
            }
        }
        arrived
    }
}

#[cfg(test)]
mod tests {
    use lastword_facts::ids::{Incarnation, Seq};

    use super::*;

    fn at(seq: u64) -> Position {
        Position { incarnation: Incarnation(1), seq: Seq(seq) }
    }

    fn upto(seq: u64) -> VersionVector {
        [at(seq)].into_iter().collect()
    }

    #[test]
    fn whoever_writes_much_takes_nobody_else_s_receipts() {
        let (ann, bob, eve, mallory) = (AccountId(1), AccountId(2), AccountId(3), AccountId(4));
        let mut receipts = Receipts::new(100);
        receipts.expect(bob, at(1), ann, Key(1));
        (2..1000).for_each(|seq| receipts.expect(eve, at(seq), mallory, Key(u128::from(seq))));
        assert_eq!(receipts.arrived(bob, &upto(1), usize::MAX), [(ann, Key(1))]);
        assert_eq!(receipts.arrived(eve, &upto(999), usize::MAX).len(), 25);
        // What has arrived makes room.
        receipts.expect(eve, at(1000), mallory, Key(0));
        assert_eq!(receipts.arrived(eve, &upto(1000), usize::MAX), [(mallory, Key(0))]);
        assert!(receipts.by.is_empty());
    }
}
