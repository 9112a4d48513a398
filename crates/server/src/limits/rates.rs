//! How many requests a second one connection and one account may make.
//!
//! The generic cell rate algorithm (ITU-T I.371, as a virtual schedule): one moment says how full a bucket is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use lastword_core::Mono;
use lastword_core::later::{Later, Why};
use lastword_facts::ids::{AccountId, Key};
use lastword_protocol::Op;

use super::{Address, Limits, resolve};

/// Requests a second of a connection and of an account, if nothing else was said.
const PER_CONNECTION: u32 = 200;
const PER_ACCOUNT: u32 = 400;
/// Whoever was quiet may make as many requests at once as are his in this time.
const BURST: Duration = Duration::from_secs(10);
/// A line takes one request more for each of these.
const BYTES: usize = 4 * 1024;
/// After so long it is worth another try, in milliseconds.
const RETRY_MS: u64 = 1000;

/// How much of a second's requests an operation takes, by what it costs the server: all others take one.
/// Long lines take more.
pub(crate) fn cost(op: &Op, bytes: usize) -> u32 {
    let of_op = match op {
        Op::List { .. } => 10,
        _ => 1,
    };
    of_op + (bytes / BYTES) as u32
}

/// Requests that may be made.
#[derive(Debug)]
struct Bucket {
    /// What one request takes.
    each: Duration,
    /// When it is full again.
    full_at: Instant,
}

impl Bucket {
    fn new(per_second: u32, now: Instant) -> Self {
        Self { each: Duration::from_secs(1) / per_second, full_at: now }
    }

    /// Takes what `cost` requests take.
    fn take(&mut self, cost: u32, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + self.each * cost;
        // However few there may be in a second, one thing can be asked.
        let room = full_at - now <= BURST.max(self.each * cost);
        if room {
            self.full_at = full_at;
        }
        room
    }
}

/// What the connections of one account share.
type Shared = Arc<Mutex<Bucket>>;

/// The accounts that have connections, each with its bucket.
pub(crate) struct Accounts {
    said: Option<u32>,
    buckets: Mutex<HashMap<AccountId, Weak<Mutex<Bucket>>>>,
}

impl Accounts {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { said: limits.account_requests_per_second, buckets: Mutex::default() }
    }

    fn bucket(&self, account: AccountId, address: Address, now: Instant) -> Option<Shared> {
        let per_second = resolve(self.said, PER_ACCOUNT, address)?;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(&account).and_then(Weak::upgrade) {
            return Some(bucket);
        }
        // Those who have gone are forgotten before room is made for more.
        if buckets.len() == buckets.capacity() {
            buckets.retain(|_, bucket| bucket.strong_count() > 0);
        }
        let bucket = Arc::new(Mutex::new(Bucket::new(per_second, now)));
        buckets.insert(account, Arc::downgrade(&bucket));
        Some(bucket)
    }
}

/// Counts the requests of one connection.
pub(crate) struct Meter {
    address: Address,
    own: Option<Bucket>,
    account: Option<(AccountId, Option<Shared>)>,
    /// Messages that were refused: those that were sent before that was read must not overtake them.
    later: Later,
    began: Instant,
}

impl Meter {
    pub(crate) fn new(limits: &Limits, address: Address, now: Instant) -> Self {
        let per_second = resolve(limits.requests_per_second, PER_CONNECTION, address);
        let own = per_second.map(|per_second| Bucket::new(per_second, now));
        Self { address, own, account: None, later: Later::default(), began: now }
    }

    /// The connection is logged in.
    pub(crate) fn log_in(&mut self, accounts: &Accounts, account: AccountId, now: Instant) {
        if self.account.as_ref().is_none_or(|(known, _)| *known != account) {
            self.account = Some((account, accounts.bucket(account, self.address, now)));
        }
    }

    /// Counts a request, as so many as it costs ([`cost`]); of a message with its key.
    ///
    /// # Errors
    /// It is too much, or would overtake what was; after how many milliseconds it is worth another try.
    pub(crate) fn take(&mut self, cost: u32, message: Option<Key>, now: Instant) -> Result<(), u64> {
        let at = Mono(now - self.began);
        let is_behind = message.is_some_and(|key| self.later.is_behind(at, key));
        let taken = !is_behind && self.take_from_buckets(cost, now);
        match message {
            Some(key) if taken => self.later.take(at, key),
            Some(key) => self.later.tell(at, key, if is_behind { Why::Behind } else { Why::NoRoom }),
            None => {}
        }
        if taken { Ok(()) } else { Err(RETRY_MS) }
    }

