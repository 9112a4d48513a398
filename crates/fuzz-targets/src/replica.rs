//! A replica in memory: a real core, with everything done at once that it wants to have done.
//!
//! It checks what every driver of a core may rely on, and panics where that is not so:
//!
//! 1. What it says to a client is one line that is no longer than the limit, and that a client can read.
//! 2. What it says to another replica is no longer than the limit, and is read back as it was said.
//! 3. Own facts are possible. (What a replica tells its clients to be stored must not be ignored.)
//! 4. Facts go to the log without a gap, and are asked for by positions that can be.
//! 5. It comes to rest.

mod clients;
// The plain list that the core's transcripts use, too.
#[path = "../../core/tests/world/views.rs"]
mod views;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use lastword_core::io::{ConnectionId, Fit, LinkId, ReplicaId};
use lastword_core::peer_message::MESSAGE_BYTES;
use lastword_core::{Config, Core, Input, Mono, Now, Output, PeerMessage, Settings};
use lastword_facts::ids::{Incarnation, LogIndex, Position, Seq};
use lastword_facts::token::SessionToken;
use lastword_facts::views::{Found, Query, Snapshot};
use lastword_facts::{AccountId, Fact};
use lastword_server::wire::Wire;
use lastword_server::{Group, Options};

use clients::Clients;
pub(crate) use clients::read_back;
use views::Views;

/// Under which incarnation it writes.
pub(crate) const OWN: Incarnation = Incarnation(0x0e11_0000_0000_0001);
/// A password that fits every hash.
pub(crate) const MASTER: &str = "open sesame";
/// When it starts, by the wall clock.
const START_US: u64 = 1_790_000_000_000_000;
/// Inputs that one input may lead to, one after the other.
const AT_ONCE: usize = 20_000;

/// A replica in memory.
pub(crate) struct Replica {
    core: Core,
    now: Now,
    log: Vec<Arc<Fact>>,
    views: Views,
    wire: Wire,
    links: BTreeMap<ReplicaId, LinkId>,
    open: BTreeSet<ConnectionId>,
    clients: Clients,
    inputs: VecDeque<Input>,
    tokens: u64,
}

impl Replica {
    /// One of so many, the second one if there is one, on a log that has these facts, in an order that a log
    /// can have. The record of one of them, counted from 0, may be damaged.
    pub(crate) fn new(replicas: u8, log: Vec<Arc<Fact>>, damaged: Option<usize>) -> Self {
        let now = Now { mono: Mono(Duration::from_secs(1)), wall_us: START_US };
        let own = ReplicaId(u8::from(replicas > 1));
        let address = |n: u8| format!("127.0.0.1:{}", 7001 + u16::from(n)).parse().expect("an address");
        let mut options = Options::new(address(own.0), "nowhere".into());
        options.group = (0..replicas).map(address).collect();
        options.key = Some([7; 32].into());
        let group = Group::new(&options).expect("a group on loopback");
        let config = Config { own, replicas, group: group.hash, incarnation: OWN, settings: Settings::default() };
        let snapshot = Snapshot { alone: true, ..Snapshot::default() };
        let mut core = Core::new(config, snapshot, now);
        for (n, fact) in log.iter().enumerate() {
            let index = LogIndex(n as u64 + 1);
            if damaged == Some(n) {
                core.replay_damaged(index, fact.position);
            } else {
                core.replay(index, fact);
            }
        }
        let mut replica = Self {
            core,
            now,
            log,
            views: Views::default(),
            wire: Wire::new(group),
            links: BTreeMap::new(),
            open: BTreeSet::new(),
            clients: Clients::default(),
            inputs: VecDeque::new(),
            tokens: 0,
        };
        replica.give(Input::Timer);
        replica
    }

    /// The accounts that live.
    pub(crate) fn accounts(&self) -> Vec<(AccountId, Arc<str>)> {
        self.core.accounts().map(|(account, name, _)| (account, name)).collect()
    }

    /// A hash of the list of its group.
    pub(crate) fn group(&self) -> u64 {
        self.wire.group.hash
    }

