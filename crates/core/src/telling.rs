//! What is to be told to many: in steps, with others' turns in between.
//!
//! Some things concern more connections than fit into a moment: all who listen when the group's health changes, all who
//! watch somebody who comes and goes, all senders of what an account has confirmed at one go, all devices of an account
//! that is deleted; and a connection may have queued many requests behind a login. Each of these is done for [`Settings::step`](crate::Settings) connections or messages at a time, and
//! the core asks for its next turn at once ([`Core::poll_timeout`](crate::Core::poll_timeout)).
//!
//! Who is told later is told how things are then: nothing here is a copy of the state, only of how far the telling is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lastword_facts::VersionVector;
use lastword_facts::ids::{AccountId, Key, Position};
use lastword_marks::hit;

use crate::Core;
use crate::io::{CloseReason, ConnectionId, Event, Output};
use crate::time::Now;

/// How far the telling is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telling {
    /// The group's health was told to all listeners up to this connection; `None` when all know it.
    health: Option<ConnectionId>,
    /// Whose confirms are to be told to the senders, in this order: each account once.
    confirming: VecDeque<AccountId>,
    /// What those cover.
    confirmed: BTreeMap<AccountId, VersionVector>,
    /// Accounts of which sessions may have ended, the connection up to which that was looked at, and why: each account
    /// once, however often that is found. (Noting each connection took 20 ms where 64 sessions of thousands ended.)
    ending: BTreeMap<AccountId, (ConnectionId, CloseReason)>,
    /// There is more of the log to release.
    pub(crate) release: bool,
    /// Connections that have more requests in their queues than were carried out in one turn: each once.
    pub(crate) going_on: VecDeque<ConnectionId>,
}

impl Telling {
    /// Whether a step is to be taken at once.
    pub(crate) fn is_due(&self) -> bool {
        let telling = self.health.is_some() || !self.confirming.is_empty() || !self.ending.is_empty();
        telling || self.release || !self.going_on.is_empty()
    }

    /// The group's health has changed: all are to be told, also those who were told of an earlier change.
    pub(crate) fn begin_health(&mut self) {
        self.health = Some(ConnectionId(0));
    }

    /// An account has confirmed what these positions cover.
    pub(crate) fn begin_receipts(&mut self, account: AccountId, upto: Vec<Position>) {
        let confirmed = self.confirmed.entry(account).or_insert_with(|| {
            self.confirming.push_back(account);
            VersionVector::new()
        });
        upto.into_iter().for_each(|position| confirmed.raise(position));
    }
}

impl Core {
    /// Takes each telling a step further.
    pub(crate) fn go_on_telling(&mut self, now: Now) {
        if self.telling.release {
            self.release(now);
        }
        self.tell_health();
        self.tell_receipts();
        self.end_connections();
    }

    /// What waits for a moment of its own: a step of one connection's queue, and a few messages. So those who queue much
    /// wait for each other, and nobody else waits for more than one of them.
    pub(crate) fn go_on_with_queues(&mut self, now: Now) {
        if let Some(connection) = self.telling.going_on.pop_front() {
            self.go_on(now, connection);
        }
        self.give_turns(now);
    }

    /// Looks at a step's connections of accounts of which sessions may have ended.
    fn end_connections(&mut self) {
        let mut room = self.config.settings.step;
        while room > 0
            && let Some((&account, &(after, reason))) = self.telling.ending.first_key_value()
        {
            let next: Vec<ConnectionId> = self.connections.of_account_after(account, after).take(room).collect();
            match next.last() {
                Some(&last) if next.len() == room => {
                    hit("sessions ended in steps");
                    self.telling.ending.insert(account, (last, reason));
                }
                _ => {
                    self.telling.ending.remove(&account);
                }
            }
            // An account without any is looked up, too.
            room -= next.len().max(1);
            next.into_iter().for_each(|connection| self.end_if_over(connection, reason));
        }
    }

    fn tell_health(&mut self) {
        let Some(told) = self.telling.health else { return };
        let step = self.config.settings.step;
        let next: Vec<(ConnectionId, bool)> = self.connections.after(told).take(step).collect();
        self.telling.health = next.last().map(|&(last, _)| last).filter(|_| next.len() == step);
        let event = Arc::new(Event::Health(self.health.clone()));
        for (connection, _) in next.into_iter().filter(|&(_, listens)| listens) {
            self.tell(connection, event.clone());
        }
    }

    /// Tells a step's receipts, of as many confirms as that takes: as many confirms may come in a turn.
    fn tell_receipts(&mut self) {
        let mut room = self.config.settings.step;
        while room > 0
            && let Some(&account) = self.telling.confirming.front()
            && let Some(upto) = self.telling.confirmed.get(&account)
        {
            let arrived = self.receipts.arrived(account, upto, room);
            if arrived.len() < room {
                self.telling.confirming.pop_front();
                self.telling.confirmed.remove(&account);
            } else {
                hit("receipts in steps");
            }
            // A confirm without any is looked up, too.
            room -= arrived.len().max(1);
            self.tell_arrived(account, arrived);
        }
    }

    fn tell_arrived(&mut self, account: AccountId, arrived: Vec<(AccountId, Key)>) {
        let name = self.directory.called(account);
        for (author, key) in arrived {
            // It was held back, and is covered by what came after it.
            if self.blocks.is_blocked(account, author) {
                continue;
            }
            let event = Arc::new(Event::Receipt { key, to: name.clone() });
            for connection in self.connections.listening(author) {
                self.tell(connection, event.clone());
            }
        }
    }

    /// Ends the connections of an account whose session is no good any more: at once those that would be shown
    /// something, the others when their turn comes, or when they ask for something.
    pub(crate) fn end_sessions(&mut self, account: AccountId, reason: CloseReason) {
        for connection in self.connections.listening(account) {
            self.end_if_over(connection, reason);
        }
        // From the first one on, also where it was done in part for another session.
        let deleted = self.telling.ending.get(&account).map(|&(_, reason)| reason);
        let reason = deleted.filter(|&reason| reason == CloseReason::Deleted).unwrap_or(reason);
        self.telling.ending.insert(account, (ConnectionId(0), reason));
    }

    /// What a connection does that is still to be ended must not count any more.
    pub(crate) fn end_first(&mut self, connection: ConnectionId) {
        if let Some(login) = self.connections.login(connection)
            && let Some(&(_, reason)) = self.telling.ending.get(&login.account)
        {
            self.end_if_over(connection, reason);
        }
    }

    fn end_if_over(&mut self, connection: ConnectionId, reason: CloseReason) {
        let Some(login) = self.connections.login(connection) else { return };
        if self.directory.session(login.token) != Some(login.account) {
            self.connections.log_out(connection);
            self.outputs.push_back(Output::Close(connection, reason));
        }
    }
}
