//! Messages that were told to come later, so that none that was sent behind them overtakes them.
//!
//! A client learns of a refusal as long after it as the way back takes, and sends on until then. What it sent meanwhile is
//! refused, too, whether there is room or not, and everything is to come again, with its key and in its order: only the
//! first of those that were refused is taken, then the next, and new ones when none of them is left.
//!
//! A client may give up on what was refused, and nobody says so. But the first one, which is told to come in a second,
//! comes within three, where the way there and back takes no more than two; after that it is not waited for any more. The
//! others wait for the first, maybe for long. And who sends something new three seconds after a refusal knows of that,
//! and wants nothing of what was refused any more: so whoever knows nothing of this order has his turn, too.

use std::collections::VecDeque;
use std::time::Duration;

use lastword_facts::ids::Key;

use crate::time::Mono;

/// After so long a client knows of a refusal, and what it would send again has come.
const KNOWN: Duration = Duration::from_secs(3);
/// So many are remembered. Those behind them are refused as long as there is one of these, and need not be known.
const TOLD_MOST: usize = 1024;

/// What was told to come later, on one connection.
#[derive(Debug, Clone, Default)]
pub struct Later {
    /// In the order in which they came first.
    told: VecDeque<Told>,
    /// When the first one came last, in vain or not.
    moved: Mono,
    /// When something was refused last of which its client does not know by what was refused before.
    refused: Mono,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    key: Key,
    /// When it was refused last.
    at: Mono,
}

/// Why a message is to come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is no room for it.
    NoRoom,
    /// [`Later::is_behind`]
    Behind,
}

impl Later {
    /// Whether a message is to come later because of another one: that was sent before it, was refused, and is to come
    /// first.
    pub fn is_behind(&mut self, now: Mono, key: Key) -> bool {
        let (is_over, moved) = (|since: Mono| now.since(since) >= KNOWN, self.moved);
        if is_over(self.refused) && !self.told.iter().any(|told| told.key == key) {
            self.told.clear();
        }
        while self.told.pop_front_if(|first| is_over(first.at.max(moved))).is_some() {}
        self.told.front().is_some_and(|first| first.key != key)
    }

    /// Everything comes again in its order. So if this one did, those before it that did not come since it was refused
    /// will not come any more.
    fn pass_over_what_was_given_up(&mut self, key: Key) {
        let Some(place) = self.told.iter().position(|told| told.key == key) else { return };
        let Some(refused) = self.told.get(place).map(|told| told.at) else { return };
        let mut before = place;
        self.told.retain(|told| {
            let is_before = before > 0;
            before = before.saturating_sub(1);
            !is_before || told.at > refused
        });
    }

    /// A message was told to come later.
    pub fn tell(&mut self, now: Mono, key: Key, why: Why) {
        if self.told.front().is_none_or(|first| first.key == key) {
            self.moved = now;
        }
        match self.told.iter_mut().find(|told| told.key == key) {
            Some(told) => (told.at, self.refused) = (now, now),
            None => {
                if why == Why::NoRoom {
                    self.refused = now;
                }
                if self.told.len() < TOLD_MOST {
                    self.told.push_back(Told { key, at: now });
                }
            }
        }
    }

    /// A message is not to come again: it was refused for good, or it is known here. Nothing is behind it any more.
    pub fn settle(&mut self, key: Key) {
        self.pass_over_what_was_given_up(key);
        self.told.retain(|told| told.key != key);
    }

