//! Which messages are on their way to whom, so that their senders can be told when they arrive.
//!
//! Kept in memory only, and bounded: the oldest are forgotten, and then their senders get no receipt
//! (`pending` still tells them the truth).

use std::collections::{BTreeMap, VecDeque};

use lastword_facts::VersionVector;
use lastword_facts::ids::{AccountId, Key, Position};

/// Messages on their way.
#[derive(Debug, Clone)]
pub(crate) struct Receipts {
    /// By receiver and position: who wrote it.
    waiting: BTreeMap<(AccountId, Position), (AccountId, Key)>,
    order: VecDeque<(AccountId, Position)>,
    limit: usize,
}

impl Receipts {
    pub(crate) fn new(limit: usize) -> Self {
        Self { waiting: BTreeMap::new(), order: VecDeque::new(), limit }
    }

    pub(crate) fn expect(&mut self, to: AccountId, position: Position, author: AccountId, key: Key) {
        self.waiting.insert((to, position), (author, key));
        self.order.push_back((to, position));
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.waiting.remove(&oldest);
            }
        }
    }

    /// The messages to this account that have arrived, as this vector says.
    pub(crate) fn arrived(&mut self, to: AccountId, upto: &[Position]) -> Vec<(AccountId, Key)> {
        let upto: VersionVector = upto.iter().copied().collect();
        let mut arrived = Vec::new();
        for last in upto.iter() {
            let first = Position { incarnation: last.incarnation, seq: lastword_facts::Seq::NONE };
            let range = (to, first)..=(to, last);
            while let Some((&place, &message)) = self.waiting.range(range.clone()).next() {
                self.waiting.remove(&place);
                arrived.push(message);
            }
        }
        arrived
    }
}
