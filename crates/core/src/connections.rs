//! The clients' connections: who is logged in, who listens, what was sent to whom.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use lastword_facts::VersionVector;
use lastword_facts::ids::{AccountId, LogIndex, Position};
use lastword_facts::token::TokenHash;

use crate::io::{ConnectionId, Event, Request, Tag};
use crate::later::Later;
use crate::release::Login;
use crate::time::Mono;
use crate::watching::Watching;

/// A client's connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    pub(crate) login: Option<Login>,
    pub(crate) listener: Option<Listener>,
    /// How far the page of what waits is that this connection is shown next.
    pub(crate) page: Page,
    /// A request is under way that those after it must wait for.
    pub(crate) busy: bool,
    /// A message was refused for want of room: so are those behind it.
    pub(crate) refused: Option<Refused>,
    /// Messages that were told to come later.
    pub(crate) later: Later,
    /// When the request came that is carried out, or was last. It may have waited: what its client knew then counts.
    pub(crate) arrived: Mono,
    /// Those that wait, and when they came.
    pub(crate) queue: VecDeque<(Tag, Request, Mono)>,
    /// Bytes of what those carry.
    pub(crate) queue_bytes: usize,
}

/// Messages of a connection were refused for want of room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused {
    /// Its client may not know of the last of them before: what it sent meanwhile must not overtake it.
    pub(crate) until: Mono,
    /// The disk had room again since then, when one was refused.
    pub(crate) room_since: Option<Mono>,
}

/// A connection that gets message events.
///
/// First what is pending, page by page from the views; what is released meanwhile is kept aside. Then
/// whatever is released, as it comes.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) mode: Mode,
    /// The last place of the log of which this connection was sent something.
    pub(crate) last: LogIndex,
    /// What was sent and not confirmed, in log order.
    sent: VecDeque<(LogIndex, Position)>,
    /// The same, of what was sent so long ago that it is not known singly any more.
    before: VersionVector,
}

/// How far a listener is.
#[derive(Debug, Clone)]
pub(crate) enum Mode {
    /// It was told how many wait; the first page is asked for when that was answered.
    Counting(Tag),
    /// A page is looked up. What has been released since then is kept aside, if it is not too much.
    Paging { aside: Vec<(LogIndex, Position, Arc<Event>)>, aside_bytes: usize, overflow: bool },
    /// A page was sent, and the next one is asked for when it was written; or that one waits for its turn.
    Draining,
    /// Everything is sent as it is released.
    Live,
}

/// The page of what waits for a connection that it is shown next: there is one at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Page {
    /// There is none.
    #[default]
    None,
    /// It waits for its turn.
    Waiting,
    /// It is looked up. With `again` that is for an earlier `listen`, and another one is to be asked for.
    Asked { again: bool },
}

/// What came of a `delivered`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// These positions have reached the user.
    Upto(VersionVector),
    /// They were confirmed before, or are not known singly any more.
    Nothing,
}

impl Listener {
    pub(crate) fn new(tag: Tag) -> Self {
        Self { mode: Mode::Counting(tag), last: LogIndex::NONE, sent: VecDeque::new(), before: VersionVector::new() }
    }

    /// A page is still to be asked for.
    pub(crate) fn is_draining(&self) -> bool {
        matches!(self.mode, Mode::Draining)
    }

    /// Notes that this position was sent, or was sent before and need not be again.
    pub(crate) fn note(&mut self, index: LogIndex, position: Position, limit: usize) {
        self.last = self.last.max(index);
        self.sent.push_back((index, position));
        if self.sent.len() > limit
            && let Some((_, oldest)) = self.sent.pop_front()
        {
            self.before.raise(oldest);
        }
    }

    /// The client confirms everything that was sent up to and with this place.
    pub(crate) fn confirm(&mut self, upto: LogIndex) -> Confirmed {
        let count = self.sent.partition_point(|&(index, _)| index <= upto);
        if count == 0 {
            return Confirmed::Nothing;
        }
        let mut vector = std::mem::take(&mut self.before);
        for (_, position) in self.sent.drain(..count) {
            vector.raise(position);
        }
        Confirmed::Upto(vector)
    }
}

/// All connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections {
    all: BTreeMap<ConnectionId, Connection>,
    by_account: BTreeMap<AccountId, BTreeSet<ConnectionId>>,
    /// How many are logged in with each session: an account may have thousands of them, and is asked about at each login.
    by_session: BTreeMap<TokenHash, usize>,
    /// Those of them that listen: few of each account, however many it has in all.
    listening: BTreeMap<AccountId, BTreeSet<ConnectionId>>,
    /// How many are logged in, and how many of those listen.
    pub(crate) logged_in: usize,
    pub(crate) listeners: usize,
    /// Accounts of which a connection has begun or ceased to listen.
    touched: BTreeSet<AccountId>,
    pub(crate) watching: Watching,
}

impl Connections {
    pub(crate) fn open(&mut self, id: ConnectionId) {
        self.all.insert(id, Connection::default());
    }

