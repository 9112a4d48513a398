//! How many messages wait for each account, and from whom, roughly: nobody can fill the disks through somebody who is
//! away, and nobody can fill somebody's mailbox for everybody else.
//!
//! The share of a sender: four times what waits from them must be less than the room that is left. So the first sender
//! who only writes takes a fifth of a mailbox, the next one a fifth of the rest, and some room is left for whoever
//! comes after them: with 100,000 messages for an account, it takes more than 40 accounts to take all of it.
//!
//! The views know exactly, and asking them before each message would cost too much. So the messages to an account
//! are counted here as they are applied, and the views are asked with each sixteenth of the limit, and again, now and
//! then, while messages are refused. So what waits may go beyond the limit by what is in flight meanwhile, and by a
//! sixteenth with each start.

use std::collections::BTreeMap;
use std::time::Duration;

use lastword_facts::ids::AccountId;
use lastword_marks::hit;

use crate::time::Mono;

/// While messages to somebody are refused, the views are asked this often whether there is room again.
const COUNT_AGAIN: Duration = Duration::from_secs(1);

/// Up to this many that were applied are forgotten when any of them was delivered: most people's are all delivered by
/// then.
const FEW: u64 = 256;

/// Senders that are counted singly, for each mailbox.
pub(crate) const SENDERS: usize = 32;

/// What waits for each account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mailboxes(BTreeMap<AccountId, Mailbox>);

#[derive(Debug, Clone, Default)]
struct Mailbox {
    /// As the views had it when they were asked last.
    counted: Tally,
    /// Applied since then and before the views were asked again, if they are being asked.
    asked: Option<Tally>,
    /// Applied since then.
    since: Tally,
    counted_at: Option<Mono>,
}

/// How many messages, and who wrote them.
///
/// Of more than [`SENDERS`] senders, those who wrote most are known: the counters of Misra and Gries, each too low by
/// at most a thirty-third of all.
#[derive(Debug, Clone, Default)]
struct Tally {
    all: u64,
    by: BTreeMap<AccountId, u64>,
}

impl Tally {
    fn add(&mut self, from: AccountId) {
        self.all += 1;
        if let Some(count) = self.by.get_mut(&from) {
            *count += 1;
        } else if self.by.len() < SENDERS {
            self.by.insert(from, 1);
        } else {
            self.by.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    fn from(&self, sender: AccountId) -> u64 {
        self.by.get(&sender).copied().unwrap_or_default()
    }
}

impl Mailbox {
    fn tallies(&self) -> impl Iterator<Item = &Tally> {
        [&self.counted, &self.since].into_iter().chain(&self.asked)
    }

    fn all(&self) -> u64 {
        self.tallies().map(|tally| tally.all).sum()
    }

    fn from(&self, sender: AccountId) -> u64 {
        self.tallies().map(|tally| tally.from(sender)).sum()
    }
}

/// Whether a message to an account may be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// It may.
    pub(crate) is_there: bool,
    /// The views are to be asked what waits.
    pub(crate) count: bool,
}

impl Mailboxes {
    /// A message to this account was applied.
    pub(crate) fn on_message(&mut self, to: AccountId, from: AccountId) {
        self.0.entry(to).or_default().since.add(from);
    }

    /// Something was delivered to this account: if it did not have much, it is not worth remembering.
    pub(crate) fn on_delivered(&mut self, to: AccountId) {
        if self
            .0
            .get(&to)
            .is_some_and(|mailbox| mailbox.counted.all == 0 && mailbox.asked.is_none() && mailbox.since.all < FEW)
        {
            self.0.remove(&to);
        }
    }

