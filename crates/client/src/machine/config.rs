//! The machine's times and limits.

use std::time::Duration;

/// Times and limits. The defaults suit people and bots alike.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long a command may take in all, failovers included, before it fails.
    pub request_timeout: Duration,
    /// How long at the start a later replica waits for an earlier one that is still being dialled.
    pub settle: Duration,
    /// After how long without any answer a replica that owes a quick one is given up.
    pub silence: Duration,
    /// After how long a replica that answers other things, but not this one, is given up.
    pub stuck: Duration,
    /// After how long a replica that owes an answer is asked whether it is there.
    pub ping_owing: Duration,
    /// How long the leader may be quiet before it is asked whether it is there.
    pub ping_leader: Duration,
    /// The same for the others.
    pub ping_follower: Duration,
    /// How long a dial may take.
    pub dial_limit: Duration,
    /// The wait before the first new dial; it doubles with each that fails.
    pub redial_first: Duration,
    /// The longest wait between dials.
    pub redial_most: Duration,
    /// A number that differs from client to client, and shortens its waits between dials by up to half: thousands who
    /// have lost a replica are then not all back at it at one moment. Without one, [`crate::Client`] draws
    /// one, and the machine alone shortens none.
    pub spread: Option<u64>,
    /// How many commands may be unanswered; more fail at once.
    pub unanswered_most: usize,
    /// How many answered deeds are kept for the next replica, because not every disk had them.
    pub uncovered_most: usize,
    /// How many messages are remembered, to drop them when they come again.
    pub remembered_most: usize,
    /// How many events may wait for the caller. Beyond, receipts and health are dropped, and messages
    /// are left with the server until the caller has caught up.
    pub events_most: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            settle: Duration::from_millis(300),
            silence: Duration::from_secs(1),
            stuck: Duration::from_secs(8),
            ping_owing: Duration::from_millis(500),
            ping_leader: Duration::from_secs(1),
            ping_follower: Duration::from_secs(5),
            dial_limit: Duration::from_secs(5),
            redial_first: Duration::from_millis(100),
            redial_most: Duration::from_secs(2),
            spread: None,
            unanswered_most: 10_000,
            uncovered_most: 1_000,
            remembered_most: 100_000,
            events_most: 10_000,
        }
    }
}

impl Config {
    /// The wait before the next dial, after this many failures in a row.
    pub(super) fn redial_wait(&self, failures: u32) -> Duration {
        let doubled = self.redial_first.saturating_mul(1 << failures.saturating_sub(1).min(16));
        let wait = doubled.min(self.redial_most);
        let Some(spread) = self.spread else { return wait };
        // Multiples of the golden ratio: each wait of a client is another part of what it may be.
        let part = spread.wrapping_add(failures.into()).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        wait - wait.mul_f64(part as f64 / f64::from(u32::MAX) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_dials_again_waits_longer_each_time() {
        let config = Config::default();
        let waits = [1, 2, 3, 6, u32::MAX].map(|failures| config.redial_wait(failures).as_millis());
        assert_eq!(waits, [100, 200, 400, 2_000, 2_000]);
    }

    #[test]
    fn clients_that_lost_a_replica_are_not_all_back_at_one_moment() {
        let mut back = [0; 20];
        for client in 0..10_000_u64 {
            let config = Config { spread: Some(client.wrapping_mul(0x0123_4567_89ab_cdef)), ..Config::default() };
            let wait = config.redial_wait(9);
            back[wait.as_millis().saturating_sub(1_001) as usize / 50] += 1;
        }
        assert!(back.iter().all(|&count| (400..600).contains(&count)), "in each twentieth of a second: {back:?}");
    }
}
