//! Telling a retry from news: which keys are known.
//!
//! Keys are remembered without expiry, at bounded cost. A version 7 key begins with the time it was
//! drawn at, and a fact can't be older than its key. So memory holds *every* known key from some key
//! on, and only an older one, or one of another version, asks the views.
//!
//! A client may also lie about that time. A key that [runs ahead](Key::runs_ahead) of the moment in which it was
//! taken counts as one of another version, so that it pushes no honest key out of memory. Its author asks the views
//! until the time that it names has passed: by then it looks like an honest one that is not in memory.

use std::collections::{BTreeMap, VecDeque};

use lastword_facts::ids::{AccountId, Key, LogIndex, Position, Stamp};
use lastword_marks::hit;

/// What is known of a message by its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) position: Position,
    /// Where it is in the log; [`LogIndex::NONE`] if it was read from the views, and so is on disk.
    pub(crate) index: LogIndex,
    pub(crate) stamp: Stamp,
    pub(crate) to: AccountId,
    pub(crate) at_ms: u64,
}

/// What memory can say about an identity.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    Known(Known),
    New,
    /// Ask the views.
    Unsure,
}

/// The keys that are known.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// Every known version 7 key from `from` on, by key.
    recent: BTreeMap<(Key, AccountId), Known>,
    from: Key,
    /// Whose keys ran ahead, and the latest time that any of those names, in milliseconds since 1970. Grows with
    /// accounts, not with messages.
    ahead: BTreeMap<AccountId, u64>,
    /// Others that came lately: what the views may not show yet to a question that is on its way.
    odd: BTreeMap<(Key, AccountId), Known>,
    odd_order: VecDeque<(Key, AccountId)>,
    limit: usize,
}

/// How many odd keys are remembered.
const ODD_KEYS: usize = 10_000;

impl Keys {
    /// `from`: the snapshot holds every version 7 key from here on, but for those that ran ahead. Their authors are
    /// in `ahead`, each with the latest time that such a key of theirs names.
    pub(crate) fn new(from: Option<Key>, ahead: impl IntoIterator<Item = (AccountId, u64)>, limit: usize) -> Self {
        Self {
            recent: BTreeMap::new(),
            from: from.unwrap_or(Key(0)),
            ahead: ahead.into_iter().collect(),
            odd: BTreeMap::new(),
            odd_order: VecDeque::new(),
            limit,
        }
    }

    pub(crate) fn lookup(&self, author: AccountId, key: Key) -> Lookup {
        let identity = (key, author);
        if let Some(known) = self.recent.get(&identity).or_else(|| self.odd.get(&identity)) {
            return Lookup::Known(*known);
        }
        let Some(drawn) = key.time_ms() else { return Lookup::Unsure };
        let ran_ahead = self.ahead.get(&author).is_some_and(|&until| drawn <= until);
        if key < self.from || ran_ahead { Lookup::Unsure } else { Lookup::New }
    }

    /// Remembers an identity. Says whether it was known here: then this is the same fact at a second
    /// position, and what was known first stays.
    pub(crate) fn learn(&mut self, author: AccountId, key: Key, known: Known) -> bool {
        let identity = (key, author);
        if self.recent.contains_key(&identity) || self.odd.contains_key(&identity) {
            return true;
        }
        let runs_ahead = key.runs_ahead(known.at_ms);
        if let Some(drawn) = key.time_ms().filter(|_| runs_ahead) {
            hit("a key that runs ahead");
            let until = self.ahead.entry(author).or_default();
            *until = drawn.max(*until);
        }
        if key.time_ms().is_some() && key >= self.from && !runs_ahead {
            self.recent.insert(identity, known);
            if self.recent.len() > self.limit
                && let Some(((oldest, _), _)) = self.recent.pop_first()
            {
                self.from = Key(oldest.0.saturating_add(1));
            }
        } else {
            self.odd.insert(identity, known);
            self.odd_order.push_back(identity);
            if self.odd_order.len() > ODD_KEYS
                && let Some(oldest) = self.odd_order.pop_front()
            {
                self.odd.remove(&oldest);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use lastword_facts::ids::{Incarnation, Seq};

    use super::*;

    fn key(time_ms: u64, n: u128) -> Key {
        Key((u128::from(time_ms) << 80) | (7 << 76) | n)
    }

    fn known(n: u64) -> Known {
        let position = Position { incarnation: Incarnation(1), seq: Seq(n) };
        Known { position, index: LogIndex(n), stamp: Stamp(n), to: AccountId(9), at_ms: n }
    }

    #[test]
    fn what_was_pushed_out_asks_the_views() {
        let mut keys = Keys::new(None, [], 2);
        let author = AccountId(1);
        for n in 1..=3 {
            assert!(!keys.learn(author, key(n, 0), known(n)));
        }
        assert_eq!(keys.lookup(author, key(1, 0)), Lookup::Unsure);
        assert_eq!(keys.lookup(author, key(0, 7)), Lookup::Unsure, "older than what memory holds all of");
        assert_eq!(keys.lookup(author, key(2, 0)), Lookup::Known(known(2)));
        assert_eq!(keys.lookup(author, key(2, 7)), Lookup::New);
        assert_eq!(keys.lookup(AccountId(2), key(3, 0)), Lookup::New, "a key is its author's alone");
        assert_eq!(keys.lookup(author, Key(5)), Lookup::Unsure, "not version 7");
    }

    #[test]
    fn the_first_position_stays() {
        let mut keys = Keys::new(None, [], 10);
        for key in [key(1, 1), Key(5)] {
            assert!(!keys.learn(AccountId(1), key, known(1)));
            assert!(keys.learn(AccountId(1), key, known(2)));
            assert_eq!(keys.lookup(AccountId(1), key), Lookup::Known(known(1)));
        }
    }

    /// Keys of the far future push nothing out of memory, and who drew them is looked up until then.
    #[test]
    fn keys_that_run_ahead_slow_down_nobody_but_their_author() {
        const YEAR_MS: u64 = 365 * 24 * 3600 * 1000;
        let (liar, honest) = (AccountId(1), AccountId(2));
        let mut keys = Keys::new(None, [], 10);
        for n in 0..1000 {
            assert!(!keys.learn(liar, key(YEAR_MS + n, 0), known(n)));
            assert!(keys.learn(liar, key(YEAR_MS + n, 0), known(n)), "it is known all the same");
        }
        for n in 0..5 {
            assert_eq!(keys.lookup(honest, key(n, 1)), Lookup::New);
            assert!(!keys.learn(honest, key(n, 1), known(n)));
        }
        assert_eq!(keys.lookup(liar, key(2, 2)), Lookup::Unsure);
        // After a start it is the snapshot that says whose keys ran ahead.
        let keys = Keys::new(None, [(liar, YEAR_MS + 999)], 10);
        assert_eq!(keys.lookup(liar, key(YEAR_MS + 5, 0)), Lookup::Unsure, "it is in the index");
        assert_eq!(keys.lookup(liar, key(YEAR_MS + 1000, 0)), Lookup::New, "that time has passed");
        assert_eq!(keys.lookup(honest, key(YEAR_MS + 5, 0)), Lookup::New);
    }
}
