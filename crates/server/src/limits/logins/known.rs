//! From which addresses the owners of names have got in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::super::Address;

/// Forgotten after so long without being there again.
const FORGET: Duration = Duration::from_secs(7 * 24 * 3600);
/// So many are remembered; with more, the older half goes.
const REMEMBERED: usize = 50_000;

/// Names and addresses that belong together.
#[derive(Default)]
pub(super) struct Known(HashMap<(u64, Address), Instant>);

impl Known {
    /// The owner of a name is there.
    pub(super) fn add(&mut self, name: u64, address: Address, now: Instant) {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&(name, address)) {
            let mut times: Vec<Instant> = self.0.values().copied().collect();
            let (_, middle, _) = times.select_nth_unstable(REMEMBERED / 2);
            let middle = *middle;
            self.0.retain(|_, at| *at > middle);
        }
        self.0.insert((name, address), now);
    }

    /// Whether the owner of a name was there lately.
    pub(super) fn has(&self, name: u64, address: Address, now: Instant) -> bool {
        self.0.get(&(name, address)).is_some_and(|at| now.saturating_duration_since(*at) < FORGET)
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
        assert!(known.0.len() <= REMEMBERED);
        let last = REMEMBERED as u64 * 2 - 1;
        assert!(known.has(last, address, now) && !known.has(0, address, now));
        assert!(!known.has(last, Address::V4([192, 0, 2, 2]), now) && !known.has(last, address, now + FORGET * 2));
    }
}
