//! What the core tells a client or another replica, until the network has taken it.
//!
//! The core never waits: it puts things in, and whoever writes to the socket takes out all there is.
//! Bounded: who does not read is disconnected.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

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
    Event(Arc<SharedEvent>, bool),
    Close(CloseReason),
}

/// What several clients are told, and its line, which is made once: by the first of them that writes it.
pub(crate) struct SharedEvent {
    event: Arc<Event>,
    line: OnceLock<std::boxed::Box<[u8]>>,
}

impl SharedEvent {
    pub(crate) fn new(event: Arc<Event>) -> Self {
        Self { event, line: OnceLock::new() }
    }

    /// Whether it tells just this.
    pub(crate) fn is(&self, event: &Arc<Event>) -> bool {
        Arc::ptr_eq(&self.event, event)
    }

    /// The line, made by `make` if nobody has made it before.
    pub(crate) fn line(&self, make: impl FnOnce(&Event) -> Vec<u8>) -> &[u8] {
        self.line.get_or_init(|| make(&self.event).into())
    }
}

/// Bytes that wait in several outboxes: in those of one account, or in all.
#[derive(Default)]
pub(crate) struct Share(AtomicUsize);

impl Share {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Things that wait to be written.
pub(crate) struct Box<T> {
    state: Mutex<State<T>>,
    filled: Notify,
    limit_items: usize,
    limit_bytes: usize,
}

struct State<T> {
    /// Each with its bytes.
    items: VecDeque<(T, usize)>,
    bytes: usize,
    /// Where these bytes count, too: in all, and in those of an account.
    all: Option<Arc<Share>>,
    account: Option<Arc<Share>>,
    /// Nothing more is taken in: it was closed, or has overflown.
    closed: bool,
}

/// What was taken out.
pub(crate) struct Taken<T> {
    pub(crate) items: Vec<T>,
    /// There is more in it.
    pub(crate) more: bool,
    /// This is the last there is: the connection is to be ended.
    pub(crate) closed: bool,
}

impl<T> State<T> {
    fn shares(&self) -> impl Iterator<Item = &Arc<Share>> {
        self.all.iter().chain(&self.account)
    }

    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        for share in self.shares() {
            share.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    fn remove(&mut self, bytes: usize) {
        self.bytes -= bytes;
        for share in self.shares() {
            share.0.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    fn overflow(&mut self) {
        self.closed = true;
        self.items = VecDeque::new();
        self.remove(self.bytes);
    }
}

impl<T> Drop for State<T> {
    fn drop(&mut self) {
        self.remove(self.bytes);
    }
}

impl<T> Box<T> {
    fn new(limit_items: usize, limit_bytes: usize) -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, all: None, account: None, closed: false };
        Self { state: Mutex::new(state), filled: Notify::new(), limit_items, limit_bytes }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<T>> {
        // Nothing that holds it can panic.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What waits in it counts here, too, from now on.
    pub(crate) fn count_in(&self, all: Arc<Share>) {
        let mut state = self.state();
        all.0.fetch_add(state.bytes, Ordering::Relaxed);
        if let Some(before) = state.all.replace(all) {
            before.0.fetch_sub(state.bytes, Ordering::Relaxed);
        }
    }

    /// The same for an account: for no other one from now on.
    pub(crate) fn count_for_account(&self, account: Arc<Share>) {
        let mut state = self.state();
        account.0.fetch_add(state.bytes, Ordering::Relaxed);
        if let Some(before) = state.account.replace(account) {
            before.0.fetch_sub(state.bytes, Ordering::Relaxed);
        }
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
            state.overflow();
        } else {
            state.items.push_back((item, bytes));
            state.add(bytes);
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

    /// The connection is ended, and what is in it is dropped at once: it takes room that others need. Nobody is woken yet.
    pub(crate) fn overflow(&self) {
        self.state().overflow();
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

    /// Takes all out.
    pub(crate) fn take(&self) -> Taken<T> {
        self.take_some(usize::MAX)
    }

    /// Takes out about so many bytes: at least one thing, if there is any. What is left counts as waiting.
    pub(crate) fn take_some(&self, bytes: usize) -> Taken<T> {
        let mut state = self.state();
        let (mut items, mut taken) = (Vec::new(), 0usize);
        while taken < bytes
            && let Some((item, size)) = state.items.pop_front()
        {
            items.push(item);
            taken = taken.saturating_add(size);
        }
        state.remove(taken);
        if state.items.is_empty() {
            state.items = VecDeque::new();
        }
        let more = !state.items.is_empty();
        Taken { items, more, closed: state.closed && !more }
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
        ToClient::Event(shared, _) => match &*shared.event {
            Event::Message(view) => view.message.text.len() + 300,
            _ => 100,
        },
        ToClient::Answer(_, Ok(Answer::Pending { messages, .. } | Answer::History { messages, .. })) => views(messages),
        ToClient::Answer(_, Ok(Answer::Conversations { conversations, .. })) => {
            conversations.iter().map(|conversation| conversation.last.message.text.len() + 400).sum()
        }
        ToClient::Answer(_, Ok(Answer::Names { names, .. })) => names.len() * 40,
        ToClient::Answer(_, Ok(Answer::Blocked { people, .. })) => people.len() * 100,
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
