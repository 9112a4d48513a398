//! How many accounts one address makes: one at a time, twenty at once, and then one now and then.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::addresses::Network;
use super::{Address, resolve};

/// New accounts an hour from one address, if nothing else was said: one in 10 s.
const PER_HOUR: u32 = 360;
/// Whoever has made none for long may make so many at once.
const AT_ONCE: u32 = 20;
/// While one is under way another one is worth a try after so long, in milliseconds.
const NEXT_MS: u64 = 1000;

/// Counts new accounts, by address and by the wider networks of IPv6.
pub(super) struct Creates {
    said: Option<u32>,
    networks: HashMap<Network, Made>,
}

struct Made {
    under_way: u32,
    /// When as many as [`AT_ONCE`] may be made again.
    full_at: Instant,
}

impl Creates {
    /// With this limit an hour, if one was given; 0 is no limit.
    pub(super) fn new(said: Option<u32>) -> Self {
        Self { said, networks: HashMap::new() }
    }

    /// An account is about to be made.
    ///
    /// # Errors
    /// It is too much; after how many milliseconds it is worth another try.
    pub(super) fn begin(&mut self, from: Address, now: Instant) -> Result<(), u64> {
        let Some(per_hour) = resolve(self.said, PER_HOUR, from) else { return Ok(()) };
        if self.networks.len() == self.networks.capacity() {
            self.networks.retain(|_, made| made.under_way > 0 || made.full_at > now);
        }
        let mut wait = Duration::ZERO;
        for (network, times) in from.networks() {
            let Some(made) = self.networks.get(&network) else { continue };
            if made.under_way >= times {
                return Err(NEXT_MS);
            }
            let each = each(per_hour, times);
            let full = made.full_at.saturating_duration_since(now) + each;
            wait = wait.max(full.saturating_sub(each * AT_ONCE * times));
        }
        if !wait.is_zero() {
            return Err(wait.as_millis() as u64 + 1);
        }
        for (network, times) in from.networks() {
            let made = self.networks.entry(network).or_insert(Made { under_way: 0, full_at: now });
            made.under_way += 1;
            made.full_at = made.full_at.max(now) + each(per_hour, times);
        }
        Ok(())
    }

    /// One is made, or not; if not for a reason of this server, it does not count.
    pub(super) fn end(&mut self, from: Address, counts: bool) {
        let Some(per_hour) = resolve(self.said, PER_HOUR, from) else { return };
        for (network, times) in from.networks() {
            if let Some(made) = self.networks.get_mut(&network) {
                made.under_way = made.under_way.saturating_sub(1);
                if !counts {
                    made.full_at -= each(per_hour, times);
                }
            }
        }
    }
}

/// What one account takes of a network that may make so many times as many as an address.
fn each(per_hour: u32, times: u32) -> Duration {
    Duration::from_secs(3600) / per_hour / times
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse::<std::net::IpAddr>().unwrap().into()
    }

    /// How many of a thousand are made from there.
    fn made(creates: &mut Creates, from: &str, now: Instant) -> usize {
        let made = |_: &u32| creates.begin(address(from), now).map(|()| creates.end(address(from), true)).is_ok();
        (0..1000).filter(made).count()
    }

    #[test]
    fn some_at_once_then_one_now_and_then() {
        let (mut creates, now) = (Creates::new(None), Instant::now());
        assert_eq!(made(&mut creates, "192.0.2.1", now), 20);
        assert_eq!(creates.begin(address("192.0.2.1"), now), Err(10_001));
        assert_eq!(made(&mut creates, "192.0.2.1", now + Duration::from_secs(40)), 4);
        assert_eq!(made(&mut creates, "192.0.2.2", now), 20, "another address");
        assert_eq!(made(&mut creates, "127.0.0.1", now), 1000, "nothing was said for loopback");
        assert_eq!(made(&mut Creates::new(Some(1)), "127.0.0.1", now), 20);
        assert_eq!(made(&mut Creates::new(Some(0)), "192.0.2.1", now), 1000);
    }

    #[test]
    fn one_at_a_time_and_what_fails_here_does_not_count() {
        let (mut creates, now) = (Creates::new(None), Instant::now());
        let from = address("192.0.2.1");
        for _ in 0..100 {
            assert_eq!(creates.begin(from, now), Ok(()));
            assert_eq!(creates.begin(from, now), Err(NEXT_MS));
            creates.end(from, false);
        }
        assert_eq!(made(&mut creates, "192.0.2.1", now), 20);
    }

    #[test]
    fn networks_of_networks_have_more_and_not_without_end() {
        let (mut creates, now) = (Creates::new(None), Instant::now());
        let all: usize = (0..256).map(|n| made(&mut creates, &format!("2001:db8:0:{n:x}::1"), now)).sum();
        assert_eq!(all, 40, "of one /56");
        let all: usize = (1..256).map(|n| made(&mut creates, &format!("2001:db8:0:{n:x}00::1"), now)).sum();
        assert_eq!(all, 40, "and as many of the others of its /48");
    }
}