    /// Lets time pass, in steps of a tick.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while self.now.mono < end {
            self.step(Duration::from_millis(50));
            self.give(Input::Timer);
        }
    }

    /// Lets time pass without a tick of its own.
    pub(crate) fn step(&mut self, time: Duration) {
        self.now.mono = self.now.mono + time;
        self.now.wall_us += time.as_micros() as u64;
    }

    /// Another replica is connected.
    pub(crate) fn link(&mut self, peer: ReplicaId, link: LinkId) {
        self.links.insert(peer, link);
        self.give(Input::LinkUp(peer, link));
    }

    /// Whether it is so still.
    pub(crate) fn is_linked(&self, peer: ReplicaId) -> bool {
        self.links.contains_key(&peer)
    }

    /// Another replica says something; nothing happens where the link is gone.
    pub(crate) fn hear(&mut self, peer: ReplicaId, message: PeerMessage) {
        if let Some(&link) = self.links.get(&peer) {
            self.give(Input::Link(peer, link, message));
        }
    }

    /// Hands something in, and does all that comes of it.
    pub(crate) fn give(&mut self, input: Input) {
        self.inputs.push_back(input);
        let mut given = 0;
        while let Some(input) = self.inputs.pop_front() {
            given += 1;
            assert!(given <= AT_ONCE, "it does not come to rest: {input:?}");
            self.core.handle(self.now, input);
            while let Some(output) = self.core.poll_output() {
                self.carry_out(output);
            }
        }
        assert!(self.core.poll_timeout().is_some(), "somebody must look after its peers");
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Store(first, facts) => {
                assert_eq!(first.0, self.log.len() as u64 + 1, "the log has no gap");
                for fact in &facts {
                    let own = fact.position.incarnation == OWN;
                    assert!(!own || fact.impossible().is_none(), "an own fact is impossible: {fact:?}");
                }
                self.log.extend(facts);
                self.inputs.push_back(Input::Stored(LogIndex(self.log.len() as u64)));
            }
            Output::Apply(all) => all.into_iter().for_each(|applied| self.views.apply(applied)),
            Output::Query(job, query) => {
                let found = self.look_up(&query);
                self.inputs.push_back(Input::Found(job, found));
            }
            Output::Repair { fact, .. } => {
                let place = self.log.iter().position(|stored| stored.position == fact.position);
                let position = fact.position;
                self.log[place.expect("only what is in the log is mended")] = fact;
                self.inputs.push_back(Input::Repaired(position));
            }
            Output::Hash(job, _, password) => {
                let token = self.draw_token();
                self.inputs.push_back(Input::Hashed(job, Some(hash(&password.0)), token));
            }
            Output::Check(job, _, password, hashes) => {
                let fits = hashes.iter().position(|known| *known == hash(&password.0) || password.0 == MASTER);
                let token = self.draw_token();
                self.inputs.push_back(Input::Checked(job, Ok(fits.map(|which| Fit { which, rehashed: None })), token));
            }
            Output::Match(job, pattern, names) => {
                self.inputs.push_back(Input::Matched(job, pattern.match_names(&names, || true)));
            }
            Output::Answer(connection, tag, result) if self.is_open(connection) => {
                self.clients.answer(connection, tag, result, &self.wire);
            }
            Output::Event { connection, event, drain } if self.is_open(connection) => {
                self.clients.event(connection, &event, &self.wire);
                if drain {
                    self.inputs.push_back(Input::Drained(connection));
                }
            }
            Output::Close(connection, _) => self.close(connection),
            Output::Send(peer, link, message) => self.say(peer, link, &message),
            Output::CloseLink(peer, link) => {
                if self.links.get(&peer) == Some(&link) {
                    self.links.remove(&peer);
                    self.inputs.push_back(Input::LinkDown(peer, link));
                }
            }
            // Who is gone is told nothing; the rest is for operators, and for the next start.
            Output::Answer(..) | Output::Event { .. } => {}
            Output::Alone(_) | Output::Report(_) | Output::StartAnew => {}
        }
    }

    /// The same token for the same number of passwords, so that saved inputs can name it.
    fn draw_token(&mut self) -> SessionToken {
        self.tokens += 1;
        let mut token = [0; 32];
        token[24..].copy_from_slice(&self.tokens.to_be_bytes());
        SessionToken(token)
    }

    fn look_up(&self, query: &Query) -> Found {
        let &Query::Facts { from, upto, .. } = query else { return self.views.query(query) };
        assert!(from.seq > Seq::NONE, "facts are numbered from 1, and {from:?} was asked for");
        let wanted =
            |position: Position| position.incarnation == from.incarnation && (from.seq..=upto).contains(&position.seq);
        let facts = self.log.iter().filter(|fact| wanted(fact.position)).take(64).cloned().collect();
        Found::Facts { facts, damaged: None }
    }

    fn say(&self, peer: ReplicaId, link: LinkId, message: &PeerMessage) {
        if self.links.get(&peer) != Some(&link) {
            return;
        }
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        assert!(bytes.len() <= MESSAGE_BYTES, "a message to {peer:?} has {} bytes", bytes.len());
        assert!(PeerMessage::decode(&bytes).is_ok_and(|read| read == *message), "not read back: {message:?}");
    }
}

/// What stands for a hash: the tests are not to wait for real ones. What looks like one stays as it is.
fn hash(password: &str) -> String {
    if password.starts_with("$argon2id$") {
        return password.to_owned();
    }
    let shown: String = password.chars().take(64).collect();
    format!("hash of {shown}")
}
