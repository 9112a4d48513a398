//! Which messages the caller has been handed, and which it is done with.
//!
//! A message is confirmed to the server by its place on the connection it came on, and that means
//! *all up to this one*. So each connection keeps what came on it in order, duplicates included, as
//! the number of the event that the caller got; what may be confirmed is the longest beginning whose
//! numbers the caller is done with. (A duplicate of a message that the caller still works on must
//! not be confirmed before it.)

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lastword_marks::{Bug, planted};
use lastword_protocol::answer::Message;

use super::io::EventNumber;

/// The stream of events for the caller, and the identities of the last messages in it.
pub(super) struct Stream {
    last: EventNumber,
    shown: EventNumber,
    /// `account message` of what was handed out, and as which event.
    known: BTreeMap<Arc<str>, EventNumber>,
    oldest: VecDeque<Arc<str>>,
    remembered_most: usize,
    waiting_most: u64,
}

/// What to do with a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Hand it out as this event.
    New(EventNumber),
    /// It was handed out as this event before.
    Known(EventNumber),
    /// The caller is too far behind.
    NoRoom,
}

impl Stream {
    pub fn new(remembered_most: usize, waiting_most: u64) -> Self {
        let (last, shown) = (EventNumber::default(), EventNumber::default());
        Self { last, shown, known: BTreeMap::new(), oldest: VecDeque::new(), remembered_most, waiting_most }
    }

    /// How many events the caller is not done with.
    pub fn waiting(&self) -> u64 {
        self.last.0 - self.shown.0
    }

    pub fn has_room(&self) -> bool {
        self.waiting() < self.waiting_most
    }

    /// The caller has caught up enough for messages to be worth fetching again.
    pub fn has_caught_up(&self) -> bool {
        self.waiting() <= self.waiting_most / 2
    }

    pub fn next(&mut self) -> EventNumber {
        self.last.0 += 1;
        self.last
    }

    pub fn on_message(&mut self, message: &Message) -> Verdict {
        let identity = format!("{} {}", message.from_account, message.message);
        if let Some(number) = self.known.get(identity.as_str()).filter(|_| !planted(Bug::ShowsAgain)) {
            return Verdict::Known(*number);
        }
        if !self.has_room() {
            return Verdict::NoRoom;
        }
        let number = self.next();
        let identity: Arc<str> = identity.into();
        self.known.insert(Arc::clone(&identity), number);
        self.oldest.push_back(identity);
        if self.oldest.len() > self.remembered_most
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.known.remove(&oldest);
        }
        Verdict::New(number)
    }

    pub fn on_shown(&mut self, upto: EventNumber) {
        self.shown = self.shown.max(upto.min(self.last));
    }

    pub fn shown(&self) -> EventNumber {
        self.shown
    }
}

/// What came on one connection and is not confirmed there.
#[derive(Default)]
pub(super) struct Inbox {
    came: VecDeque<(EventNumber, String)>,
    /// A message was left with the server for want of room: nothing after it may be confirmed, so
    /// nothing after it is taken, until there is a new connection.
    pub deaf: bool,
}

impl Inbox {
    pub fn push(&mut self, number: EventNumber, pos: String) {
        self.came.push_back((number, pos));
    }

    /// Up to where this connection can be confirmed, if that is further than last time.
    pub fn confirmable(&mut self, shown: EventNumber) -> Option<String> {
        let mut upto = None;
        while self.came.front().is_some_and(|(number, _)| *number <= shown) {
            upto = self.came.pop_front().map(|(_, pos)| pos);
        }
        upto
    }
}
