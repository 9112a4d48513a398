//! Handing messages over: first what waits, then what comes, and what its receiver confirms.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lastword_facts::fact::Delivered;
use lastword_facts::ids::{AccountId, LogIndex, Position};
use lastword_facts::token::Pos;
use lastword_facts::views::{MessageRecord, Query};
use lastword_facts::{Body, VersionVector};
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::config::Settings;
use crate::connections::{Confirmed, Listener, Mode, Page};
use crate::io::{Answer, ConnectionId, Event, MessageView, Output, Refusal, Tag};
use crate::jobs::Job;
use crate::release::Reply;
use crate::time::{Mono, Now};

/// Messages that are kept aside for a connection while a page of what waits is read, and bytes of their text.
const ASIDE: usize = 1024;
const ASIDE_BYTES: usize = 64 * 1024;
/// A page of what waits has no more messages once they have this many bytes.
const PAGE_BYTES: u32 = 256 * 1024;

/// Where too many connections of an account listen, it is worth another try after so long, in milliseconds.
const LISTEN_RETRY_MS: u64 = 5000;

/// What receivers have confirmed: gathered, so that one account makes at most one fact in 100 ms. (Besides one when it
/// leaves or comes: what is gathered then becomes a fact at once, for nobody is to be shown twice what they confirmed.)
#[derive(Debug, Clone, Default)]
pub(crate) struct Deliveries {
    accounts: BTreeMap<AccountId, Gathered>,
    /// When each account's next fact may be made; then, with nothing gathered, it is forgotten.
    due: BTreeSet<(Mono, AccountId)>,
}

#[derive(Debug, Clone, Default)]
struct Gathered {
    upto: VersionVector,
    requests: Vec<(ConnectionId, Tag)>,
}

impl Deliveries {
    /// When the next fact is to be made, or something can be forgotten.
    pub(crate) fn due(&self) -> Option<Mono> {
        self.due.first().map(|&(due, _)| due)
    }

    fn gather(&mut self, now: Mono, account: AccountId, upto: &VersionVector, request: (ConnectionId, Tag)) {
        let gathered = self.accounts.entry(account).or_insert_with(|| {
            // The first fact may be made at once.
            self.due.insert((now, account));
            Gathered::default()
        });
        for position in upto.iter() {
            gathered.upto.raise(position);
        }
        gathered.requests.push(request);
    }

    /// What one account has confirmed, if the time for its fact has come.
    fn next(&mut self, now: Mono, settings: &Settings) -> Option<(AccountId, Gathered)> {
        while self.due().is_some_and(|due| due <= now) {
            let Some((_, account)) = self.due.pop_first() else { break };
            match self.accounts.get_mut(&account).map(std::mem::take) {
                Some(gathered) if !gathered.upto.is_empty() => {
                    self.due.insert((now + settings.delivered, account));
                    return Some((account, gathered));
                }
                _ => {
                    self.accounts.remove(&account);
                }
            }
        }
        None
    }

    /// What one account has confirmed, before the time for its fact.
    fn take(&mut self, account: AccountId) -> Option<Gathered> {
        let gathered = self.accounts.get_mut(&account).map(std::mem::take);
        gathered.filter(|gathered| !gathered.upto.is_empty())
    }
}

impl Core {
    pub(crate) fn on_listen(&mut self, now: Now, connection: ConnectionId, tag: Tag) {
        let Some(login) = self.connections.login(connection) else { return };
        self.confirm_delivered(now, login.account);
        self.connections.listen(connection, Listener::new(tag));
        self.query_when_durable(Job::ListenCount { connection, tag }, Query::PendingCount(login.account));
    }

    /// Whether a connection may begin to listen. (One that listens already may begin anew.)
    pub(crate) fn room_for_listener(&self, connection: ConnectionId, account: AccountId) -> Result<(), Refusal> {
        let others = self.connections.listening(account).filter(|&other| other != connection).count();
        if others >= self.config.settings.listeners {
            return Err(Refusal::TooManyListeners { most: self.config.settings.listeners, retry_ms: LISTEN_RETRY_MS });
        }
        Ok(())
    }