    pub(crate) fn close(&mut self, id: ConnectionId) {
        self.log_out(id);
        self.all.remove(&id);
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// All connections after this one, and whether they listen.
    pub(crate) fn after(&self, id: ConnectionId) -> impl Iterator<Item = (ConnectionId, bool)> {
        let after = self.all.range((Bound::Excluded(id), Bound::Unbounded));
        after.map(|(&id, connection)| (id, connection.listener.is_some()))
    }

    pub(crate) fn of(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.all.get_mut(&id)
    }

    pub(crate) fn login(&self, id: ConnectionId) -> Option<Login> {
        self.all.get(&id)?.login
    }

    pub(crate) fn log_in(&mut self, id: ConnectionId, login: Login) {
        if let Some(connection) = self.all.get_mut(&id) {
            let before = connection.login.replace(login);
            self.logged_in += usize::from(before.is_none());
            *self.by_session.entry(login.token).or_default() += 1;
            if let Some(before) = before {
                self.leave_session(before.token);
            }
            self.by_account.entry(login.account).or_default().insert(id);
        }
    }

    pub(crate) fn log_out(&mut self, id: ConnectionId) {
        self.watching.forget(id);
        let Some(connection) = self.all.get_mut(&id) else { return };
        let listened = connection.listener.take().is_some();
        self.listeners -= usize::from(listened);
        self.logged_in -= usize::from(connection.login.is_some());
        let Some(login) = connection.login.take() else { return };
        self.leave_session(login.token);
        if let Some(ids) = self.by_account.get_mut(&login.account) {
            if listened {
                self.touched.insert(login.account);
                if let Some(listening) = self.listening.get_mut(&login.account) {
                    listening.remove(&id);
                    if listening.is_empty() {
                        self.listening.remove(&login.account);
                    }
                }
            }
            ids.remove(&id);
            if ids.is_empty() {
                self.by_account.remove(&login.account);
            }
        }
    }

    /// One connection less is logged in with this session.
    fn leave_session(&mut self, token: TokenHash) {
        if let Some(count) = self.by_session.get_mut(&token) {
            *count -= 1;
            if *count == 0 {
                self.by_session.remove(&token);
            }
        }
    }

    /// The connections after this one that are logged in to an account.
    pub(crate) fn of_account_after(&self, account: AccountId, id: ConnectionId) -> impl Iterator<Item = ConnectionId> {
        let ids = self.by_account.get(&account).into_iter();
        ids.flat_map(move |ids| ids.range((Bound::Excluded(id), Bound::Unbounded)).copied())
    }

    /// Whether a connection is logged in with this session.
    pub(crate) fn is_used(&self, token: TokenHash) -> bool {
        self.by_session.contains_key(&token)
    }

    /// A connection that is logged in begins to listen.
    pub(crate) fn listen(&mut self, id: ConnectionId, listener: Listener) {
        if let Some(connection) = self.all.get_mut(&id) {
            self.listeners += usize::from(connection.listener.replace(listener).is_none());
            if let Some(login) = connection.login {
                self.touched.insert(login.account);
                self.listening.entry(login.account).or_default().insert(id);
            }
        }
    }

    /// Whether any connection of an account listens.
    pub(crate) fn is_listening(&self, account: AccountId) -> bool {
        self.listening.contains_key(&account)
    }

    /// The accounts of which a connection has begun or ceased to listen, since this was last asked.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<AccountId> {
        std::mem::take(&mut self.touched)
    }

    /// The connections of an account that listen.
    pub(crate) fn listening(&self, account: AccountId) -> impl Iterator<Item = ConnectionId> + use<> {
        let ids = self.listening.get(&account).cloned();
        ids.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use lastword_facts::ids::{Incarnation, Seq};

    use super::*;

    fn at(incarnation: u64, seq: u64) -> Position {
        Position { incarnation: Incarnation(incarnation), seq: Seq(seq) }
    }

    #[test]
    fn a_confirm_covers_what_was_sent_up_to_it_for_each_incarnation() {
        let mut listener = Listener::new(Tag(0));
        for (index, position) in [(1, at(1, 5)), (2, at(2, 9)), (3, at(1, 6))] {
            listener.note(LogIndex(index), position, 10);
        }
        let vector = [at(1, 5), at(2, 9)].into_iter().collect();
        assert_eq!(listener.confirm(LogIndex(2)), Confirmed::Upto(vector));
        assert_eq!(listener.confirm(LogIndex(2)), Confirmed::Nothing);
        assert_eq!(listener.confirm(LogIndex(3)), Confirmed::Upto([at(1, 6)].into_iter().collect()));
    }

    /// Beyond the limit a confirm of one of the oldest does nothing, and a later one covers them all.
    #[test]
    fn what_is_not_known_singly_any_more_waits_for_a_later_confirm() {
        let mut listener = Listener::new(Tag(0));
        for index in 1..=5 {
            listener.note(LogIndex(index), at(index, 1), 2);
        }
        assert_eq!(listener.confirm(LogIndex(2)), Confirmed::Nothing);
        let all = (1..=4).map(|incarnation| at(incarnation, 1)).collect();
        assert_eq!(listener.confirm(LogIndex(4)), Confirmed::Upto(all));
    }
}
