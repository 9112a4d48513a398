//! How fast own facts go to a peer that catches up, while people write.
//!
//! A peer that comes back takes what it can get, and both ends are busy with that: encrypting, writing, applying. Who
//! writes meanwhile would wait for it. So it gets as much as is written meanwhile, which is what it takes to come nearer
//! at all, and [`BYTES_A_SECOND`] more. It is the generic cell rate algorithm (ITU-T I.371): instead of a level that leaks
//! there is the time at which what went is paid for.

use std::time::Duration;

use crate::time::Mono;

/// By so much it comes nearer: a million short messages in 7 s. What is read from disk for peers has the same pace.
const BYTES_A_SECOND: u64 = 26 * 1024 * 1024;
/// After a pause so much goes at once, in bytes.
const AT_ONCE: u64 = 64 * 1024;
/// Nobody has written for so long: there is nobody to wait for.
pub(crate) const QUIET: Duration = Duration::from_millis(150);

/// What went to one peer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    paid: Mono,
    /// Bytes that had been written here when something went last.
    written: u64,
}

impl Pace {
    /// How long it is until something may go again, if it may not now.
    pub(crate) fn wait(&self, now: Mono) -> Option<Duration> {
        let wait = self.paid.since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// So many bytes went; and so many were written here in all.
    pub(crate) fn went(&mut self, now: Mono, bytes: usize, written: u64) {
        let least = now - takes(AT_ONCE);
        let new = written.saturating_sub(self.written);
        self.written = written;
        self.paid = (self.paid.max(least) + takes(bytes as u64) - takes(new)).max(least);
    }
}

fn takes(bytes: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / BYTES_A_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = 64 * 1024;

    /// Sends a piece whenever one may go, for a second, in which so many bytes are written each millisecond.
    fn gone_in_a_second(written_a_ms: u64) -> u64 {
        let (mut pace, mut gone) = (Pace::default(), 0);
        for ms in 1000..2000 {
            let now = Mono(Duration::from_millis(ms));
            while pace.wait(now).is_none() {
                pace.went(now, PIECE, ms * written_a_ms);
                gone += PIECE as u64;
            }
        }
        gone
    }

    #[test]
    fn it_comes_nearer_by_the_same_whatever_is_written() {
        for written in [0, 1000, 30_000] {
            let (gone, expected) = (gone_in_a_second(written), BYTES_A_SECOND + 1000 * written);
            assert!(gone.abs_diff(expected) < expected / 20, "{gone} instead of {expected} bytes");
        }
    }

    #[test]
    fn after_a_pause_no_more_goes_at_once() {
        let mut pace = Pace::default();
        for second in [1, 100] {
            let now = Mono(Duration::from_secs(second));
            let mut gone = 0;
            while pace.wait(now).is_none() {
                pace.went(now, 1024, 0);
                gone += 1024;
            }
            assert!((AT_ONCE..AT_ONCE + 2048).contains(&gone), "{gone}");
        }
    }
}
