//! Whose message is taken in next, where several people write.
//!
//! A message waits for the disks of all replicas, and what is taken in before it goes to the disks before it. So where
//! more than one account writes, no more than [`Settings::fair_bytes`](crate::Settings::fair_bytes) are on the way at a
//! time (more where the way is long, so that it is used). A connection whose account has had its part waits with its next
//! message, and with all that it asked for behind it. When there is room, the account that has had least goes on
//! ([`crate::fair`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lastword_facts::ids::{AccountId, Seq};
use lastword_marks::hit;

use crate::Core;
use crate::fair::{Rate, VirtualTime};
use crate::io::{ConnectionId, Request, Tag};
use crate::time::{Mono, Now};

/// An account that has not written for this long writes no more. What it had before is forgotten.
const WRITES_FOR: Duration = Duration::from_secs(1);
/// After this time on the way, a message does not wait for what stands before it: a disk or a peer is stuck. Then those
/// behind it wait with it, and not here: else they would have to go to the disks when the others are free.
const STUCK: Duration = Duration::from_millis(250);
/// A message is on the way for this long at least where the bound is as the settings say. Where even the fastest takes
/// longer, the bound is that many times as large.
const USUAL_WAY: Duration = Duration::from_millis(3);
/// The fastest is looked for in the last two of these spans.
const LOOK_FOR_FASTEST: Duration = Duration::from_secs(10);
/// Bytes of texts in a second, where several people write, and how long what is taken in at once may last.
const RATE: Rate = Rate::new(24 * 1024 * 1024, Duration::from_millis(10));
/// What a message costs besides its text, in bytes: it is this much longer in the log, and work besides.
const MESSAGE_BYTES: usize = 200;
/// Of a step, this part is given in one call: behind each of these messages there is work for its receivers.
const STEP_PART: usize = 16;

/// Who writes, and who waits.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    virtual_time: VirtualTime,
    rate: Rate,
    writers: BTreeMap<AccountId, Writer>,
    by_time: BTreeSet<(Mono, AccountId)>,
    /// Connections that wait with a message, by its tag.
    waiting: BTreeSet<(u64, ConnectionId)>,
    /// What is on the way has been so for [`STUCK`].
    is_stuck: bool,
    /// The shortest time that a message was on the way: in this span, and in the one before. When this one began.
    fastest: [Option<Duration>; 2],
    span_began: Mono,
}

#[derive(Debug, Clone, Copy)]
struct Writer {
    /// Where their last message ended, in virtual time.
    end: u64,
    wrote: Mono,
}

impl Turns {
    pub(crate) fn new(now: Mono) -> Self {
        Self {
            virtual_time: VirtualTime::default(),
            rate: RATE,
            writers: BTreeMap::new(),
            by_time: BTreeSet::new(),
            waiting: BTreeSet::new(),
            is_stuck: false,
            fastest: [None; 2],
            span_began: now,
        }
    }

    /// Nobody but this account has written lately, and nobody waits.
    fn is_alone(&mut self, now: Mono, account: AccountId) -> bool {
        // One message brings one writer at most, so two go for each.
        for _ in 0..2 {
            if let Some(&(wrote, writer)) = self.by_time.first()
                && now.since(wrote) >= WRITES_FOR
            {
                self.by_time.pop_first();
                self.writers.remove(&writer);
            }
        }
        self.waiting.is_empty() && self.writers.keys().all(|&writer| writer == account)
    }

    /// An account writes a message with a text of this many bytes. Its tag.
    fn place(&mut self, now: Mono, account: AccountId, bytes: usize) -> u64 {
        let before = self.writers.get(&account);
        let tag = self.virtual_time.tag(before.map_or(0, |writer| writer.end));
        let writer = Writer { end: tag + (bytes + MESSAGE_BYTES) as u64, wrote: now };
        if let Some(before) = self.writers.insert(account, writer) {
            self.by_time.remove(&(before.wrote, account));
        }
        self.by_time.insert((now, account));
        tag
    }

    /// A message with this tag and a text of this many bytes is taken in.
    fn take(&mut self, now: Mono, tag: u64, bytes: usize) {
        self.virtual_time.begin(tag);
        self.rate.give(now, bytes as u64);
    }

