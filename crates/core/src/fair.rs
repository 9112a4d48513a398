//! Fair shares of what all use: tags in virtual time, and a rate.
//!
//! Start-time fair queueing (Goyal, Vin and Cheng, 1996): each piece of work has a tag, which is where the one before it of
//! the same account ended, or the virtual time if that is later. The lowest tag goes first, and the virtual time is the
//! tag of what was begun last. An account that asks for little has nothing behind the virtual time, and does not wait for
//! those that ask for much.

use std::time::Duration;

use crate::time::Mono;

/// The tag of what was begun last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct VirtualTime(u64);

impl VirtualTime {
    /// The tag of the next piece of work of an account, of which the one before ended there.
    pub(crate) fn tag(self, end: u64) -> u64 {
        end.max(self.0)
    }

    /// Work with this tag begins.
    pub(crate) fn begin(&mut self, tag: u64) {
        self.0 = self.0.max(tag);
    }

    /// Work with this tag waits for nobody.
    pub(crate) fn is_first(self, tag: u64) -> bool {
        tag <= self.0
    }
}

/// Bytes a second, over all accounts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    per_second: u64,
    /// What is given at once may last this long at the rate. Nothing is owed beyond twice that.
    burst: Duration,
    /// Until when all that was given lasts.
    until: Mono,
}

impl Rate {
    pub(crate) const fn new(per_second: u64, burst: Duration) -> Self {
        Self { per_second, burst, until: Mono(Duration::ZERO) }
    }

    /// Bytes are given.
    pub(crate) fn give(&mut self, now: Mono, bytes: u64) {
        let lasts = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / self.per_second);
        self.until = (self.until.max(now) + lasts).min(now + 2 * self.burst);
    }

    /// From when on something may be given.
    pub(crate) fn free_from(&self) -> Mono {
        self.until - self.burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_debt_of_long_ago() {
        let mut rate = Rate::new(1000, Duration::from_millis(10));
        let now = Mono(Duration::from_secs(1));
        (0..1_000_000).for_each(|_| rate.give(now, 1_000_000));
        assert_eq!(rate.free_from(), now + Duration::from_millis(10));
    }

    #[test]
    fn a_second_gives_what_the_rate_says() {
        let mut rate = Rate::new(100_000, Duration::from_millis(10));
        let mut given = 0;
        for ms in 0..1000 {
            let now = Mono(Duration::from_millis(1000 + ms));
            while rate.free_from() <= now {
                rate.give(now, 100);
                given += 100;
            }
        }
        assert!((100_000..=102_000).contains(&given), "{given}");
    }
}
