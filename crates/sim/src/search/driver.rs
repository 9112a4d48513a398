//! What one happening does to one replica.
//!
//! It depends on nothing but the replica, the happening and the time, so it is worked out once and
//! remembered: most steps of a search only put known pieces together in another way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lastword_core::io::{Answer, ConnectionId, Fit, LinkId, Password, Receiver, ReplicaId, Request, Standing, Tag};
use lastword_core::{Config, Core, Input, Mono, Now, Output, PeerMessage};
use lastword_facts::ids::LogIndex;
use lastword_facts::token::SessionToken;
use lastword_facts::views::{Found, MessageRecord, Query, Snapshot};
use lastword_facts::{Body, Fact};
use lastword_marks::{Bug, planted};

use super::disk::Disk;
use super::invariants;
use super::replica::{Effect, Happening, Replica, incarnation, maker};
use super::scenario::{Deed, REPLICAS, Scenario, draw_key};
use super::state::Stage;

/// The answer to the request itself; the one to a login before it has another tag.
const REQUEST: Tag = Tag(2);

/// A replica that something happens to.
pub(super) struct Driver<'a> {
    scenario: &'a Scenario,
    own: usize,
    now: Now,
    replica: Replica,
    /// The operation that a client asks for now: it draws the tokens.
    asking: usize,
    pending: VecDeque<Input>,
    effects: Vec<Effect>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(scenario: &'a Scenario, own: usize, time: u16, replica: Replica) -> Self {
        let mono = Mono(Duration::from_secs(1) + scenario.pass * u32::from(time));
        let wall_us = 1_790_000_000_000_000 + mono.0.as_micros() as u64 + 1000 * scenario.ahead_ms[own];
        let now = Now { mono, wall_us };
        Self { scenario, own, now, replica, asking: 0, pending: VecDeque::new(), effects: Vec::new() }
    }

    pub(super) fn happen(mut self, happening: Happening, message: Option<PeerMessage>) -> (Replica, Vec<Effect>) {
        let id = |peer: usize| ReplicaId(peer as u8);
        match happening {
            Happening::Start => self.start(),
            Happening::Crash { survives } => {
                self.replica.core = None;
                if survives {
                    self.synced();
                }
                self.replica.disk.crash();
            }
            Happening::Wipe => {
                self.replica.disk = Disk::default();
                self.replica.wiped = true;
            }
            Happening::Timer => self.input(Input::Timer),
            Happening::Sync => {
                let end = self.synced();
                self.input(Input::Stored(end));
            }
            Happening::Up { peer, link } => self.input(Input::LinkUp(id(peer), LinkId(link))),
            Happening::Down { peer, link } => self.input(Input::LinkDown(id(peer), LinkId(link))),
            Happening::Message { peer, link, .. } => {
                if let Some(message) = message {
                    self.input(Input::Link(id(peer), LinkId(link), message));
                }
            }
            Happening::Ask(operation) => self.ask(operation),
        }
        (self.replica, self.effects)
    }

    fn violated(&mut self, what: String) {
        self.effects.push(Effect::Violation(what));
    }

    fn start(&mut self) {
        let replica = &mut self.replica;
        if !(planted(Bug::ReusesIncarnation) && replica.lives > 0) {
            replica.lives += 1;
        }
        let config = Config {
            own: ReplicaId(self.own as u8),
            replicas: REPLICAS as u8,
            group: 7,
            incarnation: incarnation(self.own, replica.lives),
            settings: self.scenario.settings.clone(),
        };
        let snapshot = Snapshot { alone: replica.disk.alone, ..Snapshot::default() };
        let mut core = Core::new(config, snapshot, self.now);
        for (n, fact) in replica.disk.log.iter().enumerate() {
            core.replay(LogIndex(n as u64 + 1), fact);
        }
        replica.core = Some(core);
        self.input(Input::Timer);
    }

    /// The sync under way is done; the next begins.
    fn synced(&mut self) -> LogIndex {
        let disk = &mut self.replica.disk;
        let count = disk.sync();
        let end = LogIndex(disk.log.len() as u64);
        let new = &disk.log[disk.log.len() - count..];
        self.replica.had.extend(new.iter().map(|fact| (fact.author, fact.key)));
        if let Err(open) = invariants::closed_under_causes(&disk.log, count) {
            self.violated(open);
        }
        end
    }

    /// A client connects, logs in by its token if need be, and asks.
    fn ask(&mut self, number: usize) {
        let Some(operation) = self.scenario.operation(number).copied() else { return };
        self.asking = number;
        let connection = ConnectionId(number as u64);
        self.input(Input::Opened(connection));
        let request = match operation.deed {
            Deed::Create { name, key } => {
                let password = Password("pass".to_owned());
                Request::Create { name: name.to_owned(), password, key: draw_key(key) }
            }
            Deed::Send { author, key } => {
                let token = token_of(author).hash();
                self.input(Input::Request(connection, Tag(1), Request::Resume { token, seen: None }));
                let Some((account, _)) = self.scenario.identity(number) else { return };
                Request::Send { to: Receiver::Account(account), text: format!("m{key}"), key: draw_key(key) }
            }
        };
        self.input(Input::Request(connection, REQUEST, request));
    }

    /// What the driver is asked for it answers at once: hashing and reading change nothing but the moment at
    /// which things happen, and every moment is searched.
    fn input(&mut self, input: Input) {
        self.pending.push_back(input);
        while let Some(input) = self.pending.pop_front() {
            let Some(mut core) = self.replica.core.take() else { return };
            core.handle(self.now, input);
            let mut outputs = Vec::new();
            while let Some(output) = core.poll_output() {
                outputs.push(output);
            }
            self.replica.core = Some(core);
            outputs.into_iter().for_each(|output| self.output(output));
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Store(first, facts) => {
                self.store(first, facts);
                if self.scenario.swift[self.own] {
                    let end = self.synced();
                    self.pending.push_back(Input::Stored(end));
                }
            }
            Output::Query(job, query) => {
                let found = self.find(&query);
                self.pending.push_back(Input::Found(job, found));
            }
            Output::Alone(alone) => self.replica.disk.alone = alone,
            Output::Hash(job, _, password) => {
                let token = token_of(self.asking);
                self.pending.push_back(Input::Hashed(job, Some(format!("hash of {}", password.0)), token));
            }
            Output::Check(job, _, password, hashes) => {
                let fits = hashes.iter().position(|hash| *hash == format!("hash of {}", password.0));
                let token = token_of(self.asking);
                self.pending.push_back(Input::Checked(job, Ok(fits.map(|which| Fit { which, rehashed: None })), token));
            }
            Output::Answer(connection, REQUEST, result) => {
                let stage = match result {
                    Ok(Answer::Sent { copies, .. }) => Stage::Stored(copies.stored as u8),
                    Ok(Answer::Created { .. }) => Stage::Created,
                    _ => Stage::Refused,
                };
                let health = self.replica.core.as_ref().map(|core| core.health().replicas.clone()).unwrap_or_default();
                let in_sync = health.iter().filter(|&&standing| standing == Standing::InSync).count();
                self.effects.push(Effect::Answer { operation: connection.0 as usize, stage, in_sync });
            }
            Output::Send(peer, link, message) => {
                if let Err(lie) = invariants::claims_what_is_there(&self.replica.disk, &message) {
                    self.violated(lie);
                }
                self.effects.push(Effect::Send { peer: usize::from(peer.0), link: link.0, message });
            }
            Output::CloseLink(peer, link) => {
                self.effects.push(Effect::CloseLink { peer: usize::from(peer.0), link: link.0 });
            }
            // Views are read from the log, and nobody listens. Nothing is ever damaged here.
            _ => {}
        }
    }

    fn store(&mut self, first: LogIndex, facts: Vec<Arc<Fact>>) {
        let next = self.replica.disk.append(facts.clone());
        if first.0 != next as u64 {
            self.violated(format!("the next place of the log is {next}, and facts are stored from {first:?} on"));
        }
        let own = self.own;
        for fact in facts.into_iter().filter(|fact| maker(fact.position.incarnation) == Some(own)) {
            match self.replica.made.get(&fact.position) {
                Some(known) if known.bytes() != fact.bytes() => {
                    let two = format!("two facts at {:?}: {known:?} and {fact:?}", fact.position);
                    self.violated(two);
                }
                Some(_) => {}
                None => {
                    self.replica.made.insert(fact.position, fact);
                }
            }
        }
    }

    /// What the views hold is what the disk holds.
    fn find(&self, query: &Query) -> Found {
        let disk = &self.replica.disk;
        match *query {
            Query::Facts { from, upto, .. } => Found::Facts { facts: disk.facts(from, upto), damaged: None },
            Query::Known { author, key } => {
                let place = disk.log.iter().position(|fact| (fact.author, fact.key) == (author, key));
                Found::Known(place.and_then(|place| record(LogIndex(place as u64 + 1), &disk.log[place])))
            }
            Query::PendingCount(_) => Found::Count(0),
            Query::Mailbox { .. } => Found::Mailbox { waiting: 0, by: Vec::new() },
            Query::Inbox { .. } | Query::Outbox { .. } | Query::History { .. } | Query::Conversations { .. } => {
                Found::Messages { messages: Vec::new(), more: false }
            }
        }
    }
}

/// The token that a create's first session is opened with.
fn token_of(operation: usize) -> SessionToken {
    SessionToken([operation as u8 + 1; 32])
}

fn record(index: LogIndex, fact: &Fact) -> Option<MessageRecord> {
    let Body::Message(message) = &fact.body else { return None };
    Some(MessageRecord {
        index,
        position: fact.position,
        order: fact.order(),
        author: fact.author,
        key: fact.key,
        to: message.to,
        text: message.text.clone(),
        at_ms: message.at_ms,
        unwanted: message.unwanted == Some(true),
    })
}