    /// Whether a message from one account to another may be taken in, if `limit` may wait for it.
    pub(crate) fn room(&mut self, now: Mono, to: AccountId, from: AccountId, limit: u64) -> Room {
        let Some(mailbox) = self.0.get_mut(&to) else { return Room { is_there: limit > 0, count: false } };
        let left = limit.saturating_sub(mailbox.all());
        let is_there = mailbox.from(from).saturating_mul(4) < left;
        // Whoever reads as fast as they are written to must not wait for the clock: a sixteenth of it is new.
        let due = if is_there {
            mailbox.since.all >= (limit / 16).max(1)
        } else {
            mailbox.counted_at.is_none_or(|at| now.since(at) >= COUNT_AGAIN)
        };
        let count = mailbox.asked.is_none() && due;
        if count {
            mailbox.asked = Some(std::mem::take(&mut mailbox.since));
        }
        Room { is_there, count }
    }

    /// The views have said what waits, and who wrote most of it.
    pub(crate) fn on_counted(&mut self, now: Mono, to: AccountId, all: u64, by: Vec<(AccountId, u64)>) {
        hit("what waits for somebody was counted");
        let mailbox = self.0.entry(to).or_default();
        mailbox.counted = Tally { all, by: by.into_iter().take(SENDERS).collect() };
        mailbox.asked = None;
        mailbox.counted_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: AccountId = AccountId(7);
    const EVE: AccountId = AccountId(8);
    const LIMIT: u64 = 2_000;

    /// A mailbox, and what the views would say of it.
    #[derive(Default)]
    struct Scene {
        mailboxes: Mailboxes,
        waiting: BTreeMap<AccountId, u64>,
    }

    impl Scene {
        /// Messages to Bob at one moment; says how many were taken.
        fn write(&mut self, now: Mono, from: AccountId, messages: u64, reads: bool) -> u64 {
            let mut taken = 0;
            for _ in 0..messages {
                let room = self.mailboxes.room(now, BOB, from, LIMIT);
                if room.count {
                    let by: Vec<_> = self.waiting.iter().map(|(&from, &count)| (from, count)).collect();
                    self.mailboxes.on_counted(now, BOB, by.iter().map(|(_, count)| count).sum(), by);
                }
                if room.is_there {
                    self.mailboxes.on_message(BOB, from);
                    if !reads {
                        *self.waiting.entry(from).or_default() += 1;
                    }
                    taken += 1;
                }
            }
            taken
        }
    }

    #[test]
    fn whoever_reads_as_fast_as_they_are_written_to_is_never_full() {
        assert_eq!(Scene::default().write(Mono::default(), EVE, 10 * LIMIT, true), 10 * LIMIT);
    }

    #[test]
    fn of_somebody_who_reads_nothing_a_sender_gets_a_share_and_is_asked_after_once_a_second() {
        let mut scene = Scene::default();
        let taken = scene.write(Mono::default(), EVE, 10 * LIMIT, false);
        assert_eq!(taken, LIMIT / 5);
        // Bob has read all, and nobody asks before a second has passed.
        scene.waiting.clear();
        let soon = Mono::default() + Duration::from_millis(999);
        assert_eq!(scene.write(soon, EVE, 10, false), 0);
        let later = Mono::default() + COUNT_AGAIN;
        assert_eq!(scene.write(later, EVE, 10, false), 9, "the first one asks");
    }

    #[test]
    fn nobody_fills_a_mailbox_for_others() {
        let mut scene = Scene::default();
        let mut all = 0;
        for sender in 0..20 {
            let taken = scene.write(Mono::default(), AccountId(100 + sender), 10 * LIMIT, false);
            assert!(taken > 0, "sender {sender}");
            all += taken;
        }
        assert!(all < LIMIT);
    }

    /// However many write besides: the one who writes most is known, and what is counted stays small.
    #[test]
    fn a_crowd_hides_nobody() {
        let mut tally = Tally::default();
        for round in 0..1000 {
            tally.add(EVE);
            (0..9).for_each(|n| tally.add(AccountId(1000 + (9 * round + n) % 500)));
            assert!(tally.by.len() <= SENDERS);
        }
        assert!(tally.from(EVE) + tally.all / (SENDERS as u64 + 1) >= 1000, "{}", tally.from(EVE));
    }
}
