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
            unanswered_most: 10_000,
            uncovered_most: 1_000,
            remembered_most: 100_000,
            events_most: 10_000,
        }
    }
}
