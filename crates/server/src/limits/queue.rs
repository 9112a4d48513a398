//! What waits for something that there is little of (a hash, a handshake): by client, in turn.
//!
//! A flood from one address waits for itself alone: each address has its turn, one after another. When all places
//! are taken, somebody who has few of them gets one from whoever has most.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// What waits, of clients that are told apart by a `C`.
pub(crate) struct Queue<C, T> {
    /// Of each client that has some, in their order.
    waiting: HashMap<C, VecDeque<T>>,
    /// Those clients, in the order of their turns.
    turns: VecDeque<C>,
    len: usize,
    limit: usize,
}

impl<C: Eq + Hash + Copy, T> Queue<C, T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { waiting: HashMap::new(), turns: VecDeque::new(), len: 0, limit }
    }

    /// Puts something in, and hands back what there is no room for, if so: this, or another one's latest.
    #[must_use]
    pub(crate) fn put(&mut self, client: C, item: T) -> Option<T> {
        let mut dropped = None;
        if self.len >= self.limit {
            let own = self.waiting.get(&client).map_or(0, VecDeque::len);
            let most = self.waiting.iter_mut().max_by_key(|(_, items)| items.len());
            // Who has the most keeps more than the other gets: so nobody takes places from each other in turn.
            let Some((_, most)) = most.filter(|(_, items)| items.len() > own + 1) else { return Some(item) };
            dropped = most.pop_back();
            self.len -= 1;
        }
        let items = self.waiting.entry(client).or_default();
        if items.is_empty() {
            self.turns.push_back(client);
        }
        items.push_back(item);
        self.len += 1;
        dropped
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The oldest of whose turn it is.
    pub(crate) fn take(&mut self) -> Option<T> {
        let client = self.turns.pop_front()?;
        let items = self.waiting.get_mut(&client)?;
        let item = items.pop_front()?;
        self.len -= 1;
        if items.is_empty() {
            self.waiting.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut queue: Queue<char, u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.take()).collect()
    }

    #[test]
    fn each_client_has_its_turn() {
        let mut queue = Queue::new(10);
        for (client, item) in [('a', 1), ('a', 2), ('a', 3), ('b', 4), ('c', 5)] {
            assert_eq!(queue.put(client, item), None);
        }
        assert_eq!(queue.take(), Some(1));
        assert_eq!(queue.put('b', 6), None);
        assert_eq!(all(queue), [4, 5, 2, 6, 3]);
    }

    #[test]
    fn in_a_full_queue_the_newcomer_takes_the_place_of_a_flood() {
        let mut queue = Queue::new(5);
        for item in 1..=5 {
            assert_eq!(queue.put('a', item), None);
        }
        assert_eq!(queue.put('a', 6), Some(6), "a flood gets nothing from itself");
        assert_eq!(queue.put('b', 7), Some(5));
        assert_eq!(queue.put('b', 8), Some(4));
        assert_eq!(queue.put('b', 9), Some(9), "the other one would want it back");
        assert_eq!(all(queue), [1, 7, 2, 8, 3]);
    }
}