    pub(crate) fn begin_paging(&mut self, now: Now, connection: ConnectionId, tag: Tag, pending: u64) {
        self.answer(connection, tag, Ok(Answer::Listening { pending }));
        let listener = self.connections.of(connection).and_then(|connection| connection.listener.as_ref());
        // A second `listen` starts anew: the count of the first one means nothing any more.
        if listener.is_some_and(|listener| matches!(listener.mode, Mode::Counting(current) if current == tag)) {
            self.ask_page(now, connection);
        }
    }

    fn ask_page(&mut self, now: Now, id: ConnectionId) {
        let Some(login) = self.connections.login(id) else { return };
        let Some(connection) = self.connections.of(id) else { return };
        let Some(listener) = &mut connection.listener else { return };
        listener.mode = Mode::Draining;
        match &mut connection.page {
            // That one will do.
            Page::Waiting => {}
            Page::Asked { again } => {
                hit("a page for an earlier listen");
                *again = true;
            }
            page @ Page::None => {
                *page = Page::Waiting;
                let query = self.inbox_after(login.account, LogIndex::NONE);
                self.look_up_page_in_turn(now, login.account, Job::Inbox { connection: id }, query);
            }
        }
    }

    fn inbox_after(&self, account: AccountId, after: LogIndex) -> Query {
        Query::Inbox { account, after, limit: self.config.settings.inbox_page, bytes: PAGE_BYTES }
    }

    /// The page of a connection has its turn. What comes from now on is kept aside.
    pub(crate) fn begin_page(&mut self, id: ConnectionId, account: AccountId) -> Query {
        let mut after = LogIndex::NONE;
        if let Some(connection) = self.connections.of(id) {
            connection.page = Page::Asked { again: false };
            if let Some(listener) = connection.listener.as_mut().filter(|listener| listener.is_draining()) {
                after = listener.last;
                listener.mode = Mode::Paging { aside: Vec::new(), aside_bytes: 0, overflow: false };
            }
        }
        self.inbox_after(account, after)
    }

    /// The page of a connection had its turn, and somebody else is logged in there by now.
    pub(crate) fn on_inbox_passed_over(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.connections.of(id) else { return };
        connection.page = Page::None;
        self.on_drained(now, id);
    }

    /// A page of what waits for a connection.
    pub(crate) fn on_inbox(&mut self, now: Now, id: ConnectionId, messages: Vec<MessageRecord>, more: bool) {
        let limit = self.config.settings.unconfirmed;
        let Some(connection) = self.connections.of(id) else { return };
        let page = std::mem::take(&mut connection.page);
        let Some(listener) = &mut connection.listener else { return };
        if page == (Page::Asked { again: true }) {
            return self.ask_page(now, id);
        }
        // An answer to a question of an earlier `listen` on this connection.
        let Mode::Paging { aside, overflow, .. } = &mut listener.mode else { return };
        let (aside, more) = (std::mem::take(aside), more || *overflow);
        let mut page = Vec::with_capacity(messages.len());
        for message in messages {
            if self.blocks.is_blocked(message.to, message.author) {
                // It waits for as long as the block stands, and is not confirmed.
                listener.last = listener.last.max(message.index);
                continue;
            }
            listener.note(message.index, message.position, limit);
            page.push(message);
        }
        listener.mode = if more { Mode::Draining } else { Mode::Live };
        let count = page.len();
        for (n, message) in page.into_iter().enumerate() {
            let event = Arc::new(Event::Message(self.view_of(message)));
            let drain = more && n + 1 == count;
            self.outputs.push_back(Output::Event { connection: id, event, drain });
        }
        if more && count == 0 {
            return self.ask_page(now, id);
        }
        if !more {
            for (index, position, event) in aside {
                self.send_live(id, index, position, event);
            }
        }
    }

    pub(crate) fn on_drained(&mut self, now: Now, id: ConnectionId) {
        let listener = self.connections.of(id).and_then(|connection| connection.listener.as_ref());
        if listener.is_some_and(Listener::is_draining) {
            self.ask_page(now, id);
        }
    }