    fn take_from_buckets(&mut self, cost: u32, now: Instant) -> bool {
        let mut room = self.own.as_mut().is_none_or(|bucket| bucket.take(cost, now));
        if room && let Some((_, Some(bucket))) = &self.account {
            room = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(cost, now);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Address = Address::V4([192, 0, 2, 1]);
    const HERE: Address = Address::V4([127, 0, 0, 1]);

    fn taken(meter: &mut Meter, tries: u32, now: Instant) -> usize {
        (0..tries).filter(|_| meter.take(1, None, now).is_ok()).count()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let now = Instant::now();
        let limits = Limits { requests_per_second: Some(10), ..Limits::default() };
        let mut meter = Meter::new(&limits, HERE, now);
        assert_eq!(taken(&mut meter, 1000, now), 100, "ten seconds' worth");
        for second in 1..5 {
            assert_eq!(taken(&mut meter, 1000, now + Duration::from_secs(second)), 10);
        }
    }

    #[test]
    fn a_list_counts_as_ten() {
        let now = Instant::now();
        let mut meter = Meter::new(&Limits::default(), FAR, now);
        let list = Op::List { pattern: String::new(), limit: None, after: None };
        assert_eq!((0..1000).filter(|_| meter.take(cost(&list, 80), None, now).is_ok()).count(), 200);
        assert_eq!(taken(&mut meter, 10, now), 0, "it is the same bucket");
    }

    #[test]
    fn long_lines_count_more_and_can_always_be_said() {
        let now = Instant::now();
        let mut meter = Meter::new(&Limits::default(), FAR, now);
        let long = cost(&Op::Ping, 65_536);
        assert_eq!((0..1000).filter(|_| meter.take(long, None, now).is_ok()).count(), 2000 / 17);
        let limits = Limits { requests_per_second: Some(1), ..Limits::default() };
        let mut meter = Meter::new(&limits, FAR, now);
        assert!(meter.take(long, None, now).is_ok() && meter.take(1, None, now).is_err());
    }

    #[test]
    fn no_message_overtakes_one_that_was_too_much() {
        let now = Instant::now();
        let limits = Limits { requests_per_second: Some(1), ..Limits::default() };
        let mut meter = Meter::new(&limits, HERE, now);
        let mut send = |key, ms| meter.take(1, Some(Key(key)), now + Duration::from_millis(ms)).is_ok();
        assert_eq!((0..15).filter(|&key| send(key, 0)).count(), 10);
        assert!(!send(20, 2000), "10 to 14 come first");
        assert!(send(10, 2100) && send(11, 2100) && !send(12, 2100));
        assert!(!send(13, 3200), "there is room, and 12 was refused again");
        assert!(send(12, 9000) && send(13, 9000) && send(14, 9000) && send(20, 9000));
    }

    #[test]
    fn the_connections_of_an_account_share_a_bucket() {
        let now = Instant::now();
        let limits =
            Limits { requests_per_second: Some(0), account_requests_per_second: Some(10), ..Limits::default() };
        let accounts = Accounts::new(&limits);
        let mut meters: Vec<Meter> = (0..3).map(|_| Meter::new(&limits, HERE, now)).collect();
        for (meter, account) in meters.iter_mut().zip([1, 1, 2]) {
            assert_eq!(taken(meter, 1000, now), 1000, "nobody yet");
            meter.log_in(&accounts, AccountId(account), now);
        }
        assert_eq!(taken(&mut meters[0], 60, now), 60);
        assert_eq!(taken(&mut meters[1], 60, now), 40);
        assert_eq!(taken(&mut meters[2], 60, now), 60, "somebody else");
        drop(meters);
        assert!(accounts.buckets.lock().unwrap().values().all(|bucket| bucket.strong_count() == 0));
    }

    #[test]
    fn loopback_is_not_limited_unless_it_is_said() {
        let (now, limits) = (Instant::now(), Limits::default());
        assert_eq!(taken(&mut Meter::new(&limits, HERE, now), 10_000, now), 10_000);
        assert_eq!(taken(&mut Meter::new(&limits, FAR, now), 10_000, now), 2000);
    }
}
