//! The stream of events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, mpsc};

use crate::client::Client;
use crate::event::Event;

/// What the client tells unasked, in order.
///
/// A message is confirmed to the server once the caller is *done* with it: when it calls
/// [`next`](Events::next) for the event after it, or [`confirm`](Events::confirm). A program that
/// ends in between gets it again at its next start.
///
/// At most [`events_most`](crate::Options::events_most) events wait to be taken: beyond that, receipts
/// and health are dropped, and messages are left with the server until the caller has caught up.
pub struct Events {
    events: mpsc::Receiver<(u64, Event)>,
    shown: Arc<Shown>,
    taken: u64,
    /// The client lives as long as somebody listens to it.
    _client: Client,
}

/// How far the caller is, for the driver to read.
#[derive(Default)]
pub(crate) struct Shown {
    upto: AtomicU64,
    changed: Notify,
}

/// The driver's half of [`Events`].
pub(crate) struct Taker {
    pub events: mpsc::Receiver<(u64, Event)>,
    pub shown: Arc<Shown>,
}

impl Shown {
    pub fn upto(&self) -> u64 {
        self.upto.load(Ordering::Acquire)
    }

    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Events {
    pub(crate) fn new(taker: Taker, client: Client) -> Self {
        Self { events: taker.events, shown: taker.shown, taken: 0, _client: client }
    }

    /// The next event; `None` once the client was closed. The caller is done with all before it. May be
    /// dropped without loss before it is ready (for `select!`).
    pub async fn next(&mut self) -> Option<Event> {
        self.confirm();
        let (number, event) = self.events.recv().await?;
        self.taken = number;
        Some(event)
    }

    /// An event that has come already; `None` if there is none. As [`next`](Events::next) in all else.
    pub fn try_next(&mut self) -> Option<Event> {
        self.confirm();
        let (number, event) = self.events.try_recv().ok()?;
        self.taken = number;
        Some(event)
    }

    /// The caller is done with everything it took so far.
    pub fn confirm(&mut self) {
        if self.shown.upto.swap(self.taken, Ordering::AcqRel) != self.taken {
            self.shown.changed.notify_one();
        }
    }
}
