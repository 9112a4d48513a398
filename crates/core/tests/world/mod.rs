//! A group of cores on virtual time: links with a delay, disks with a slow sync, clients' connections.
//!
//! Enough for transcripts of single scenarios.

#![allow(dead_code, reason = "each test file uses a part of it")]

mod stopwatch;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use lastword_core::io::*;
use lastword_core::{Config, Core, Input, Mono, Now, Output, PeerMessage, Settings};
use lastword_facts::fact::Unknown;
use lastword_facts::ids::{Incarnation, Key, LogIndex, Position};
use lastword_facts::token::{Pos, SessionToken};
use lastword_facts::views::{Found, Query, Snapshot};
use lastword_facts::{Body, Fact, VersionVector};

pub use stopwatch::Call;
use stopwatch::timed;
use views::Views;

/// One way over a link, and one sync.
const HOP: Duration = Duration::from_millis(1);
const SYNC: Duration = Duration::from_millis(1);

#[derive(Clone)]
pub struct World {
    /// Of all that start from now on.
    pub settings: Settings,
    pub now: Mono,
    pub nodes: Vec<Node>,
    /// What happens when: with a running number, so that the same moment has an order.
    queue: BTreeMap<(Mono, u64), Happening>,
    number: u64,
    /// Links that are cut, whole.
    pub cuts: BTreeSet<(usize, usize)>,
    links: BTreeMap<(usize, usize), LinkId>,
    /// Of each connection, in order.
    pub answers: BTreeMap<(ConnectionId, Tag), Result<Answer, Refusal>>,
    pub events: BTreeMap<ConnectionId, Vec<Event>>,
    pub closed: BTreeMap<ConnectionId, CloseReason>,
    /// Events that were one and the same as the one before.
    pub shared_events: usize,
    last_event: Option<Arc<Event>>,
    /// The most that came out of one call of a core.
    pub most_outputs: usize,
    /// How long each call of a core took, in order, if that is asked for.
    pub calls: Option<Vec<Call>>,
    /// Of whoever was created, by name.
    tokens: BTreeMap<String, SessionToken>,
    homes: BTreeMap<ConnectionId, usize>,
    /// So many replicas are in the group, whether they are here or not.
    group: usize,
    /// How long it takes to read facts for another replica.
    pub reading: Duration,
}

#[derive(Clone)]
pub struct Node {
    pub core: Option<Core>,
    /// What is on disk.
    pub log: Vec<Arc<Fact>>,
    views: Views,
    alone: bool,
    /// Each start has its own number: what belongs to an earlier one is void.
    life: u64,
    pub sync: Duration,
    pub frozen: bool,
    asleep: Vec<Happening>,
    pub clock_offset_us: i64,
    pub reports: Vec<Report>,
    /// With which parameters it hashes passwords.
    pub hash_version: u32,
    /// Records of its log that can't be read. (They are not mended here.)
    pub damaged: BTreeSet<Position>,
    /// It is of a version that does not know the newest kinds of facts.
    pub older: bool,
    wake: Option<Mono>,
}

#[derive(Clone)]
enum Happening {
    Input { node: usize, life: u64, input: Input },
    Synced { node: usize, life: u64, facts: Vec<Arc<Fact>>, first: LogIndex },
    Dial { from: usize, to: usize },
}

impl World {
    /// A group of so many replicas, all up and connected.
    pub fn new(replicas: usize) -> Self {
        Self::with(replicas, Settings::default())
    }

    /// The same with other settings.
    pub fn with(replicas: usize, settings: Settings) -> Self {
        Self::of_group(replicas, replicas.max(3), settings)
    }

