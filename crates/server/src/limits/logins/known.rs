//! From which addresses the owners of names have got in.
//!
//! Each name has a few of its own, so that nobody who comes from many addresses makes the server forget those of others.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::super::Address;
use super::super::addresses::Network;

/// Forgotten after so long without being there again.
const FORGET: Duration = Duration::from_secs(7 * 24 * 3600);
/// So many of one name are remembered; with more, the oldest goes.
const OF_NAME: usize = 8;
/// So many are remembered in all. With more, names that have many keep fewer of them; where all have one, the older
/// half goes.
const REMEMBERED: usize = 50_000;
/// So many are left then at the most, so that it is not done again for each one more.
const LEFT: usize = REMEMBERED / 4 * 3;

/// Names, and where their owners were: the newest first. Networks as wide as one customer may have.
#[derive(Default)]
pub(super) struct Known {
    names: HashMap<u64, Vec<(Network, Instant)>>,
    count: usize,
}

impl Known {
    /// The owner of a name is there.
    pub(super) fn add(&mut self, name: u64, address: Address, now: Instant) {
        if self.count >= REMEMBERED {
            self.forget(now);
        }
        let network = address.widest();
        let of_name = self.names.entry(name).or_default();
        self.count -= of_name.len();
        of_name.retain(|(other, _)| *other != network);
        of_name.insert(0, (network, now));
        of_name.truncate(OF_NAME);
        self.count += of_name.len();
    }

    /// Whether the owner of a name was there lately.
    pub(super) fn has(&self, name: u64, address: Address, now: Instant) -> bool {
        let network = address.widest();
        let mut of_name = self.names.get(&name).into_iter().flatten();
        of_name.any(|(other, at)| *other == network && now.saturating_duration_since(*at) < FORGET)
    }

    fn forget(&mut self, now: Instant) {
        for keep in [OF_NAME, OF_NAME / 2, OF_NAME / 4, 1] {
            for of_name in self.names.values_mut() {
                of_name.retain(|(_, at)| now.saturating_duration_since(*at) < FORGET);
                of_name.truncate(keep);
                of_name.shrink_to_fit();
            }
            self.names.retain(|_, of_name| !of_name.is_empty());
            self.count = self.names.values().map(Vec::len).sum();
            if self.count <= LEFT {
                return;
            }
        }
        let mut times: Vec<Instant> = self.names.values().flatten().map(|(_, at)| *at).collect();
        let (_, middle, _) = times.select_nth_unstable(self.count / 2);
        let middle = *middle;
        self.names.retain(|_, of_name| of_name.iter().any(|(_, at)| *at > middle));
        self.count = self.names.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_ends() {
        let (mut known, now) = (Known::default(), Instant::now());
        let address = Address::V4([192, 0, 2, 1]);
        for name in 0..REMEMBERED as u64 * 2 {
            known.add(name, address, now + Duration::from_micros(name));
        }
        assert!(known.count <= REMEMBERED && known.count == known.names.len());
        let last = REMEMBERED as u64 * 2 - 1;
        assert!(known.has(last, address, now) && !known.has(0, address, now));
        assert!(!known.has(last, Address::V4([192, 0, 2, 2]), now) && !known.has(last, address, now + FORGET * 2));
    }
    #[test]
    fn nobody_makes_the_addresses_of_others_forgotten() {
        let (mut known, now) = (Known::default(), Instant::now());
        let home = Address::V4([192, 0, 2, 1]);
        known.add(1, home, now);
        // A thousand others come from ever new addresses.
        for n in 0..REMEMBERED as u32 * 4 {
            let at = now + Duration::from_millis(1 + u64::from(n));
            known.add(2 + u64::from(n % 1000), Address::V4(n.to_be_bytes()), at);
        }
        assert!(known.has(1, home, now) && known.count <= 1001 * OF_NAME);
        // Ten thousand: those that have many lose some.
        for n in 0..REMEMBERED as u32 * 4 {
            let at = now + Duration::from_millis(1 + u64::from(n));
            known.add(2 + u64::from(n % 10_000), Address::V4(n.to_be_bytes()), at);
        }
        assert!(known.has(1, home, now) && known.count <= REMEMBERED);
        // An owner whose addresses change within a network of IPv6.
        let within = |n: u8| Address::V6([0x20, 1, 0x0d, 0xb8, 0, 1, 0, n]);
        known.add(1, within(1), now);
        assert!(known.has(1, within(9), now));
    }
}
