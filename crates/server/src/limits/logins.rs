//! Attempts to log in wait longer the more wrong ones came before them. As a rule they wait and are not refused: whoever
//! knows the password gets in after a few seconds. Only where very many wait already for one name is the next one
//! refused, to be tried again after a second: when [`UNDER_WAY`] of one address do, or when the line for turns is full
//! ([`Go::Crowded`]).
//!
//! Wrong attempts are counted
//! * for a name from one address, which is where somebody who guesses is slowed down;
//! * for an address, over all names;
//! * for a name, from all addresses: with many of them, the next ones have their turns one after another
//!   ([`turns`]). Addresses from which its owner has got in lately don't wait for that ([`known`]).
//!
//! What is said of an address over all names does not hold on loopback; what is said of names does.
//!
//! New accounts are counted beside ([`super::creates`]).
//!
//! An attempt counts as wrong until it is known to be right, so that nobody gets more by making many at once.

mod known;
mod turns;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::known::Known;
use self::turns::Turns;
use super::creates::Creates;
use super::{Address, Limits};

pub(crate) use self::turns::Go;

/// The first wait; it doubles with each wrong attempt.
const FIRST: Duration = Duration::from_millis(250);
/// So many times as many are free from one address over all names, and for one name from all addresses.
const FREE_OF_ADDRESS: u32 = 10;
const FREE_OF_NAME: u32 = 4;
/// Attempts for one name from one address that may be under way at a time: or each connection more would be one guess
/// more.
const UNDER_WAY: u32 = 8;
/// After this time without a wrong attempt all is forgotten.
const FORGET: Duration = Duration::from_secs(15 * 60);
/// So many are remembered of each kind; with more, those that were longest quiet are forgotten.
const REMEMBERED: usize = 50_000;

/// An attempt that is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    id: u64,
    address: Address,
    what: What,
    began: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// To log in as somebody, by the name's hash; in line with others, or not.
    Login(u64, bool),
    Create,
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

struct Counts {
    pairs: Table<(u64, Address)>,
    addresses: Table<Address>,
    names: Table<u64>,
    known: Known,
    turns: Turns,
    creates: Creates,
    attempts: u64,
}

struct Table<K>(HashMap<K, Count>);

#[derive(Debug, Clone, Copy)]
struct Count {
    wrong: u32,
    /// Attempts that have not ended yet.
    under_way: u32,
    /// When the last wrong one began.
    last: Instant,
}

impl Logins {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (free, most) = (limits.login_failures, limits.login_delay_most);
        let counts = Counts {
            pairs: Table::default(),
            addresses: Table::default(),
            names: Table::default(),
            known: Known::default(),
            turns: Turns::default(),
            creates: Creates::new(limits.accounts_per_hour),
            attempts: 0,
        };
        Self { free, most, hasher: RandomState::new(), counts: Mutex::new(counts) }
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name and what it is called after a split are one.
    fn hash(&self, name: &str) -> u64 {
        self.hasher.hash_one(name.split('~').next().unwrap_or(name).to_ascii_lowercase())
    }

    /// An attempt begins. How long it has to wait before it asks for its turn ([`Logins::turn`]); `None` if there are too
    /// many.
    pub(crate) fn begin(&self, name: &str, address: Address, now: Instant) -> Option<(Attempt, Duration)> {
        let name = self.hash(name);
        let mut counts = self.counts();
        let crowd = counts.pairs.0.get(&(name, address)).map_or(0, |pair| pair.under_way);
        if crowd >= UNDER_WAY {
            return None;
        }
        let pair = counts.pairs.begin((name, address), now);
        let of_address = counts.addresses.begin(address, now);
        let of_name = counts.names.begin(name, now);
        let mut wait = delay(pair.wrong, self.free, self.most);
        if !address.is_loopback() {
            wait = wait.max(delay(of_address.wrong, self.free.saturating_mul(FREE_OF_ADDRESS), self.most));
        }
        let is_pursued = of_name.wrong >= self.free.saturating_mul(FREE_OF_NAME);
        let in_line = is_pursued && !counts.known.has(name, address, now);
        counts.attempts += 1;
        Some((Attempt { id: counts.attempts, address, what: What::Login(name, in_line), began: now }, wait))
    }

    /// Whether an attempt that has waited has its turn now.
    pub(crate) fn turn(&self, attempt: Attempt, now: Instant) -> Go {
        let What::Login(name, true) = attempt.what else { return Go::Now };
        self.counts().turns.ask(name, attempt.id, attempt.address.widest(), now)
    }

    /// Somebody makes an account.
    ///
    /// # Errors
    /// It is too much; after how many milliseconds it is worth another try.
    pub(crate) fn begin_create(&self, address: Address, now: Instant) -> Result<Attempt, u64> {
        let mut counts = self.counts();
        counts.creates.begin(address, now)?;
        counts.attempts += 1;
        Ok(Attempt { id: counts.attempts, address, what: What::Create, began: now })
    }

    /// The owner of a name is at an address.
    pub(crate) fn is_there(&self, name: &str, address: Address, now: Instant) {
        let name = self.hash(name);
        self.counts().known.add(name, address, now);
    }