    /// A message was released.
    pub(crate) fn deliver_to(&mut self, id: ConnectionId, index: LogIndex, position: Position, event: Arc<Event>) {
        let Some(listener) = self.connections.of(id).and_then(|connection| connection.listener.as_mut()) else {
            return;
        };
        match &mut listener.mode {
            // The page that is asked for next will have it.
            Mode::Counting(_) | Mode::Draining => {}
            Mode::Paging { aside, aside_bytes, .. } if aside.len() < ASIDE && *aside_bytes < ASIDE_BYTES => {
                hit("page while messages come");
                if let Event::Message(view) = &*event {
                    *aside_bytes += view.message.text.len();
                }
                aside.push((index, position, event));
            }
            Mode::Paging { overflow, .. } => *overflow = true,
            Mode::Live => self.send_live(id, index, position, event),
        }
    }

    fn send_live(&mut self, id: ConnectionId, index: LogIndex, position: Position, mut event: Arc<Event>) {
        let limit = self.config.settings.unconfirmed;
        let Some(listener) = self.connections.of(id).and_then(|connection| connection.listener.as_mut()) else {
            return;
        };
        if index <= listener.last {
            return;
        }
        listener.note(index, position, limit);
        // It may have been kept aside while later tokens were told: they must never go back.
        let stamp = self.ledger.stamp();
        if let Event::Message(view) = &*event
            && view.seen < stamp
            && !planted(Bug::SeenGoesBack)
        {
            event = Arc::new(Event::Message(MessageView { seen: stamp, ..view.clone() }));
        }
        self.tell(id, event);
    }

    /// A client confirms what its connection was sent, up to a position.
    pub(crate) fn on_delivered(&mut self, now: Now, id: ConnectionId, tag: Tag, upto: Pos) {
        let Some(login) = self.connections.login(id) else { return };
        let Some(listener) = self.connections.of(id).and_then(|connection| connection.listener.as_mut()) else {
            return self.answer(
                id,
                tag,
                Err(Refusal::BadRequest("`delivered` needs a `listen` on this connection first.")),
            );
        };
        if upto.index == LogIndex::NONE || upto.index > listener.last {
            let text = "`upto` is not the `pos` of a message event of this connection.";
            return self.answer(id, tag, Err(Refusal::BadRequest(text)));
        }
        match listener.confirm(upto.index) {
            Confirmed::Nothing => self.answer(id, tag, Ok(Answer::Nothing)),
            Confirmed::Upto(vector) => {
                // What could not be read was not shown: it must not be covered by what came after it.
                let vector: VersionVector = vector.iter().map(|position| self.before_unreadable(position)).collect();
                if vector.is_empty() {
                    return self.answer(id, tag, Ok(Answer::Nothing));
                }
                self.deliveries.gather(now.mono, login.account, &vector, (id, tag));
            }
        }
    }

    /// Makes the facts of what was confirmed, for each account whose time has come.
    pub(crate) fn confirm_deliveries(&mut self, now: Now) {
        for _ in 0..self.config.settings.step {
            let Some((account, gathered)) = self.deliveries.next(now.mono, &self.config.settings) else { return };
            self.make_delivered(now, account, gathered);
        }
    }

    /// Makes a fact of what an account has confirmed, at once: before a session ends, so that it is told on with the end,
    /// and before it is looked up what waits for the account.
    pub(crate) fn confirm_delivered(&mut self, now: Now, account: AccountId) {
        if let Some(gathered) = self.deliveries.take(account) {
            hit("gathered confirms made a fact early");
            self.make_delivered(now, account, gathered);
        }
    }

    fn make_delivered(&mut self, now: Now, account: AccountId, Gathered { upto, requests }: Gathered) {
        let body = Body::Delivered(Delivered { upto: upto.iter().collect() });
        let fact = self.ledger.make(now, account, None, body);
        self.admit(now, &fact, Some(Reply::Nothing(requests)));
    }
}
