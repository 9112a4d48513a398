//! Whose message is taken in next, where several people write.
//!
//! A message waits for the disks of all replicas, and what is taken in before it goes to the disks before it. So where
//! more than one account writes, no more than [`Settings::fair_bytes`](crate::Settings::fair_bytes) are on the way at a
//! time. A connection whose account has had its part waits with its next message, and with all that it asked for behind
//! it. When there is room, the account that has had least goes on.
//!
//! This is start-time fair queueing (Goyal, Vin and Cheng, 1996): each message has a tag, which is where the one before
//! it of the same account ended, or the virtual time if that is later. The lowest tag goes first, and the virtual time
//! is the tag of the message that was taken in last. Whoever writes little has nothing behind the virtual time, and does
//! not wait for those who write much.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lastword_facts::ids::{AccountId, Seq};
use lastword_marks::hit;

use crate::Core;
use crate::io::{ConnectionId, Request, Tag};
use crate::time::{Mono, Now};

/// Whoever wrote so long ago writes no more. What they had before is forgotten.
const WRITES_FOR: Duration = Duration::from_secs(1);
/// After so long on the way, a message does not wait for what stands before it. Then those behind it wait with it, and not
/// here: else they would have to go to the disks when the others are free.
const STUCK: Duration = Duration::from_millis(250);
/// Bytes of texts in a second, where several people write, and how long what is taken in at once may last.
const RATE: u64 = 24 * 1024 * 1024;
const BURST: Duration = Duration::from_millis(10);
/// What a message costs besides its text, in bytes: it is this much longer in the log, and work besides.
const MESSAGE_BYTES: usize = 200;

/// Who writes, and who waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns {
    /// The tag of the message that was taken in last.
    virtual_time: u64,
    writers: BTreeMap<AccountId, Writer>,
    by_time: BTreeSet<(Mono, AccountId)>,
    /// Connections that wait with a message, by its tag.
    waiting: BTreeSet<(u64, ConnectionId)>,
    /// What is on the way has been so for [`STUCK`]: a disk or a peer keeps it, and not what others write.
    is_stuck: bool,
    /// Until when the texts that were taken in last at [`RATE`].
    taken_until: Option<Mono>,
}

#[derive(Debug, Clone, Copy)]
struct Writer {
    /// Where their last message ended.
    end: u64,
    wrote: Mono,
}

impl Turns {
    /// Nobody but this account has written lately.
    fn is_alone(&mut self, now: Mono, account: AccountId) -> bool {
        while let Some(&(wrote, writer)) = self.by_time.first()
            && now.since(wrote) >= WRITES_FOR
        {
            self.by_time.pop_first();
            self.writers.remove(&writer);
        }
        self.writers.keys().all(|&writer| writer == account)
    }

    /// An account writes a message with a text of this many bytes. Where it stands: its tag.
    fn place(&mut self, now: Mono, account: AccountId, bytes: usize) -> u64 {
        let before = self.writers.get(&account);
        let tag = before.map_or(self.virtual_time, |writer| writer.end.max(self.virtual_time));
        let writer = Writer { end: tag + (bytes + MESSAGE_BYTES) as u64, wrote: now };
        if let Some(before) = self.writers.insert(account, writer) {
            self.by_time.remove(&(before.wrote, account));
        }
        self.by_time.insert((now, account));
        tag
    }

    /// A message with this tag and a text of this many bytes is taken in.
    fn take(&mut self, now: Mono, place: u64, bytes: usize) {
        self.virtual_time = self.virtual_time.max(place);
        let until = self.taken_until.filter(|&until| until > now).unwrap_or(now);
        self.taken_until = Some(until + Duration::from_nanos(bytes as u64 * 1_000_000_000 / RATE));
    }

    /// When somebody who waits may go on, as far as the rate is concerned.
    fn free_from(&self) -> Mono {
        self.taken_until.unwrap_or(Mono(Duration::ZERO)) - BURST
    }
}

impl Core {
    /// Carries a request out, if it has not to wait for its turn. If it has, so have those behind it.
    pub(crate) fn carry_out(&mut self, now: Now, id: ConnectionId, tag: Tag, request: Request) {
        if let (Request::Send { text, .. }, Some(login)) = (&request, self.connections.login(id)) {
            let is_alone = self.turns.is_alone(now.mono, login.account);
            let place = self.turns.place(now.mono, login.account, text.len());
            let waits = !self.has_fair_room(now.mono) && place > self.turns.virtual_time && !is_alone;
            if let Some(connection) = self.connections.of(id).filter(|_| waits) {
                hit("a message waits for its turn");
                connection.busy = true;
                connection.queue_bytes += request.bytes();
                connection.queue.push_front((tag, request));
                self.turns.waiting.insert((place, id));
                return;
            }
            self.turns.take(now.mono, place, text.len());
        }
        self.carry_out_now(now, id, tag, request);
    }

    fn has_fair_room(&self, now: Mono) -> bool {
        self.turns.free_from() <= now && self.fits_in_flight()
    }

    fn fits_in_flight(&self) -> bool {
        self.turns.is_stuck || self.waiting.own_bytes() < self.config.settings.fair_bytes
    }

    /// Looks whether what is on the way is stuck.
    pub(crate) fn look_for_stuck(&mut self, now: Now) {
        let oldest = self.waiting.oldest_after(Seq::NONE);
        self.turns.is_stuck = oldest.is_some_and(|made| now.mono.since(made) >= STUCK);
    }

    /// Lets those go on who wait, as long as there is room, for a step.
    pub(crate) fn give_turns(&mut self, now: Now) {
        for _ in 0..self.config.settings.step {
            if !self.has_fair_room(now.mono) {
                return;
            }
            let Some((place, id)) = self.turns.waiting.pop_first() else { return };
            let Some(connection) = self.connections.of(id) else { continue };
            connection.busy = false;
            if let Some((tag, request)) = connection.queue.pop_front() {
                connection.queue_bytes -= request.bytes();
                self.turns.take(now.mono, place, request.bytes());
                self.carry_out_now(now, id, tag, request);
            }
            // It may wait for something else by now: for what is known of its key.
            if self.connections.of(id).is_some_and(|connection| !connection.busy) {
                self.go_on(now, id);
            }
        }
    }

    /// When the next turn can be given, if one waits and there is room.
    pub(crate) fn turn_due(&self) -> Option<Mono> {
        (self.fits_in_flight() && !self.turns.waiting.is_empty()).then(|| self.turns.free_from().max(self.last_call))
    }
}