    /// An attempt has ended.
    pub(crate) fn end(&self, attempt: Attempt, outcome: Outcome) {
        let Attempt { id, address, what, began } = attempt;
        let mut counts = self.counts();
        let What::Login(name, in_line) = what else {
            return counts.creates.end(address, outcome != Outcome::NotJudged);
        };
        if in_line {
            counts.turns.leave(name, id);
        }
        let is_wrong = outcome == Outcome::Wrong;
        counts.pairs.end(&(name, address), is_wrong, began);
        counts.addresses.end(&address, is_wrong, began);
        counts.names.end(&name, is_wrong, began);
        if outcome == Outcome::Right
            && let Some(pair) = counts.pairs.0.get_mut(&(name, address))
        {
            pair.wrong = 0;
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
        let fresh = Count { wrong: 0, under_way: 0, last: now };
        if !self.0.contains_key(&key) && self.0.len() >= REMEMBERED {
            self.forget(now);
        }
        let count = self.0.entry(key).or_insert(fresh);
        if now.saturating_duration_since(count.last) > FORGET {
            // Of those that have not ended nobody knows yet.
            *count = Count { wrong: count.under_way, ..*count };
        }
        let before = *count;
        if count.wrong == 0 {
            count.last = now;
        }
        count.wrong = count.wrong.saturating_add(1);
        count.under_way = count.under_way.saturating_add(1);
        before
    }

    /// An attempt has ended that began then. One that was not wrong keeps nothing in mind.
    fn end(&mut self, key: &K, is_wrong: bool, began: Instant) {
        let Some(count) = self.0.get_mut(key) else { return };
        count.under_way = count.under_way.saturating_sub(1);
        if is_wrong {
            count.last = count.last.max(began);
        } else {
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
            logins.begin("ann", address(ELSEWHERE), now).is_some() && logins.begin("bob", address(HOME), now).is_some()
        );
        let here = (0..20).filter(|_| logins.begin("ann", address(0x7F00_0001), now).is_some()).count();
        assert_eq!(here, UNDER_WAY as usize, "loopback is no exception");
        assert_eq!(under_way.iter().filter(|(_, wait)| wait.is_zero()).count(), 5);
        for (attempt, _) in under_way {
            logins.end(attempt, Outcome::NotJudged);
        }
        assert_eq!(wrong(&logins, "ann", HOME, now).as_millis(), 0, "nobody looked at them");
    }

    #[test]
    fn strangers_elsewhere_share_a_few_turns_and_the_owner_needs_none() {
        let (logins, now) = logins();
        let attempt = |from, now| {
            let (attempt, wait) = logins.begin("ann", address(from), now)?;
            Some((attempt, wait, logins.turn(attempt, now)))
        };
        logins.is_there("Ann", address(HOME), now);
        for n in 0..20 {
            wrong(&logins, "ann", ELSEWHERE + n, now);
        }
        // A thousand addresses try as often as they may, for a minute.
        let mut tried = 0;
        let mut waiting: Vec<(Attempt, Instant)> = Vec::new();
        for tenth in 0..600 {
            let now = now + Duration::from_millis(100) * tenth;
            for n in 0..1000 {
                match attempt(ELSEWHERE + 100 + n, now) {
                    Some((attempt, _, Go::Now)) => {
                        tried += 1;
                        logins.end(attempt, Outcome::Wrong);
                    }
                    Some((attempt, _, Go::After(wait))) => waiting.push((attempt, now + wait)),
                    Some((attempt, _, Go::Crowded)) => logins.end(attempt, Outcome::NotJudged),
                    None => {}
                }
            }
            waiting.retain_mut(|(attempt, at)| match logins.turn(*attempt, now) {
                _ if *at > now => true,
                Go::Now => {
                    tried += 1;
                    logins.end(*attempt, Outcome::Wrong);
                    false
                }
                Go::After(wait) => {
                    *at = now + wait;
                    true
                }
                Go::Crowded => panic!("it waits already"),
            });
        }
        assert!((150..=201).contains(&tried), "in a minute: {tried}");
        let (_, wait, go) = attempt(HOME, now).unwrap();
        assert_eq!((wait, go), (Duration::ZERO, Go::Now), "from where she was before");
    }

    #[test]
    fn an_address_that_tries_many_names_is_slowed_down_but_not_loopback() {
        let (logins, now) = logins();
        let last = |from| (0..100).map(|n| wrong(&logins, &format!("name{n}"), from, now)).last();
        assert_eq!(last(HOME), Some(Duration::from_secs(5)));
        assert_eq!(last(0x7F00_0001), Some(Duration::ZERO));
    }

    #[test]
    fn right_attempts_keep_no_wrong_ones_in_mind() {
        let (logins, now) = logins();
        for n in 0..60 {
            wrong(&logins, &format!("name{n}"), HOME, now);
        }
        let minute = Duration::from_secs(60);
        assert_eq!(right(&logins, "bob", HOME, now + minute * 10).as_millis(), 5000);
        assert_eq!(right(&logins, "bob", HOME, now + minute * 16).as_millis(), 0);
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