    /// A message of this replica was on the way for this long.
    pub(crate) fn on_released(&mut self, now: Mono, way: Duration) {
        if now.since(self.span_began) >= LOOK_FOR_FASTEST {
            self.fastest = [None, self.fastest[0]];
            self.span_began = now;
        }
        self.fastest[0] = Some(self.fastest[0].map_or(way, |fastest| fastest.min(way)));
    }

    /// How many times as much as usual may be on the way.
    fn times(&self) -> usize {
        let fastest = self.fastest.iter().flatten().min();
        fastest.map_or(1, |fastest| (fastest.as_micros() / USUAL_WAY.as_micros()).max(1) as usize)
    }
}

/// How long the text is that a request writes, if it has to wait for its turn. Logins, logouts and all that ends something
/// don't: hashes and rates bound how many there are.
fn bytes_to_write(request: &Request) -> Option<usize> {
    match request {
        Request::Send { text, .. } => Some(text.len()),
        Request::Block { .. } => Some(0),
        _ => None,
    }
}

impl Core {
    /// Carries a request out, if it has not to wait for its turn. If it has, so have those behind it.
    pub(crate) fn carry_out(&mut self, now: Now, id: ConnectionId, tag: Tag, request: Request) {
        if let (Some(bytes), Some(login)) = (bytes_to_write(&request), self.connections.login(id)) {
            let is_alone = self.turns.is_alone(now.mono, login.account);
            let place = self.turns.place(now.mono, login.account, bytes);
            let waits = !self.has_fair_room(now.mono) && !self.turns.virtual_time.is_first(place) && !is_alone;
            if let Some(connection) = self.connections.of(id).filter(|_| waits) {
                hit("a message waits for its turn");
                connection.busy = true;
                connection.queue_bytes += request.bytes();
                connection.queue.push_front((tag, request, connection.arrived));
                self.turns.waiting.insert((place, id));
                return;
            }
            self.turns.take(now.mono, place, bytes);
        }
        self.carry_out_now(now, id, tag, request);
    }

    fn has_fair_room(&self, now: Mono) -> bool {
        self.turns.rate.free_from() <= now && self.fits_in_flight()
    }

    fn fits_in_flight(&self) -> bool {
        let settings = &self.config.settings;
        let most = settings.fair_bytes.saturating_mul(self.turns.times()).min(settings.in_flight_bytes);
        self.turns.is_stuck || self.waiting.own_bytes() < most
    }

    /// Looks whether what is on the way is stuck.
    pub(crate) fn look_for_stuck(&mut self, now: Now) {
        let oldest = self.waiting.oldest_after(Seq::NONE);
        self.turns.is_stuck = oldest.is_some_and(|made| now.mono.since(made) >= STUCK);
    }

    /// Takes in a few messages of those who wait, as long as there is room. What was asked for behind them has its own turn.
    pub(crate) fn give_turns(&mut self, now: Now) {
        for _ in 0..self.config.settings.step.div_ceil(STEP_PART) {
            if !self.has_fair_room(now.mono) {
                return;
            }
            let Some((place, id)) = self.turns.waiting.pop_first() else { return };
            let Some(connection) = self.connections.of(id) else { continue };
            connection.busy = false;
            if let Some((tag, request, arrived)) = connection.queue.pop_front() {
                connection.arrived = arrived;
                connection.queue_bytes -= request.bytes();
                self.turns.take(now.mono, place, bytes_to_write(&request).unwrap_or_default());
                self.carry_out_now(now, id, tag, request);
            }
            self.line_up(now, id);
        }
    }

    /// What comes next on a connection of which a message was taken in: another message waits for its turn at once, so
    /// that an account with many connections has no more turns than one with few. All else goes on later.
    fn line_up(&mut self, now: Now, id: ConnectionId) {
        let login = self.connections.login(id);
        let Some(connection) = self.connections.of(id).filter(|connection| !connection.busy) else { return };
        match (connection.queue.front().and_then(|(_, request, _)| bytes_to_write(request)), login) {
            (Some(bytes), Some(login)) => {
                connection.busy = true;
                let place = self.turns.place(now.mono, login.account, bytes);
                self.turns.waiting.insert((place, id));
            }
            _ => self.go_on_later(id),
        }
    }

    /// When the next turn can be given, if one waits and there is room.
    pub(crate) fn turn_due(&self) -> Option<Mono> {
        let waits = !self.turns.waiting.is_empty() && self.fits_in_flight();
        waits.then(|| self.turns.rate.free_from().max(self.last_call))
    }
}
