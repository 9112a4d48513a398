//! How many messages wait for each account, roughly, so that nobody can fill the disks through somebody who is away.
//!
//! The views know exactly, and asking them before each message would cost too much. So the messages to an account
//! are counted here as they are applied, and the views are asked with each quarter of the limit, and again, now and
//! then, while messages are refused. So what waits may go beyond the limit by what is in flight meanwhile, and by a
//! quarter with each start.

use std::collections::BTreeMap;
use std::time::Duration;

use lastword_facts::ids::AccountId;
use lastword_marks::hit;

use crate::time::Mono;

/// While messages to somebody are refused, the views are asked so often whether there is room again.
const COUNT_AGAIN: Duration = Duration::from_secs(1);

/// So many that were applied are forgotten when any of them was delivered: most people's are all delivered by then.
const FEW: u64 = 256;

/// What waits for each account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mailboxes(BTreeMap<AccountId, Mailbox>);

#[derive(Debug, Clone, Default)]
struct Mailbox {
    /// As the views had it when they were asked last.
    counted: u64,
    /// Applied since then.
    since: u64,
    /// The views are being asked, and so many were applied before that.
    counting: Option<u64>,
    counted_at: Option<Mono>,
}

/// Whether a message to an account may be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// It may.
    pub(crate) is_there: bool,
    /// The views are to be asked how many wait.
    pub(crate) count: bool,
}

impl Mailboxes {
    /// A message to this account was applied.
    pub(crate) fn on_message(&mut self, to: AccountId) {
        self.0.entry(to).or_default().since += 1;
    }

    /// Something was delivered to this account: if it did not have much, it is not worth remembering.
    pub(crate) fn on_delivered(&mut self, to: AccountId) {
        if self
            .0
            .get(&to)
            .is_some_and(|mailbox| mailbox.counted == 0 && mailbox.counting.is_none() && mailbox.since < FEW)
        {
            self.0.remove(&to);
        }
    }

    /// Whether a message to this account may be taken in, if `limit` may wait.
    pub(crate) fn room(&mut self, now: Mono, to: AccountId, limit: u64) -> Room {
        let Some(mailbox) = self.0.get_mut(&to) else { return Room { is_there: true, count: false } };
        let is_there = mailbox.counted + mailbox.since < limit;
        // Who reads as fast as he is written to must not wait for the clock: all of a quarter was new.
        let due = if is_there {
            mailbox.since >= (limit / 4).max(1)
        } else {
            mailbox.counted_at.is_none_or(|at| now.since(at) >= COUNT_AGAIN)
        };
        let count = mailbox.counting.is_none() && due;
        if count {
            mailbox.counting = Some(mailbox.since);
        }
        Room { is_there, count }
    }

    /// The views have said how many wait.
    pub(crate) fn on_counted(&mut self, now: Mono, to: AccountId, count: u64) {
        hit("what waits for somebody was counted");
        let mailbox = self.0.entry(to).or_default();
        let since = mailbox.since - mailbox.counting.unwrap_or_default().min(mailbox.since);
        *mailbox = Mailbox { counted: count, since, counting: None, counted_at: Some(now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: AccountId = AccountId(7);
    const LIMIT: u64 = 2_000;

    /// Messages to Bob at one moment; says how many were taken. What is asked of the views they answer with `waiting`.
    fn write(mailboxes: &mut Mailboxes, now: Mono, messages: u64, waiting: impl Fn(u64) -> u64) -> u64 {
        let mut taken = 0;
        for _ in 0..messages {
            let room = mailboxes.room(now, BOB, LIMIT);
            if room.count {
                mailboxes.on_counted(now, BOB, waiting(taken));
            }
            if room.is_there {
                mailboxes.on_message(BOB);
                taken += 1;
            }
        }
        taken
    }

    #[test]
    fn who_reads_as_fast_as_he_is_written_to_is_never_full() {
        let mut mailboxes = Mailboxes::default();
        assert_eq!(write(&mut mailboxes, Mono::default(), 10 * LIMIT, |_| 300), 10 * LIMIT);
    }

    #[test]
    fn who_reads_nothing_is_full_and_asked_after_once_a_second() {
        let mut mailboxes = Mailboxes::default();
        let taken = write(&mut mailboxes, Mono::default(), 10 * LIMIT, |taken| taken);
        assert_eq!(taken, LIMIT);
        // He has read all, which nobody asks before a second has passed.
        let soon = Mono::default() + Duration::from_millis(999);
        assert_eq!(write(&mut mailboxes, soon, 10, |_| 0), 0);
        let later = Mono::default() + COUNT_AGAIN;
        assert_eq!(write(&mut mailboxes, later, 10, |_| 0), 9, "the first one asks");
    }
}
