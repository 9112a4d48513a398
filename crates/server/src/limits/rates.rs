//! How many requests a second one connection and one account may make.
//!
//! The generic cell rate algorithm (ITU-T I.371, as a virtual schedule): one moment says how full a bucket is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use lastword_facts::ids::AccountId;

use super::{Address, Limits, resolve};

/// Requests a second of a connection and of an account, if nothing else was said.
const PER_CONNECTION: u32 = 200;
const PER_ACCOUNT: u32 = 400;
/// Whoever was quiet may make as many requests at once as are his in this time.
const BURST: Duration = Duration::from_secs(10);
/// Who was refused is refused until he has paused so long. Without that, what was sent before the refusal was read
/// could be taken after what was refused, and messages would overtake one another.
const PAUSE: Duration = Duration::from_millis(500);
/// After so long it is worth another try, in milliseconds: longer than the pause, by as much as an answer may be on
/// its way.
const RETRY_MS: u64 = 1000;

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

    fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + self.each;
        let room = full_at - now <= BURST;
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
    refused_until: Option<Instant>,
}

impl Meter {
    pub(crate) fn new(limits: &Limits, address: Address, now: Instant) -> Self {
        let per_second = resolve(limits.requests_per_second, PER_CONNECTION, address);
        let own = per_second.map(|per_second| Bucket::new(per_second, now));
        Self { address, own, account: None, refused_until: None }
    }

    /// The connection is logged in.
    pub(crate) fn log_in(&mut self, accounts: &Accounts, account: AccountId, now: Instant) {
        if self.account.as_ref().is_none_or(|(known, _)| *known != account) {
            self.account = Some((account, accounts.bucket(account, self.address, now)));
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// It is too much; after how many milliseconds it is worth another try.
    pub(crate) fn take(&mut self, is_sign_of_life: bool, now: Instant) -> Result<(), u64> {
        if let Some(until) = self.refused_until {
            if now < until {
                // A client that waits still asks whether the server is there.
                if !is_sign_of_life {
                    self.refused_until = Some(now + PAUSE);
                }
                return Err(RETRY_MS);
            }
            self.refused_until = None;
        }
        let mut room = self.own.as_mut().is_none_or(|bucket| bucket.take(now));
        if room && let Some((_, Some(bucket))) = &self.account {
            room = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now);
        }
        if room {
            return Ok(());
        }
        self.refused_until = Some(now + PAUSE);
        Err(RETRY_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Address = Address::V4([192, 0, 2, 1]);
    const HERE: Address = Address::V4([127, 0, 0, 1]);

    fn taken(meter: &mut Meter, tries: u32, now: Instant) -> usize {
        (0..tries).filter(|_| meter.take(false, now).is_ok()).count()
    }

    #[test]
    fn a_burst_then_a_pause_then_the_rate() {
        let now = Instant::now();
        let limits = Limits { requests_per_second: Some(10), ..Limits::default() };
        let mut meter = Meter::new(&limits, HERE, now);
        assert_eq!(taken(&mut meter, 1000, now), 100, "ten seconds' worth");
        // Whoever does not pause is refused for ever.
        for ms in (0..5000).step_by(400) {
            assert_eq!(taken(&mut meter, 1, now + Duration::from_millis(ms)), 0);
        }
        let later = now + Duration::from_millis(4800 + RETRY_MS);
        assert!(taken(&mut meter, 100, later) >= 50);
    }

    #[test]
    fn a_sign_of_life_is_no_reason_to_wait_longer() {
        let now = Instant::now();
        let mut meter = Meter::new(&Limits { requests_per_second: Some(1), ..Limits::default() }, HERE, now);
        assert_eq!(taken(&mut meter, 100, now), 10);
        assert!(meter.take(true, now + Duration::from_millis(490)).is_err());
        assert!(meter.take(false, now + Duration::from_millis(1000)).is_ok());
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
