//! What a core is told once.

use std::time::Duration;

use lastword_facts::ids::Incarnation;

use crate::io::ReplicaId;

/// What a core is told once.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which of the group this replica is.
    pub own: ReplicaId,
    /// How many replicas the group has, this one among them: 1 to 26.
    pub replicas: u8,
    /// A hash of the group's list, so that replicas of different groups don't mix.
    pub group: u64,
    /// Under which incarnation this replica writes: drawn at random for this start.
    pub incarnation: Incarnation,
    /// The times and limits.
    pub settings: Settings,
}

/// Times and limits. The defaults are those of the design.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The shortest password, in bytes.
    pub password_bytes_min: usize,
    /// A peer leaves when the oldest fact that waits for it is so old.
    pub confirm_patience: Duration,
    /// A link is closed when nothing came on it for so long.
    pub silence: Duration,
    /// How often a sign of life is sent on a link.
    pub heartbeat: Duration,
    /// A peer comes in sync when it has confirmed the log's end as it stood at most so long ago.
    pub in_sync_lag: Duration,
    /// When the last peer in sync goes by a broken link, answers wait so much longer.
    pub dying_breath: Duration,
    /// How long a name's claim may take from its making to its confirm.
    pub claim: Duration,
    /// How long an unconfirmed claim stands in the way of others.
    pub claim_shadow: Duration,
    /// One account's confirms of delivery are gathered for so long.
    pub delivered: Duration,
    /// Messages that may wait for one account.
    pub mailbox: u64,
    /// Bytes of facts that one account may have written here in a day; none: any number.
    pub account_bytes_per_day: Option<u64>,
    /// Accounts that there are, or were, beyond which this replica makes no more.
    pub accounts: usize,
    /// Facts of this replica that may wait for an answer, before requests are refused.
    pub in_flight: usize,
    /// Bytes of those. Beyond this, accounts that have more than their part of them are told to come later: what
    /// somebody writes waits for the disk behind all that was written before.
    pub in_flight_bytes: usize,
    /// The same, of those who write at the same time as others: the next messages wait for their turns.
    pub fair_bytes: usize,
    /// Facts that came before what they rest on, in bytes.
    pub held_bytes: usize,
    /// Facts on their way to the disk, in bytes: with more, nothing more is pulled.
    pub unsaved_bytes: usize,
    /// Known keys in memory; older ones ask the views.
    pub recent_keys: usize,
    /// Connections of one account that may listen here at a time.
    pub listeners: usize,
    /// Connections, messages or facts that one thing may concern before others have their turn.
    pub step: usize,
    /// Requests of one connection that wait behind one that looks something up.
    pub queued_requests: usize,
    /// Bytes of what those carry.
    pub queued_bytes: usize,
    /// Messages sent on one connection of which it is known singly that they were not confirmed.
    pub unconfirmed: usize,
    /// Messages in one page of what waits for a connection.
    pub inbox_page: u32,
    /// Messages of which the sender gets a receipt when they are delivered, over all accounts.
    pub receipts: usize,
    /// Facts that a link may carry unconfirmed, in bytes.
    pub push_bytes: usize,
    /// Sessions that were not used for so long are ended, within [`Settings::sweep_every`].
    pub session_unused: Duration,
    /// The use of a session is noted again after so long: a small part of [`Settings::session_unused`].
    pub use_noted: Duration,
    /// How often a replica looks for such sessions; for the first time so long after its start.
    pub sweep_every: Duration,
    /// Clocks that differ by no more than that agree.
    pub clock_tolerance: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            password_bytes_min: 4,
            confirm_patience: Duration::from_secs(1),
            silence: Duration::from_secs(2),
            heartbeat: Duration::from_millis(400),
            in_sync_lag: Duration::from_millis(500),
            dying_breath: Duration::from_millis(200),
            claim: Duration::from_secs(5),
            claim_shadow: Duration::from_secs(10),
            delivered: Duration::from_millis(100),
            mailbox: 100_000,
            account_bytes_per_day: None,
            accounts: 100_000,
            in_flight: 100_000,
            in_flight_bytes: 1024 * 1024,
            fair_bytes: 64 * 1024,
            held_bytes: 64 * 1024 * 1024,
            unsaved_bytes: 8 * 1024 * 1024,
            recent_keys: 500_000,
            listeners: 16,
            step: 256,
            queued_requests: 4096,
            queued_bytes: 1024 * 1024,
            unconfirmed: 4096,
            inbox_page: 256,
            receipts: 100_000,
            push_bytes: 16 * 1024 * 1024,
            session_unused: Duration::from_secs(30 * 24 * 3600),
            use_noted: Duration::from_secs(24 * 3600),
            sweep_every: Duration::from_secs(3600),
            clock_tolerance: Duration::from_secs(3600),
        }
    }
}
