//! Attempts to log in wait longer the more wrong ones came before them. They wait, and are not refused: whoever knows
//! the password gets in after a few seconds, whatever strangers do meanwhile.
//!
//! Wrong attempts are counted
//! * for a name from one address, which is where somebody who guesses is slowed down;
//! * for an address, over all names;
//! * for a name, from all addresses: those from which somebody has got in lately don't wait for that.
//!
//! New accounts from one address wait in the same way, each as if it were wrong. None of what is said of addresses
//! holds on loopback.
//!
//! An attempt counts as wrong until it is known to be right, so that nobody gets more by making many at once.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Address, Limits};

/// The first wait; it doubles with each wrong attempt.
const FIRST: Duration = Duration::from_millis(250);
/// So many times as many are free from one address over all names, and for one name from all addresses.
const FREE_OF_ADDRESS: u32 = 10;
const FREE_OF_NAME: u32 = 4;
/// For what others do elsewhere nobody waits longer.
const MOST_FOR_NAME: Duration = Duration::from_secs(2);
/// Attempts for one name from one address that may be under way at a time: or each connection more would be one guess
/// more. Not on loopback, where many may be behind what passes their connections on.
const UNDER_WAY: u32 = 16;
/// After so long without an attempt all is forgotten.
const FORGET: Duration = Duration::from_secs(15 * 60);
/// So many are remembered of each kind; with more, those that were longest quiet are forgotten.
const REMEMBERED: usize = 50_000;

/// An attempt that is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    name: u64,
    address: Address,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The password was right.
    Right,
    /// It was wrong, or there is no such name.
    Wrong,
    /// Nobody looked at it.
    NotJudged,
}

/// Counts attempts.
pub(crate) struct Logins {
    free: u32,
    most: Duration,
    hasher: RandomState,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    pairs: Table<(u64, Address)>,
    addresses: Table<Address>,
    creates: Table<Address>,
    names: Table<u64>,
}

struct Table<K>(HashMap<K, Count>);

#[derive(Debug, Clone, Copy)]
struct Count {
    wrong: u32,
    /// Attempts that have not ended yet.
    under_way: u32,
    /// Somebody has got in.
    right: bool,
    last: Instant,
}

impl Logins {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (free, most) = (limits.login_failures, limits.login_delay_most);
        Self { free, most, hasher: RandomState::new(), counts: Mutex::default() }
    }

    /// An attempt begins. How long it has to wait; `None` if there are too many.
    pub(crate) fn begin(&self, name: &str, address: Address, now: Instant) -> Option<(Attempt, Duration)> {
        // A name and what it is called after a split are one.
        let name = name.split('~').next().unwrap_or(name).to_ascii_lowercase();
        let name = self.hasher.hash_one(name);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let crowd = counts.pairs.0.get(&(name, address)).map_or(0, |pair| pair.under_way);
        if crowd >= UNDER_WAY && !address.is_loopback() {
            return None;
        }
        let pair = counts.pairs.begin((name, address), now);
        let of_address = counts.addresses.begin(address, now);
        let of_name = counts.names.begin(name, now);
        let mut wait = delay(pair.wrong, self.free, self.most);
        if !address.is_loopback() {
            wait = wait.max(delay(of_address.wrong, self.free.saturating_mul(FREE_OF_ADDRESS), self.most));
        }
        if !pair.right {
            let most = MOST_FOR_NAME.min(self.most);
            wait = wait.max(delay(of_name.wrong, self.free.saturating_mul(FREE_OF_NAME), most));
        }
        Some((Attempt { name, address }, wait))
    }

    /// Somebody makes an account. How long that has to wait.
    pub(crate) fn begin_create(&self, address: Address, now: Instant) -> Duration {
        if address.is_loopback() {
            return Duration::ZERO;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = counts.creates.begin(address, now);
        delay(before.wrong, self.free.saturating_mul(FREE_OF_ADDRESS), self.most)
    }

    /// An attempt has ended.
    pub(crate) fn end(&self, attempt: Attempt, outcome: Outcome) {
        let Attempt { name, address } = attempt;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pair) = counts.pairs.0.get_mut(&(name, address)) {
            pair.under_way = pair.under_way.saturating_sub(1);
        }
        match outcome {
            Outcome::Wrong => {}
            Outcome::Right => {
                if let Some(count) = counts.pairs.0.get_mut(&(name, address)) {
                    (count.wrong, count.right) = (0, true);
                }
                counts.addresses.take_back(&address);
                counts.names.take_back(&name);
            }
            Outcome::NotJudged => {
                counts.pairs.take_back(&(name, address));
                counts.addresses.take_back(&address);
                counts.names.take_back(&name);
            }
        }
    }
}