    /// A message was taken, against which [`Later::is_behind`] had nothing.
    pub fn take(&mut self, now: Mono, key: Key) {
        self.moved = now;
        self.told.pop_front_if(|first| first.key == key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that has room or not, and a connection to it.
    #[derive(Default)]
    struct Server {
        later: Later,
        now: Mono,
    }

    impl Server {
        /// A message comes; whether it is taken.
        fn get(&mut self, key: u128, room: bool) -> bool {
            let is_behind = self.later.is_behind(self.now, Key(key));
            let taken = !is_behind && room;
            if taken {
                self.later.take(self.now, Key(key));
            } else {
                let why = if is_behind && room { Why::Behind } else { Why::NoRoom };
                self.later.tell(self.now, Key(key), why);
            }
            taken
        }

        fn pass(&mut self, ms: u64) {
            self.now = self.now + Duration::from_millis(ms);
        }
    }

    #[test]
    fn nothing_new_is_taken_before_what_was_refused() {
        let mut server = Server::default();
        assert!(server.get(1, true));
        assert!(!server.get(2, false));
        server.pass(2000);
        assert!(!server.get(3, true), "sent before its client could know");
        assert!(server.get(2, true) && server.get(3, true) && server.get(4, true));
    }

    #[test]
    fn whoever_tries_in_vain_for_long_is_not_passed_by_what_comes_behind_him() {
        let mut server = Server::default();
        for _ in 0..20 {
            assert!(!server.get(1, false) && !server.get(2, true) && !server.get(3, true));
            assert!(!server.get(2, true), "the same once more");
            server.pass(1000);
        }
        assert!(server.get(1, true) && !server.get(2, false) && !server.get(3, true));
        server.pass(2000);
        assert!(server.get(2, true) && server.get(3, true) && server.get(4, true));
    }

    #[test]
    fn those_that_wait_for_the_first_one_are_not_given_up() {
        let mut server = Server::default();
        assert!(!server.get(1, false) && !server.get(2, false) && !server.get(3, false));
        for _ in 0..10 {
            server.pass(1000);
            assert!(!server.get(1, false));
        }
        assert!(server.get(1, true) && !server.get(3, true) && server.get(2, true) && server.get(3, true));
    }

    #[test]
    fn what_was_given_up_holds_nothing_up_for_long() {
        let mut server = Server::default();
        assert!((1..=5).all(|key| !server.get(key, false)));
        for ms in [1000, 1500] {
            server.pass(ms);
            assert!(!server.get(4, true) && !server.get(5, true), "1 to 3 may come yet");
        }
        server.pass(500);
        assert!(server.get(4, true) && server.get(5, true) && server.get(6, true));
    }

    #[test]
    fn who_sends_something_new_each_time_has_his_turn() {
        let mut server = Server::default();
        assert!(!server.get(0, false));
        for key in 1..=30 {
            assert!(!server.get(key, true), "{key}");
            server.pass(100);
        }
        assert!(server.get(31, true) && server.get(32, true));
        // What is sent behind a message that is tried again and again is none of that.
        assert!(!server.get(40, false) && !server.get(41, true));
        for _ in 0..5 {
            server.pass(1000);
            assert!(!server.get(40, false) && !server.get(41, true) && !server.get(42, true));
        }
    }

    #[test]
    fn of_thousands_that_were_refused_none_overtakes_another() {
        let mut server = Server::default();
        let (mut left, mut taken): (Vec<u128>, Vec<u128>) = ((0..5000).collect(), Vec::new());
        // There is room for some each time; what is left comes again, and is all under way before that is known.
        for room in std::iter::repeat_n([0, 1, 600, 1500], 10).flatten() {
            let mut room = room;
            left.retain(|&key| {
                // They come over a second.
                server.pass(u64::from(key % 5 == 0));
                let is_taken = server.get(key, room > 0);
                if is_taken {
                    room -= 1;
                    taken.push(key);
                }
                !is_taken
            });
            assert!(server.later.told.len() <= TOLD_MOST);
            server.pass(1000);
        }
        assert!(taken.len() == 5000 && taken.is_sorted());
    }

    /// Found by the simulator: a client gave up on five, and what was refused next was overtaken.
    #[test]
    fn what_was_given_up_is_in_nobody_s_way() {
        let mut later = Later::default();
        let at = |ms| Mono(std::time::Duration::from_millis(10_000 + ms));
        (22..28_u64).for_each(|key| later.tell(at(key), Key(key.into()), Why::NoRoom));
        // The one behind those that were given up comes again, and is refused for good.
        later.settle(Key(27));
        assert!(!later.is_behind(at(2500), Key(30)), "nothing is before it");
        later.tell(at(2500), Key(30), Why::NoRoom);
        assert!(later.is_behind(at(3100), Key(32)));
    }
}
