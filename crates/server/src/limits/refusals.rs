//! How often a connection, all of an address, and all together may be refused before they are read from less often. What is said without a
//! login counts in the same way.
//!
//! A refusal costs little, and a flood of them costs a core: whoever asks for more than they get could go on asking. What they
//! send then waits in their own machine. Nobody who sends again what was refused after `retry_ms` comes near these rates: at most
//! a thousand messages wait in a client.
//!
//! The generic cell rate algorithm, as in [`super::rates`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Address;

/// Refusals a second of one connection, of one address, and of all.
const PER_CONNECTION: u32 = 1_000;
const PER_ADDRESS: u32 = 4_000;
const OF_ALL: u32 = 20_000;
/// An address that is refused less often than this, in a second, does not wait because of all.
const FEW: u32 = 300;
/// Whoever was not refused for this long may be refused as often at once as in this time.
const BURST: Duration = Duration::from_secs(2);
/// A connection is read from again after this time at most: somebody who behaves well may share the address, and a client
/// that hears nothing for a second goes elsewhere.
const LONGEST: Duration = Duration::from_millis(250);
/// So many addresses are known before those that owe nothing any more are forgotten.
const KNOWN: usize = 1_024;

/// When what an address was refused is paid for: at its rate, and at that of those who are refused little.
#[derive(Debug, Clone, Copy)]
struct Paid {
    at_most: Instant,
    as_few: Instant,
}

/// Counts refusals of addresses.
#[derive(Default)]
pub(crate) struct Refusals {
    /// When what each was refused is paid for.
    addresses: Mutex<HashMap<Address, Paid>>,
    /// The same, of all of them together.
    all: Mutex<Option<Instant>>,
}

impl Refusals {
    /// A connection was refused `count` times; `own` is when what it was refused is paid for. Until when it is not to be
    /// read from: `None`, it may be.
    pub(crate) fn told(&self, own: &mut Option<Instant>, from: Address, count: u32, now: Instant) -> Option<Instant> {
        let mut paid = pay(*own, PER_CONNECTION, count, now);
        *own = Some(paid);
        // On loopback one address stands for many.
        if !from.is_loopback() {
            let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            if addresses.len() >= KNOWN && addresses.len() == addresses.capacity() {
                addresses.retain(|_, paid| paid.at_most.max(paid.as_few) > now);
            }
            let before = addresses.get(&from);
            let of_address = Paid {
                at_most: pay(before.map(|paid| paid.at_most), PER_ADDRESS, count, now),
                as_few: pay(before.map(|paid| paid.as_few), FEW, count, now),
            };
            addresses.insert(from, of_address);
            let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            let of_all = pay(*all, OF_ALL, count, now);
            *all = Some(of_all);
            paid = paid.max(of_address.at_most);
            if of_address.as_few > now + BURST {
                paid = paid.max(of_all);
            }
        }
        (paid > now + BURST).then(|| (paid - BURST).min(now + LONGEST))
    }
}

/// Nobody owes more than a second beyond the burst: who stops is soon free again.
fn pay(before: Option<Instant>, per_second: u32, count: u32, now: Instant) -> Instant {
    let from = before.map_or(now, |before| before.max(now));
    (from + Duration::from_secs(1) * count / per_second).min(now + BURST + Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Address = Address::V4([192, 0, 2, 1]);
    const HERE: Address = Address::V4([127, 0, 0, 1]);

    /// Refusals of connections of an address in ten seconds; each is refused 32 times as soon as it is read from.
    fn flood(refusals: &Refusals, from: Address, connections: usize) -> u32 {
        let now = Instant::now();
        let mut all = vec![(None, now); connections];
        let mut count = 0;
        for ms in 0..10_000 {
            let now = now + Duration::from_millis(ms);
            for (own, until) in &mut all {
                if *until <= now {
                    count += 32;
                    *until = refusals.told(own, from, 32, now).unwrap_or(now);
                }
            }
        }
        count
    }

    #[test]
    fn one_connection_is_slowed_down() {
        let count = flood(&Refusals::default(), HERE, 1);
        assert!((10_000..=12_100).contains(&count), "{count}");
    }

    #[test]
    fn connections_of_one_address_share() {
        let count = flood(&Refusals::default(), FAR, 16);
        assert!((40_000..=50_000).contains(&count), "{count}");
        let of_many = flood(&Refusals::default(), FAR, 1_000);
        assert!(of_many <= 40 * 32 * 1_000 + 50_000, "each at most four times a second: {of_many}");
    }

    #[test]
    fn all_addresses_share() {
        let (refusals, began) = (Refusals::default(), Instant::now());
        let mut all = vec![(None, began); 640];
        let mut count = 0;
        for ms in 0..10_000 {
            let now = began + Duration::from_millis(ms);
            for (number, (own, until)) in all.iter_mut().enumerate() {
                if *until <= now {
                    count += 16;
                    let from = Address::V4([192, 0, 2, (number % 64) as u8]);
                    *until = refusals.told(own, from, 16, now).unwrap_or(now);
                }
            }
        }
        // 64 addresses alone might be refused 256,000 times a second.
        assert!(count <= 40 * 16 * 640 + 3 * 20_000, "each four times a second at most: {count}");
        // Somebody else is refused now and then.
        let somebody = Address::V4([198, 51, 100, 1]);
        assert_eq!(refusals.told(&mut None, somebody, 100, began + Duration::from_secs(10)), None);
    }

    #[test]
    fn who_sends_again_what_was_refused_is_not_slowed_down() {
        let (refusals, now, mut own) = (Refusals::default(), Instant::now(), None);
        for second in 0..60 {
            let now = now + Duration::from_secs(second);
            assert_eq!(refusals.told(&mut own, FAR, 1_000, now), None, "in second {second}");
        }
    }

    #[test]
    fn who_stops_is_soon_free_again_and_forgotten() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        let mut own = None;
        assert!(refusals.told(&mut own, FAR, 1_000_000, now).is_some());
        let later = now + Duration::from_secs(4);
        assert_eq!(refusals.told(&mut own, FAR, 1, later), None);
        for number in 0..20_000u32 {
            refusals.told(
                &mut None,
                Address::V4(number.to_be_bytes()),
                1,
                later + Duration::from_millis(u64::from(number)),
            );
        }
        assert!(refusals.addresses.lock().unwrap().len() < 4_096);
    }
}