/// What comes after so many wrong attempts, of which some are free, has to wait.
fn delay(wrong: u32, free: u32, most: Duration) -> Duration {
    match wrong.checked_sub(free) {
        None => Duration::ZERO,
        Some(more) => FIRST.saturating_mul(1 << more.min(16)).min(most),
    }
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Copy> Table<K> {
    /// Counts an attempt as wrong for now. Says what was before it.
    fn begin(&mut self, key: K, now: Instant) -> Count {
        let fresh = Count { wrong: 0, under_way: 0, right: false, last: now };
        if !self.0.contains_key(&key) && self.0.len() >= REMEMBERED {
            self.forget(now);
        }
        let count = self.0.entry(key).or_insert(fresh);
        if now.saturating_duration_since(count.last) > FORGET {
            *count = fresh;
        }
        let before = *count;
        count.wrong = count.wrong.saturating_add(1);
        count.under_way += 1;
        count.last = now;
        before
    }

    fn take_back(&mut self, key: &K) {
        if let Some(count) = self.0.get_mut(key) {
            count.wrong = count.wrong.saturating_sub(1);
        }
    }

    /// Makes room: half of what there is stays at the most.
    fn forget(&mut self, now: Instant) {
        self.0.retain(|_, count| now.saturating_duration_since(count.last) <= FORGET);
        let mut times: Vec<Instant> = self.0.values().map(|count| count.last).collect();
        let half = REMEMBERED / 2;
        if let Some(surplus) = times.len().checked_sub(half).filter(|surplus| *surplus > 0) {
            let (_, newest_to_go, _) = times.select_nth_unstable(surplus - 1);
            let newest_to_go = *newest_to_go;
            self.0.retain(|_, count| count.last > newest_to_go);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Address {
        Address::V4(n.to_be_bytes())
    }

    const HOME: u32 = 0xC000_0201;
    const ELSEWHERE: u32 = 0xC000_0301;

    fn logins() -> (Logins, Instant) {
        (Logins::new(&Limits::default()), Instant::now())
    }

    fn wrong(logins: &Logins, name: &str, from: u32, now: Instant) -> Duration {
        let (attempt, wait) = logins.begin(name, address(from), now).unwrap();
        logins.end(attempt, Outcome::Wrong);
        wait
    }

    fn right(logins: &Logins, name: &str, from: u32, now: Instant) -> Duration {
        let (attempt, wait) = logins.begin(name, address(from), now).unwrap();
        logins.end(attempt, Outcome::Right);
        wait
    }

    #[test]
    fn each_wrong_attempt_makes_the_next_wait_longer_up_to_a_limit() {
        let (logins, now) = logins();
        let waits: Vec<u64> = (0..13).map(|_| wrong(&logins, "ann", HOME, now).as_millis() as u64).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 250, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
        assert_eq!(wrong(&logins, "ANN~12ab", HOME, now).as_millis(), 5000, "the same name");
        assert_eq!(wrong(&logins, "bob", HOME, now).as_millis(), 0, "another name");
        assert_eq!(wrong(&logins, "ann", HOME, now + FORGET * 2).as_millis(), 0, "after a while");
    }

    #[test]
    fn the_right_password_ends_it() {
        let (logins, now) = logins();
        for _ in 0..20 {
            wrong(&logins, "ann", HOME, now);
        }
        assert_eq!(right(&logins, "ann", HOME, now).as_millis(), 5000);
        assert_eq!(wrong(&logins, "ann", HOME, now).as_millis(), 0);
    }

    #[test]
    fn many_at_once_gain_nothing() {
        let (logins, now) = logins();
        let under_way: Vec<_> = (0..20).filter_map(|_| logins.begin("ann", address(HOME), now)).collect();
        assert_eq!(under_way.len(), UNDER_WAY as usize);
        assert!(
            logins.begin("ann", address(0x7F00_0001), now).is_some()
                && logins.begin("bob", address(HOME), now).is_some()
        );
        assert_eq!(under_way.iter().filter(|(_, wait)| wait.is_zero()).count(), 5);
        for (attempt, _) in under_way {
            logins.end(attempt, Outcome::NotJudged);
        }
        assert_eq!(wrong(&logins, "ann", HOME, now).as_millis(), 0, "nobody looked at them");
    }

    #[test]
    fn strangers_elsewhere_make_nobody_wait_for_long() {
        let (logins, now) = logins();
        assert_eq!(right(&logins, "ann", HOME, now).as_millis(), 0);
        for n in 0..1000 {
            wrong(&logins, "ann", ELSEWHERE + n, now);
        }
        assert_eq!(right(&logins, "ann", HOME, now).as_millis(), 0, "from where she was before");
        assert_eq!(right(&logins, "ann", HOME + 1, now).as_millis(), 2000, "from a new place");
    }

    #[test]
    fn an_address_that_tries_many_names_is_slowed_down_but_not_loopback() {
        let (logins, now) = logins();
        let last = |from| (0..100).map(|n| wrong(&logins, &format!("name{n}"), from, now)).last();
        assert_eq!(last(HOME), Some(Duration::from_secs(5)));
        assert_eq!(last(0x7F00_0001), Some(Duration::ZERO));
        let last = |from| (0..100).map(|_| logins.begin_create(address(from), now)).last();
        assert_eq!(last(HOME), Some(Duration::from_secs(5)), "new accounts");
        assert_eq!(last(0x7F00_0001), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (logins, now) = logins();
        for n in 0..REMEMBERED as u32 * 2 {
            wrong(&logins, &format!("name{n}"), n, now + Duration::from_micros(u64::from(n)));
        }
        let counts = logins.counts.lock().unwrap();
        assert!(counts.pairs.0.len() <= REMEMBERED && counts.names.0.len() <= REMEMBERED);
        assert!(counts.addresses.0.len() >= REMEMBERED / 2);
    }
}
