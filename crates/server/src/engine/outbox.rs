//! What the core tells a client or another replica, until the network has taken it.
//!
//! The core never waits: it puts things in, and whoever writes to the socket takes out all there is.
//! Bounded: who does not read is disconnected.

use std::sync::Mutex;

use lastword_core::PeerMessage;
use lastword_core::io::{Answer, CloseReason, Event, Refusal, Tag};
use tokio::sync::Notify;

/// Things that may wait for one client.
const CLIENT_ITEMS: usize = 20_000;
/// Bytes of text that may wait for one client.
const CLIENT_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of facts that may wait for another replica.
const LINK_BYTES: usize = 64 * 1024 * 1024;

/// What a client is told.
pub(crate) enum ToClient {
    Answer(Tag, Result<Answer, Refusal>),
    /// With `true`, the core is to be told when it was written.
    Event(Event, bool),
    Close(CloseReason),
}

/// Things that wait to be written.
pub(crate) struct Box<T> {
    state: Mutex<State<T>>,
    filled: Notify,
    limit_items: usize,
    limit_bytes: usize,
}

struct State<T> {
    items: Vec<T>,
    bytes: usize,
    /// Nothing more is taken in: it was closed, or has overflown.
    closed: bool,
}

/// What was taken out.
pub(crate) struct Taken<T> {
    pub(crate) items: Vec<T>,
    /// This is the last there is: the connection is to be ended.
    pub(crate) closed: bool,
}

impl<T> Box<T> {
    fn new(limit_items: usize, limit_bytes: usize) -> Self {
        let state = State { items: Vec::new(), bytes: 0, closed: false };
        Self { state: Mutex::new(state), filled: Notify::new(), limit_items, limit_bytes }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<T>> {
        // Nothing that holds it can panic.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Puts something in of about so many bytes, unless it is closed; overflown, it closes. Nobody is woken yet:
    /// says whether [`Box::wake`] is to be called, for the first of what comes together.
    #[must_use]
    pub(crate) fn put(&self, item: T, bytes: usize) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        let is_first = state.items.is_empty();
        if state.items.len() >= self.limit_items || state.bytes > self.limit_bytes {
            state.closed = true;
        } else {
            state.items.push(item);
            state.bytes += bytes;
        }
        is_first || state.closed
    }

    /// Wakes who takes out what was put in.
    pub(crate) fn wake(&self) {
        self.filled.notify_one();
    }

    /// What is in it is still taken out; then the connection is ended.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_one();
    }

    /// Waits until there is something. May be given up and called again.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// How many things are in it, and of how many bytes.
    pub(crate) fn held(&self) -> (usize, usize) {
        let state = self.state();
        (state.items.len(), state.bytes)
    }

    pub(crate) fn take(&self) -> Taken<T> {
        let mut state = self.state();
        state.bytes = 0;
        Taken { items: std::mem::take(&mut state.items), closed: state.closed }
    }
}

/// What one client is told.
pub(crate) type Outbox = Box<ToClient>;

/// What another replica is told.
pub(crate) type LinkOutbox = Box<PeerMessage>;

pub(crate) fn for_client() -> Outbox {
    Box::new(CLIENT_ITEMS, CLIENT_BYTES)
}

pub(crate) fn for_link() -> LinkOutbox {
    Box::new(usize::MAX, LINK_BYTES)
}

/// About how many bytes of text something takes.
pub(crate) fn size_of(item: &ToClient) -> usize {
    let views = |messages: &[lastword_core::io::MessageView]| -> usize {
        messages.iter().map(|view| view.message.text.len() + 300).sum()
    };
    match item {
        ToClient::Event(Event::Message(view), _) => view.message.text.len() + 300,
        ToClient::Answer(_, Ok(Answer::Pending { messages, .. } | Answer::History { messages, .. })) => views(messages),
        ToClient::Answer(_, Ok(Answer::Conversations { conversations, .. })) => {
            conversations.iter().map(|conversation| conversation.last.message.text.len() + 400).sum()
        }
        ToClient::Answer(_, Ok(Answer::Names { names, .. })) => names.len() * 40,
        _ => 100,
    }
}

/// About how many bytes a message to another replica takes.
pub(crate) fn size_of_message(message: &PeerMessage) -> usize {
    match message {
        PeerMessage::Push(facts) | PeerMessage::Pulled(_, facts) => facts.iter().map(|fact| fact.bytes().len()).sum(),
        _ => 100,
    }
}