    /// The same of a group of so many.
    pub fn of_group(replicas: usize, group: usize, settings: Settings) -> Self {
        let mut world = Self {
            settings,
            now: Mono(Duration::from_secs(1)),
            nodes: Vec::new(),
            queue: BTreeMap::new(),
            number: 0,
            cuts: BTreeSet::new(),
            links: BTreeMap::new(),
            answers: BTreeMap::new(),
            events: BTreeMap::new(),
            closed: BTreeMap::new(),
            shared_events: 0,
            last_event: None,
            most_outputs: 0,
            calls: None,
            tokens: BTreeMap::new(),
            homes: BTreeMap::new(),
            group,
            reading: HOP,
        };
        for _ in 0..replicas {
            world.nodes.push(Node {
                core: None,
                log: Vec::new(),
                views: Views::default(),
                alone: false,
                life: 0,
                sync: SYNC,
                frozen: false,
                asleep: Vec::new(),
                clock_offset_us: 0,
                reports: Vec::new(),
                hash_version: 1,
                older: false,
                damaged: BTreeSet::new(),
                wake: None,
            });
        }
        for node in 0..replicas {
            world.start(node);
        }
        world.run(1000);
        world
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn at(&mut self, delay: Duration, happening: Happening) {
        let key = (self.now + delay, self.next_number());
        self.queue.insert(key, happening);
    }

    pub fn time(&self, node: usize) -> Now {
        let wall_us = 1_700_000_000_000_000 + self.now.0.as_micros() as i64 + self.nodes[node].clock_offset_us;
        Now { mono: self.now, wall_us: wall_us as u64 }
    }

    /// Starts a replica on what its disk holds; its views are made anew.
    pub fn start(&mut self, node: usize) {
        let now = self.time(node);
        let incarnation = Incarnation(self.next_number().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let config = Config {
            own: ReplicaId(node as u8),
            replicas: self.group as u8,
            group: 7,
            incarnation,
            settings: self.settings.clone(),
        };
        let state = &mut self.nodes[node];
        state.life += 1;
        state.views = Views::default();
        let snapshot = Snapshot { alone: state.alone, ..Snapshot::default() };
        let mut core = Core::new(config, snapshot, now);
        for (n, fact) in state.log.iter().enumerate() {
            let place = LogIndex(n as u64 + 1);
            if state.damaged.contains(&fact.position) {
                core.replay_damaged(place, fact.position);
            } else {
                core.replay(place, fact);
            }
        }
        state.core = Some(core);
        self.input(node, Input::Timer);
        for other in 0..self.nodes.len() {
            if other != node {
                self.at(HOP, Happening::Dial { from: node, to: other });
            }
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].core = None;
        self.nodes[node].wake = None;
        self.nodes[node].life += 1;
        for other in 0..self.nodes.len() {
            self.break_link(node, other);
        }
    }

    pub fn wipe(&mut self, node: usize) {
        assert!(self.nodes[node].core.is_none());
        self.nodes[node].log.clear();
        self.nodes[node].alone = false;
    }

    pub fn cut(&mut self, one: usize, other: usize) {
        self.cuts.insert((one.min(other), one.max(other)));
        self.break_link(one, other);
    }

    pub fn heal(&mut self) {
        for (one, other) in std::mem::take(&mut self.cuts) {
            self.at(HOP, Happening::Dial { from: one, to: other });
        }
    }

    pub fn freeze(&mut self, node: usize) {
        self.nodes[node].frozen = true;
    }

    pub fn wake(&mut self, node: usize) {
        self.nodes[node].frozen = false;
        for happening in std::mem::take(&mut self.nodes[node].asleep) {
            self.at(Duration::ZERO, happening);
        }
    }

    fn break_link(&mut self, one: usize, other: usize) {
        let Some(link) = self.links.remove(&(one.min(other), one.max(other))) else { return };
        for (node, peer) in [(one, other), (other, one)] {
            let life = self.nodes[node].life;
            let input = Input::LinkDown(ReplicaId(peer as u8), link);
            self.at(HOP, Happening::Input { node, life, input });
        }
    }

    fn dial(&mut self, from: usize, to: usize) {
        let pair = (from.min(to), from.max(to));
        let up = |node: usize| self.nodes[node].core.is_some();
        if !up(from) || !up(to) || self.cuts.contains(&pair) || self.links.contains_key(&pair) {
            return;
        }
        let link = LinkId(self.next_number());
        self.links.insert(pair, link);
        for (node, peer) in [(from, to), (to, from)] {
            let life = self.nodes[node].life;
            let input = Input::LinkUp(ReplicaId(peer as u8), link);
            self.at(HOP, Happening::Input { node, life, input });
        }
    }

    /// Both have dialled: a link takes the place of the one that there is.
    pub fn replace_link(&mut self, one: usize, other: usize) {
        self.links.remove(&(one.min(other), one.max(other))).expect("linked");
        self.dial(one, other);
    }

    /// Lets so many milliseconds pass.
    pub fn run(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.step(end) {}
        self.now = end;
    }

    fn step(&mut self, end: Mono) -> bool {
        let wake = (0..self.nodes.len())
            .filter(|&n| !self.nodes[n].frozen)
            .filter_map(|n| Some((self.nodes[n].wake?, n)))
            .min();
        let next = self.queue.first_key_value().map(|(&(at, _), _)| at);
        match (next, wake) {
            (Some(next), wake) if next <= end && wake.is_none_or(|(at, _)| next <= at) => {
                self.now = self.now.max(next);
                if let Some((_, happening)) = self.queue.pop_first() {
                    self.happen(happening);
                }
                true
            }
            (_, Some((at, node))) if at <= end => {
                self.now = self.now.max(at);
                self.input(node, Input::Timer);
                true
            }
            _ => false,
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Dial { from, to } => self.dial(from, to),
            Happening::Input { node, .. } | Happening::Synced { node, .. } if self.nodes[node].frozen => {
                self.nodes[node].asleep.push(happening);
            }
            Happening::Input { node, life, input } if self.nodes[node].life == life => self.input(node, input),
            Happening::Synced { node, life, facts, first } if self.nodes[node].life == life => {
                let log = &mut self.nodes[node].log;
                assert_eq!(log.len() as u64 + 1, first.0, "the log has no gap");
                log.extend(facts);
                let end = LogIndex(log.len() as u64);
                self.input(node, Input::Stored(end));
            }
            _ => {}
        }
    }

    pub fn input(&mut self, node: usize, input: Input) {
        let now = self.time(node);
        let Some(mut core) = self.nodes[node].core.take() else { return };
        let (outputs, call) = timed(&mut core, now, input);
        self.most_outputs = self.most_outputs.max(outputs.len());
        outputs.into_iter().for_each(|output| self.output(node, output));
        self.calls.iter_mut().for_each(|calls| calls.push(call));
        self.nodes[node].wake = core.poll_timeout();
        self.nodes[node].core = Some(core);
    }

    fn output(&mut self, node: usize, output: Output) {
        let life = self.nodes[node].life;
        let back = |input| Happening::Input { node, life, input };
        // One that was not drawn before, at any replica.
        let mut token = [node as u8; 32];
        token[..8].copy_from_slice(&self.number.to_be_bytes());
        let token = SessionToken(token);
        match output {
            Output::Store(first, facts) => {
                let sync = self.nodes[node].sync;
                self.at(sync, Happening::Synced { node, life, facts, first });
            }
            Output::Apply(all) => all.into_iter().for_each(|applied| self.nodes[node].views.apply(applied)),
            Output::Query(job, Query::Facts { from, upto, limit_bytes }) => {
                let wanted = |fact: &&Arc<Fact>| {
                    let position = fact.position;
                    position.incarnation == from.incarnation && position >= from && position.seq <= upto
                };
                let mut room = limit_bytes as usize;
                let fits = |fact: &&Arc<Fact>| {
                    let fits = room > 0;
                    room = room.saturating_sub(fact.bytes().len());
                    fits
                };
                let facts = self.nodes[node].log.iter().filter(wanted).take_while(fits).cloned().collect();
                self.at(self.reading, back(Input::Found(job, Found::Facts { facts, damaged: None })));
            }
            Output::Query(job, query) => {
                let found = self.nodes[node].views.query(&query);
                self.at(Duration::ZERO, back(Input::Found(job, found)));
            }
            Output::Repair { .. } | Output::StartAnew => {}
            Output::Alone(alone) => self.nodes[node].alone = alone,
            Output::Hash(job, _, password) => {
                self.number += 1;
                let hash = format!("hash of {} v{}", password.0, self.nodes[node].hash_version);
                self.at(HOP, back(Input::Hashed(job, Some(hash), token)));
            }
            Output::Check(job, _, password, hashes) => {
                self.number += 1;
                let now = self.nodes[node].hash_version;
                let version = |hash: &String| hash.strip_prefix(&format!("hash of {} v", password.0))?.parse().ok();
                let fits = hashes.iter().enumerate().find_map(|(which, hash)| Some((which, version(hash)?)));
                let fits = fits.map(|(which, version): (usize, u32)| {
                    let rehashed = (version != now).then(|| format!("hash of {} v{now}", password.0));
                    Fit { which, rehashed }
                });
                self.at(HOP, back(Input::Checked(job, Ok(fits), token)));
            }
            Output::Match(job, pattern, names) => {
                self.at(HOP, back(Input::Matched(job, pattern.match_names(&names, || true))));
            }
            Output::Answer(connection, tag, answer) => {
                if let Ok(Answer::Created { name, token, .. }) = &answer {
                    self.tokens.insert(name.clone(), token.clone());
                }
                assert!(self.answers.insert((connection, tag), answer).is_none(), "answered twice: {tag:?}");
            }
            Output::Event { connection, event, drain } => {
                let last = self.last_event.replace(event.clone());
                self.shared_events += usize::from(last.is_some_and(|last| Arc::ptr_eq(&last, &event)));
                self.events.entry(connection).or_default().push(Event::clone(&event));
                if drain {
                    self.at(HOP, back(Input::Drained(connection)));
                }
            }
            Output::Close(connection, reason) => {
                self.closed.insert(connection, reason);
                self.at(HOP, back(Input::Closed(connection)));
            }
            Output::Send(peer, link, message) => self.send(node, usize::from(peer.0), link, message),
            Output::CloseLink(peer, link) => {
                let other = usize::from(peer.0);
                // One in whose place there is another already ends without a word.
                if self.links.get(&(node.min(other), node.max(other))) == Some(&link) {
                    self.break_link(node, other);
                }
            }
            Output::Report(report) => self.nodes[node].reports.push(report),
        }
    }

    fn send(&mut self, from: usize, to: usize, link: LinkId, message: PeerMessage) {
        if self.links.get(&(from.min(to), from.max(to))) != Some(&link) {
            return;
        }
        // Over the wire and back, so that what is said is what is understood.
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let mut message = PeerMessage::decode(&bytes).expect("what a core says can be read");
        if let PeerMessage::Ping(_, clock) = &mut message
            && self.nodes[from].older
        {
            *clock = None;
        }
        if let PeerMessage::Push(facts) | PeerMessage::Pulled(_, facts) = &mut message
            && self.nodes[to].older
        {
            facts.iter_mut().for_each(|fact| *fact = as_read_by_older(fact));
        }
        let life = self.nodes[to].life;
        let input = Input::Link(ReplicaId(from as u8), link, message);
        self.at(HOP, Happening::Input { node: to, life, input });
    }

    // Clients.

    pub fn connect(&mut self, node: usize) -> ConnectionId {
        let connection = ConnectionId(self.next_number());
        self.homes.insert(connection, node);
        self.input(node, Input::Opened(connection));
        connection
    }

    /// A client goes.
    pub fn hang_up(&mut self, connection: ConnectionId) {
        self.input(self.homes[&connection], Input::Closed(connection));
    }

    /// Asks, and does not wait.
    pub fn ask(&mut self, connection: ConnectionId, request: Request) -> Tag {
        let tag = Tag(self.next_number());
        self.input(self.homes[&connection], Input::Request(connection, tag, request));
        tag
    }

    pub fn answer(&self, connection: ConnectionId, tag: Tag) -> Option<&Result<Answer, Refusal>> {
        self.answers.get(&(connection, tag))
    }

    /// Asks, and lets time pass until the answer is there: at most 15 s.
    pub fn call(&mut self, connection: ConnectionId, request: Request) -> Result<Answer, Refusal> {
        let tag = self.ask(connection, request.clone());
        for _ in 0..15_000 {
            if let Some(answer) = self.answers.get(&(connection, tag)) {
                return answer.clone();
            }
            self.run(1);
        }
        panic!("no answer to {request:?}");
    }

    pub fn key(&mut self) -> Key {
        let ms = 1_700_000_000_000 + self.now.0.as_millis();
        Key((ms << 80) | (7 << 76) | u128::from(self.next_number()))
    }

    pub fn create(&mut self, connection: ConnectionId, name: &str) -> Result<Answer, Refusal> {
        let key = self.key();
        self.call(connection, create(name, key))
    }

    pub fn login(&mut self, connection: ConnectionId, name: &str) -> Result<Answer, Refusal> {
        self.call(connection, Request::Login { name: name.into(), password: Password("secret".into()) })
    }

    /// Logs in with the session of whoever was created under this name.
    pub fn resume(&mut self, connection: ConnectionId, name: &str) {
        let token = self.tokens[name].hash();
        self.call(connection, Request::Resume { token, seen: None }).expect("the session is good");
    }

    pub fn send_text(&mut self, connection: ConnectionId, to: &str, text: &str) -> Copies {
        let key = self.key();
        match self.call(connection, send(to, text, key)) {
            Ok(Answer::Sent { copies, .. }) => copies,
            other => panic!("not sent: {other:?}"),
        }
    }

    /// The texts of the message events of a connection, in order.
    pub fn texts(&self, connection: ConnectionId) -> Vec<String> {
        let events = self.events.get(&connection).into_iter().flatten();
        events
            .filter_map(|event| match event {
                Event::Message(view) => Some(view.message.text.clone()),
                _ => None,
            })
            .collect()
    }

    /// Confirms the last message event of a connection.
    pub fn confirm_last(&mut self, connection: ConnectionId) {
        let last = self.events[&connection].iter().rev().find_map(|event| match event {
            Event::Message(view) => Some(Pos { order: view.message.order, index: view.message.index }),
            _ => None,
        });
        let upto = last.expect("a message event");
        self.call(connection, Request::Delivered { upto }).expect("confirmed");
    }

    pub fn history(&mut self, connection: ConnectionId, with: &str) -> Vec<String> {
        let request =
            Request::History { with: Receiver::Name(with.into()), limit: 1000, before: None, bytes: u32::MAX };
        match self.call(connection, request) {
            Ok(Answer::History { messages, .. }) => messages.into_iter().rev().map(|view| view.message.text).collect(),
            other => panic!("no history: {other:?}"),
        }
    }

    /// What a replica has on disk.
    pub fn vector(&self, node: usize) -> VersionVector {
        self.nodes[node].log.iter().map(|fact| fact.position).collect()
    }

    /// Answers of the views that are on their way to a replica.
    pub fn looked_up_at_once(&self, node: usize) -> usize {
        let found = |happening: &&Happening| matches!(happening, Happening::Input { node: of, input: Input::Found(..), .. } if *of == node);
        self.queue.values().filter(found).count()
    }

    /// Bytes of facts that a replica has taken in and its disk has not.
    pub fn unsaved_bytes(&self, node: usize) -> usize {
        let unsaved = self.queue.values().map(|happening| match happening {
            Happening::Synced { node: of, life, facts, .. } if *of == node && *life == self.nodes[node].life => {
                facts.iter().map(|fact| fact.bytes().len()).sum()
            }
            _ => 0,
        });
        unsaved.sum()
    }

    /// One sync covers all that a replica's disk was given.
    pub fn store_at_once(&mut self, node: usize) {
        let given = self.queue.values().map(|happening| match happening {
            Happening::Synced { node: of, life, facts, .. } if *of == node && *life == self.nodes[node].life => {
                facts.len()
            }
            _ => 0,
        });
        let end = LogIndex((self.nodes[node].log.len() + given.sum::<usize>()) as u64);
        self.input(node, Input::Stored(end));
    }

    pub fn standing(&mut self, node: usize) -> Vec<Standing> {
        let connection = self.connect(node);
        match self.call(connection, Request::Status) {
            Ok(Answer::Status { health, .. }) => health.replicas.clone(),
            other => panic!("no status: {other:?}"),
        }
    }
}

/// The same bytes, in the eyes of who does not know the newest kinds.
fn as_read_by_older(fact: &Arc<Fact>) -> Arc<Fact> {
    let kind = match &fact.body {
        Body::Rehash(_) => 11,
        Body::Used(_) => 12,
        _ => return fact.clone(),
    };
    let mut fact = Fact::clone(fact);
    fact.body = Body::Unknown(Unknown { kind });
    Arc::new(fact)
}

pub fn create(name: &str, key: Key) -> Request {
    Request::Create { name: name.into(), password: Password("secret".into()), key }
}

pub fn send(to: &str, text: &str, key: Key) -> Request {
    Request::Send { to: Receiver::Name(to.into()), text: text.into(), key }
}
