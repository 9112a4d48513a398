//! What happens when: one queue of happenings, on virtual time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use lastword_client::machine::{Epoch, Input as ClientInput, Output as ClientOutput, ReplicaIndex, Time};
use lastword_core::io::{Answer, ConnectionId, LinkId, Output, ReplicaId, Tag};
use lastword_core::{Config, Core, Input, Mono, PeerMessage, Settings};
use lastword_facts::ids::{Incarnation, LogIndex, Position};
use lastword_facts::token::SessionToken;
use lastword_facts::views::{Found, Query, Snapshot};
use lastword_facts::{AccountId, Body, Fact, Key};
use lastword_protocol::event::Event as WireEvent;
use lastword_protocol::{Op, Request, RequestId, ServerLine, Uuid};
use lastword_server::wire::{self, Shape, Wire};
use lastword_server::{Address, Group, Options};

use crate::chance::Chance;
use crate::network::{Network, Place};
use crate::node::Node;
use crate::person::{Deed, Person, SentMessage, Stage};
use crate::plan::Plan;

/// A client's connection, as its replica sees it.
struct Connection {
    node: usize,
    person: usize,
    replica: ReplicaIndex,
    epoch: Epoch,
    unanswered: BTreeMap<Tag, (RequestId, Shape)>,
    last_tag: u64,
}

pub(crate) enum Happening {
    /// Something for a core.
    Input {
        node: usize,
        life: u64,
        input: Input,
    },
    Synced {
        node: usize,
        life: u64,
    },
    DialPeer {
        from: usize,
        to: usize,
    },
    DialNode {
        person: usize,
        replica: ReplicaIndex,
        epoch: Epoch,
    },
    /// A line of a client has arrived.
    Line {
        node: usize,
        life: u64,
        connection: ConnectionId,
        request: Request,
    },
    Connected {
        person: usize,
        replica: ReplicaIndex,
        epoch: Epoch,
    },
    Lost {
        person: usize,
        replica: ReplicaIndex,
        epoch: Epoch,
    },
    Said {
        person: usize,
        replica: ReplicaIndex,
        epoch: Epoch,
        line: Vec<u8>,
    },
    Deed {
        person: usize,
    },
    /// Trouble.
    Fault,
    Start {
        node: usize,
    },
    Wake {
        node: usize,
    },
    Room {
        node: usize,
    },
}

/// A group, its people, and everything between them.
pub(crate) struct World {
    pub(crate) now: Mono,
    pub(crate) plan: Plan,
    pub(crate) chance: Chance,
    queue: BTreeMap<(Mono, u64), Happening>,
    number: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) people: Vec<Person>,
    pub(crate) network: Network,
    connections: BTreeMap<ConnectionId, Connection>,
    pub(crate) trouble_until: Mono,
    /// Everything that was ever handed to a disk, by position: never two facts at one.
    facts: BTreeMap<Position, Arc<Fact>>,
    /// By identity: the positions, of messages.
    pub(crate) positions: BTreeMap<(AccountId, Key), Vec<Position>>,
    /// Positions that went with the last disk that had them, by no fault of the replicas.
    pub(crate) gone: std::collections::BTreeSet<Position>,
    /// Positions that were on a disk, by node.
    ever: std::collections::BTreeSet<(usize, Position)>,
    pub(crate) violations: Vec<String>,
    pub(crate) events: u64,
    trace: Option<String>,
    pub(crate) trace_hash: u64,
    pub(crate) counts: BTreeMap<String, u64>,
}

impl World {
    pub(crate) fn new(seed: u64, tracing: bool) -> Self {
        let mut chance = Chance::new(seed);
        let plan = Plan::draw(&mut chance);
        let addresses: Vec<Address> =
            (0..plan.replicas).map(|node| Address { host: "127.0.0.1".to_owned(), port: node as u16 + 1 }).collect();
        let nodes = addresses
            .iter()
            .map(|address| {
                let mut options = Options::new(address.clone(), "nowhere".into());
                options.group.clone_from(&addresses);
                Node::new(Wire::new(Group::new(&options).expect("a good list")))
            })
            .collect();
        let mut world = Self {
            now: Mono(Duration::from_secs(1)),
            trouble_until: Mono(Duration::from_millis(2_000 + plan.trouble_ms)),
            plan,
            chance,
            queue: BTreeMap::new(),
            number: 0,
            nodes,
            people: Vec::new(),
            network: Network::default(),
            connections: BTreeMap::new(),
            facts: BTreeMap::new(),
            positions: BTreeMap::new(),
            gone: Default::default(),
            ever: Default::default(),
            violations: Vec::new(),
            events: 0,
            trace: tracing.then(String::new),
            trace_hash: 0,
            counts: BTreeMap::new(),
        };
        for node in 0..world.nodes.len() {
            world.start(node);
        }
        for number in 0..world.plan.people {
            world.meet(number);
        }
        let first = world.chance.ms(1..2 * world.plan.fault_every_ms);
        world.after(Duration::from_secs(1) + first, Happening::Fault);
        world
    }

    fn meet(&mut self, number: usize) {
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        for n in (1..order.len()).rev() {
            let other = self.chance.below(n as u64 + 1) as usize;
            order.swap(n, other);
        }
        let name = if self.plan.crowded_names { "Sam".to_owned() } else { format!("person{number}") };
        let key = self.draw_key(0);
        let mut person = Person::new(number, order, name, key);
        person.never_confirms = self.chance.per_mille(50);
        if self.chance.per_mille(200) {
            person.clock_offset_ms = self.chance.below(2_000_000_000_000) as i64 - 1_000_000_000_000;
        }
        self.people.push(person);
        self.client(number, ClientInput::Timer);
        let wait = self.chance.ms(0..500);
        self.after(wait, Happening::Deed { person: number });
    }

    pub(crate) fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let _ = writeln!(trace, "{:>9.3} {}", self.now.0.as_secs_f64(), text());
        }
    }

    pub(crate) fn trace(&self) -> &str {
        self.trace.as_deref().unwrap_or_default()
    }

    pub(crate) fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    pub(crate) fn violated(&mut self, what: String) {
        self.say(|| format!("VIOLATED: {what}"));
        if self.violations.len() < 20 {
            self.violations.push(what);
        }
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    pub(crate) fn at(&mut self, at: Mono, happening: Happening) {
        let number = self.next_number();
        self.queue.insert((at, number), happening);
    }

    pub(crate) fn after(&mut self, delay: Duration, happening: Happening) {
        self.at(self.now + delay, happening);
    }

    pub(crate) fn draw_key(&mut self, offset_ms: i64) -> Uuid {
        let ms = 1_790_000_000_000 + self.now.0.as_millis() as i64 + offset_ms;
        let random = u128::from(self.chance.draw()) | u128::from(self.next_number()) << 64;
        let random = random & !(0xf << 76) & ((1 << 80) - 1);
        // Now and then one that is not version 7.
        let version = if self.chance.per_mille(100) { 4 } else { 7 };
        Uuid::from_u128(((ms.max(0) as u128) << 80) | (version << 76) | random)
    }

    fn hop(&mut self) -> Duration {
        let most = if self.now < self.network.slow_until { 400_000 } else { self.plan.hop_us };
        Duration::from_micros(50 + self.chance.below(most))
    }

    // Time.

    pub(crate) fn run_until(&mut self, end: Mono) {
        while self.step(end) && self.violations.is_empty() {}
        self.now = self.now.max(end);
    }

    fn step(&mut self, end: Mono) -> bool {
        let awake = self.nodes.iter().enumerate().filter(|(_, node)| !node.frozen && node.is_up());
        let node = awake.filter_map(|(n, node)| Some((node.wake?, n))).min();
        let people = self.people.iter_mut().enumerate();
        let person = people.filter_map(|(n, person)| Some((Mono(person.machine.poll_timeout()?.0), n))).min();
        let next = self.queue.first_key_value().map(|(&(at, _), _)| at);
        let first = [next, node.map(|(at, _)| at), person.map(|(at, _)| at)].into_iter().flatten().min();
        let Some(first) = first.filter(|&first| first <= end) else { return false };
        self.events += 1;
        if next == Some(first) {
            self.now = self.now.max(first);
            if let Some((_, happening)) = self.queue.pop_first() {
                self.happen(happening);
            }
        } else if let Some((at, n)) = node.filter(|&(at, _)| at == first) {
            self.now = self.now.max(at);
            self.input(n, Input::Timer);
        } else if let Some((at, n)) = person {
            self.now = self.now.max(at);
            self.client(n, ClientInput::Timer);
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input { node, .. } | Happening::Synced { node, .. } | Happening::Line { node, .. }
                if self.nodes[node].frozen =>
            {
                self.nodes[node].asleep.push(happening);
            }
            Happening::Input { node, life, input } if self.nodes[node].life == life => self.input(node, input),
            Happening::Synced { node, life } if self.nodes[node].life == life => self.on_synced(node),
            Happening::Line { node, life, connection, request } if self.nodes[node].life == life => {
                self.on_line(node, connection, request);
            }
            Happening::DialPeer { from, to } => self.dial_peer(from, to),
            Happening::DialNode { person, replica, epoch } => self.dial_node(person, replica, epoch),
            Happening::Connected { person, replica, epoch } => {
                self.client(person, ClientInput::Connected { replica, epoch });
            }
            Happening::Lost { person, replica, epoch } => self.client(person, ClientInput::Lost { replica, epoch }),
            Happening::Said { person, replica, epoch, line } => match ServerLine::from_json(&line) {
                Ok(line) => self.client(person, ClientInput::Line { replica, epoch, line }),
                Err(error) => self.violated(format!("a server's line can't be read: {error}")),
            },
            Happening::Deed { person } => self.next_deed(person),
            Happening::Fault => self.trouble(),
            Happening::Start { node } => self.start(node),
            Happening::Wake { node } => self.wake(node),
            Happening::Room { node } => self.make_room(node),
            Happening::Input { .. } | Happening::Synced { .. } | Happening::Line { .. } => {}
        }
    }

    // Replicas.

    /// Starts a replica on what its disk holds; its views are made anew.
    pub(crate) fn start(&mut self, node: usize) {
        if self.nodes[node].is_up() {
            return;
        }
        self.say(|| format!("n{node} starts"));
        let incarnation = Incarnation(self.chance.draw());
        let config = Config {
            own: ReplicaId(node as u8),
            replicas: self.nodes.len() as u8,
            group: 7,
            incarnation,
            settings: Settings { recent_keys: 50, unconfirmed: 16, inbox_page: 4, ..Settings::default() },
        };
        let now = self.nodes[node].time(self.now);
        let state = &mut self.nodes[node];
        state.life += 1;
        state.views = crate::views::Views::default();
        state.full = false;
        let snapshot = Snapshot { alone: state.disk.alone, ..Snapshot::default() };
        let mut core = Core::new(config, snapshot, now);
        for (n, fact) in state.disk.log.iter().enumerate() {
            core.replay(LogIndex(n as u64 + 1), fact);
        }
        state.core = Some(core);
        self.input(node, Input::Timer);
        for other in 0..self.nodes.len() {
            if other != node {
                let (from, to) = (node.max(other), node.min(other));
                let wait = self.hop();
                self.after(wait, Happening::DialPeer { from, to });
            }
        }
    }

    /// `kill -9`, or the power goes.
    pub(crate) fn crash(&mut self, node: usize) {
        if !self.nodes[node].is_up() {
            return;
        }
        self.say(|| format!("n{node} crashes"));
        let survives = self.chance.per_mille(500);
        let before = self.nodes[node].disk.log.len();
        let state = &mut self.nodes[node];
        state.core = None;
        state.wake = None;
        state.frozen = false;
        state.asleep.clear();
        state.life += 1;
        state.disk.crash(survives);
        let survived: Vec<Position> = state.disk.log[before..].iter().map(|fact| fact.position).collect();
        self.ever.extend(survived.into_iter().map(|position| (node, position)));
        for other in 0..self.nodes.len() {
            self.break_link(node, other);
        }
        let ended: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, connection)| connection.node == node).map(|(&id, _)| id).collect();
        for connection in ended {
            self.hang_up(connection);
        }
    }

    /// A disk is emptied, or replaced by an older one: what only it had is gone.
    pub(crate) fn replace_disk(&mut self, node: usize, disk: crate::disk::Disk) {
        let old = std::mem::replace(&mut self.nodes[node].disk, disk);
        for fact in &old.log {
            if !self.nodes.iter().any(|node| node.disk.has(fact.position)) {
                self.gone.insert(fact.position);
            }
        }
    }

    /// The server's side of a connection ends: the client hears of it a little later.
    fn hang_up(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        let (person, replica, epoch) = (connection.person, connection.replica, connection.epoch);
        let arrival = self.hop();
        let at = self.network.arrival(
            Place::Node(connection.node),
            Place::Person(person),
            epoch.0,
            self.now,
            self.now + arrival,
        );
        self.at(at, Happening::Lost { person, replica, epoch });
    }

    pub(crate) fn break_link(&mut self, one: usize, other: usize) {
        let Some(link) = self.network.links.remove(&(one.min(other), one.max(other))) else { return };
        for (node, peer) in [(one, other), (other, one)] {
            let life = self.nodes[node].life;
            let input = Input::LinkDown(ReplicaId(peer as u8), link);
            let wait = self.hop();
            // In order with what was said before.
            let at = self.network.arrival(Place::Node(peer), Place::Node(node), link.0, self.now, self.now + wait);
            let cut = self.network.cut_until(Place::Node(peer), Place::Node(node), self.now).is_some();
            // Behind a cut nobody hears of it: the silence tells.
            let at = if cut { self.now + Duration::from_secs(3) } else { at };
            self.at(at, Happening::Input { node, life, input });
        }
        let wait = self.chance.ms(50..1000);
        self.after(wait, Happening::DialPeer { from: one.max(other), to: one.min(other) });
    }

    fn dial_peer(&mut self, from: usize, to: usize) {
        let pair = (to, from);
        if !self.nodes[from].is_up() || self.network.links.contains_key(&pair) {
            return;
        }
        let (a, b) = (Place::Node(from), Place::Node(to));
        let there = self.nodes[to].is_up() && !self.nodes[to].frozen && !self.nodes[from].frozen;
        if !there || self.network.is_cut(a, b, self.now) {
            let wait = self.chance.ms(50..1000);
            return self.after(wait, Happening::DialPeer { from, to });
        }
        let link = LinkId(self.next_number());
        self.network.links.insert(pair, link);
        for (node, peer) in [(from, to), (to, from)] {
            let life = self.nodes[node].life;
            let input = Input::LinkUp(ReplicaId(peer as u8), link);
            let wait = self.hop();
            let at = self.network.arrival(Place::Node(peer), Place::Node(node), link.0, self.now, self.now + wait);
            self.at(at, Happening::Input { node, life, input });
        }
    }

    pub(crate) fn input(&mut self, node: usize, input: Input) {
        let now = self.nodes[node].time(self.now);
        let Some(mut core) = self.nodes[node].core.take() else { return };
        let life = self.nodes[node].life;
        core.handle(now, input);
        let mut outputs = Vec::new();
        while let Some(output) = core.poll_output() {
            outputs.push(output);
        }
        self.nodes[node].wake = core.poll_timeout();
        self.nodes[node].core = Some(core);
        // It may die between any two of its effects.
        for output in outputs {
            if self.nodes[node].life == life {
                self.output(node, output);
            }
        }
    }

    fn output(&mut self, node: usize, output: Output) {
        let life = self.nodes[node].life;
        let back = |input| Happening::Input { node, life, input };
        match output {
            Output::Store(_, facts) => self.store(node, facts),
            Output::Apply(all) => all.into_iter().for_each(|applied| self.nodes[node].views.apply(applied)),
            Output::Query(job, query) => {
                let found = match query {
                    Query::Facts { from, upto, .. } => {
                        Found::Facts { facts: self.nodes[node].disk.facts(from, upto, 20), damaged: None }
                    }
                    _ => self.nodes[node].views.query(&query),
                };
                let wait = self.chance.ms(0..2);
                self.after(wait, back(Input::Found(job, found)));
            }
            Output::Repair(_) => {}
            Output::Alone(alone) => self.nodes[node].disk.alone = alone,
            Output::Hash(job, password) => {
                let (token, wait) = (self.draw_token(), self.chance.ms(5..60));
                self.after(wait, back(Input::Hashed(job, Some(format!("hash of {}", password.0)), token)));
            }
            Output::Check(job, password, hashes) => {
                let fits = hashes.iter().position(|hash| *hash == format!("hash of {}", password.0));
                let (token, wait) = (self.draw_token(), self.chance.ms(5..60));
                self.after(wait, back(Input::Checked(job, Ok(fits), token)));
            }
            Output::Answer(connection, tag, result) => {
                if let Ok(Answer::Sent { key, copies, .. }) = &result {
                    self.check_copies(connection, *key, copies.stored);
                }
                let Some(state) = self.connections.get_mut(&connection) else { return };
                let Some((id, shape)) = state.unanswered.remove(&tag) else { return };
                let mut line = Vec::new();
                wire::write_answer(&mut line, id, shape, result, &self.nodes[node].wire);
                self.tell(connection, line);
            }
            Output::Event { connection, event, drain } => {
                let mut line = Vec::new();
                wire::write_line(&mut line, &wire::event(event, &self.nodes[node].wire));
                self.tell(connection, line);
                if drain {
                    let wait = self.chance.ms(0..5);
                    self.after(wait, back(Input::Drained(connection)));
                }
            }
            Output::Close(connection, reason) => {
                let mut line = Vec::new();
                wire::write_line(&mut line, &WireEvent::Closed { reason: wire::close_reason(reason) });
                self.tell(connection, line);
                self.hang_up(connection);
                self.after(Duration::from_millis(1), back(Input::Closed(connection)));
            }
            Output::Send(peer, link, message) => self.send(node, usize::from(peer.0), link, message),
            Output::CloseLink(peer, link) => {
                let other = usize::from(peer.0);
                if self.network.links.get(&(node.min(other), node.max(other))) == Some(&link) {
                    self.break_link(node, other);
                }
            }
            Output::Report(report) => {
                let kind = format!("{report:?}");
                self.count(kind.split('(').next().unwrap_or_default());
                self.say(|| format!("n{node} reports {report:?}"));
                self.nodes[node].reports.push(report);
            }
        }
    }

    fn draw_token(&mut self) -> SessionToken {
        let mut token = [0; 32];
        for piece in token.chunks_mut(8) {
            piece.copy_from_slice(&self.chance.draw().to_be_bytes());
        }
        SessionToken(token)
    }

    fn send(&mut self, from: usize, to: usize, link: LinkId, message: PeerMessage) {
        self.check_vector(from, &message);
        if self.network.links.get(&(from.min(to), from.max(to))) != Some(&link) {
            return;
        }
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let Ok(message) = PeerMessage::decode(&bytes) else {
            return self.violated("a replica's message can't be read".to_owned());
        };
        let (life, wait) = (self.nodes[to].life, self.hop());
        let at = self.network.arrival(Place::Node(from), Place::Node(to), link.0, self.now, self.now + wait);
        self.at(at, Happening::Input { node: to, life, input: Input::Link(ReplicaId(from as u8), link, message) });
    }

    // Disks.

    fn store(&mut self, node: usize, facts: Vec<Arc<Fact>>) {
        for fact in &facts {
            match self.facts.get(&fact.position) {
                Some(known) if known.bytes() != fact.bytes() => {
                    self.violated(format!("two facts at {:?}: {known:?} and {fact:?}", fact.position));
                }
                Some(_) => {}
                None => {
                    if matches!(fact.body, Body::Message(_)) {
                        self.positions.entry((fact.author, fact.key)).or_default().push(fact.position);
                    }
                    self.facts.insert(fact.position, fact.clone());
                }
            }
        }
        let disk = &mut self.nodes[node].disk;
        disk.waiting.extend(facts);
        if disk.under_way.is_empty() {
            self.begin_sync(node);
        }
    }

    fn begin_sync(&mut self, node: usize) {
        let most = if self.now < self.nodes[node].slow_until { self.nodes[node].slow_us } else { self.plan.sync_us };
        let wait = Duration::from_micros(50 + self.chance.below(most));
        let disk = &mut self.nodes[node].disk;
        disk.under_way = std::mem::take(&mut disk.waiting);
        let life = self.nodes[node].life;
        self.after(wait, Happening::Synced { node, life });
    }

    fn on_synced(&mut self, node: usize) {
        if std::mem::take(&mut self.nodes[node].fail_next_sync) {
            self.say(|| format!("n{node}: a sync fails, and the process ends"));
            let wait = self.chance.ms(100..3000);
            self.crash(node);
            return self.after(wait, Happening::Start { node });
        }
        let disk = &mut self.nodes[node].disk;
        let positions: Vec<Position> = disk.under_way.iter().map(|fact| fact.position).collect();
        disk.synced();
        let end = LogIndex(disk.log.len() as u64);
        let more = !disk.waiting.is_empty();
        self.ever.extend(positions.into_iter().map(|position| (node, position)));
        if more {
            self.begin_sync(node);
        }
        self.input(node, Input::Stored(end));
    }

    fn make_room(&mut self, node: usize) {
        if std::mem::take(&mut self.nodes[node].full) {
            self.input(node, Input::DiskRoom(true));
        }
    }

    fn wake(&mut self, node: usize) {
        if std::mem::take(&mut self.nodes[node].frozen) {
            self.say(|| format!("n{node} wakes"));
            let asleep = std::mem::take(&mut self.nodes[node].asleep);
            for happening in asleep {
                self.after(Duration::ZERO, happening);
            }
        }
    }

    /// The facts of a message that are on the first disk: their orders.
    pub(crate) fn copies_of(&self, person: usize, number: usize) -> Vec<lastword_facts::Order> {
        let person = &self.people[person];
        let Some(account) = person.account.as_deref().and_then(AccountId::parse) else { return Vec::new() };
        let positions = self.positions.get(&(account, Key(person.sent[number].key.as_u128()))).into_iter().flatten();
        let there = positions.filter(|&&position| self.nodes[0].disk.has(position));
        there.filter_map(|position| Some(self.facts.get(position)?.order())).collect()
    }

    /// Whether something that an account rests on went with the last disk that had it.
    pub(crate) fn account_is_gone(&self, person: usize) -> bool {
        let Some(account) = self.people[person].account.as_deref().and_then(AccountId::parse) else { return true };
        let matters = |body: &Body| matches!(body, Body::Claim(_) | Body::Confirm(_) | Body::Delete);
        let fact = |position: &Position| self.facts.get(position);
        self.gone.iter().filter_map(fact).any(|fact| fact.author == account && matters(&fact.body))
    }

    /// Whether a message, at any of its positions, went with the last disk that had it.
    pub(crate) fn is_gone(&self, person: usize, number: usize) -> bool {
        let person = &self.people[person];
        let Some(account) = person.account.as_deref().and_then(AccountId::parse) else { return false };
        let identity = (account, Key(person.sent[number].key.as_u128()));
        self.positions.get(&identity).into_iter().flatten().any(|position| self.gone.contains(position))
    }

    // What can be checked at once.

    /// Acknowledged on so many copies means on that many disks.
    fn check_copies(&mut self, connection: ConnectionId, key: Key, stored: u32) {
        let Some(person) = self.connections.get(&connection).map(|connection| connection.person) else { return };
        let Some(account) = self.people[person].account.as_deref().and_then(AccountId::parse) else { return };
        let positions = self.positions.get(&(account, key)).cloned().unwrap_or_default();
        let on_disk = |node: usize| positions.iter().any(|&position| self.ever.contains(&(node, position)));
        let disks = (0..self.nodes.len()).filter(|&node| on_disk(node)).count();
        if (disks as u32) < stored {
            self.violated(format!("person {person} was told {stored} copies of {key:?}, and {disks} disks had it"));
        }
    }

    /// A vector never claims what is not durable.
    fn check_vector(&mut self, node: usize, message: &PeerMessage) {
        let claimed: Vec<Position> = match message {
            PeerMessage::Hello(hello) => hello.vector.iter().collect(),
            PeerMessage::Confirm(changes) => changes.clone(),
            _ => return,
        };
        let disk = &self.nodes[node].disk;
        if let Some(lie) = claimed.iter().find(|&&position| !disk.vector.covers(position)) {
            let lie = format!("n{node} claims {lie:?}, and its disk has not got it");
            self.violated(lie);
        }
    }

    // People.

    pub(crate) fn client(&mut self, person: usize, input: ClientInput) {
        let now = Time(self.now.0);
        self.people[person].machine.handle(now, input);
        while let Some(output) = self.people[person].machine.poll_output() {
            self.client_output(person, output);
        }
    }

    fn client_output(&mut self, person: usize, output: ClientOutput) {
        match output {
            ClientOutput::Dial { replica, epoch } => {
                self.people[person].connections.insert(replica, (epoch, None));
                let wait = self.hop();
                self.after(wait, Happening::DialNode { person, replica, epoch });
            }
            ClientOutput::Send { replica, epoch, request } => self.client_line(person, replica, epoch, request),
            ClientOutput::Close { replica, epoch } => {
                let connection = self.people[person].connections.get(&replica).copied();
                if let Some((current, Some(connection))) = connection
                    && current == epoch
                {
                    self.people[person].connections.remove(&replica);
                    if let Some(state) = self.connections.remove(&connection) {
                        let (node, wait) = (state.node, self.hop());
                        let life = self.nodes[node].life;
                        let (a, b) = (Place::Person(person), Place::Node(node));
                        let at = self.network.arrival(a, b, epoch.0, self.now, self.now + wait);
                        self.at(at, Happening::Input { node, life, input: Input::Closed(connection) });
                    }
                }
            }
            ClientOutput::Done { id, result } => {
                if let Some((since, deed)) = self.people[person].waiting.get(&id).cloned() {
                    let took = self.now.since(since);
                    let outcome = match &result {
                        Ok(_) => "done".to_owned(),
                        Err(error) => error.to_string(),
                    };
                    self.say(|| format!("p{person}: {deed:?}: {outcome} after {} ms", took.as_millis()));
                    self.check_patience(person, &deed, took, result.as_ref().err());
                }
                if let Some(deed) = self.people[person].done(id, result) {
                    self.deed(person, deed, None);
                }
            }
            ClientOutput::Event { number, event } => {
                self.say(|| format!("p{person} sees {event:?}"));
                if let Some(upto) = self.people[person].see(number, event) {
                    self.client(person, ClientInput::Shown { upto });
                }
            }
        }
    }

    /// With a replica that nothing ever happens to, everything is answered in time.
    fn check_patience(&mut self, person: usize, deed: &Deed, took: Duration, error: Option<&lastword_client::Error>) {
        let refused = error.is_some_and(|error| error.code().is_some());
        let late = took > Duration::from_secs(20) || error.is_some() && !refused;
        if late && self.plan.sanctuary.is_some() {
            let text = format!(
                "p{person}: {deed:?} took {} ms ({error:?}), with a healthy replica in reach",
                took.as_millis()
            );
            self.violated(text);
        }
    }

    fn dial_node(&mut self, person: usize, replica: ReplicaIndex, epoch: Epoch) {
        if self.people[person].connections.get(&replica).is_none_or(|&(current, _)| current != epoch) {
            return;
        }
        let node = self.people[person].order[replica.0];
        let (a, b) = (Place::Person(person), Place::Node(node));
        if self.network.is_cut(a, b, self.now) {
            // Nobody answers the dial: the client gives up on it by itself.
            return;
        }
        let wait = self.hop();
        if !self.nodes[node].is_up() {
            return self.after(wait, Happening::Lost { person, replica, epoch });
        }
        let id = ConnectionId(self.next_number());
        let state = Connection { node, person, replica, epoch, unanswered: BTreeMap::new(), last_tag: 0 };
        self.connections.insert(id, state);
        self.people[person].connections.insert(replica, (epoch, Some(id)));
        let life = self.nodes[node].life;
        let at = self.network.arrival(a, b, epoch.0, self.now, self.now);
        self.at(at, Happening::Input { node, life, input: Input::Opened(id) });
        let at = self.network.arrival(b, a, epoch.0, self.now, self.now + wait);
        self.at(at, Happening::Connected { person, replica, epoch });
    }

    fn client_line(&mut self, person: usize, replica: ReplicaIndex, epoch: Epoch, request: Request) {
        let Some(&(current, Some(connection))) = self.people[person].connections.get(&replica) else { return };
        let Some(state) = self.connections.get(&connection).filter(|_| current == epoch) else { return };
        let (node, wait) = (state.node, self.hop());
        let life = self.nodes[node].life;
        // As bytes, there and back.
        let mut bytes = Vec::new();
        request.write_json(&mut bytes);
        let Ok(request) = Request::from_json(&bytes) else {
            return self.violated("a client's line can't be read".to_owned());
        };
        let (a, b) = (Place::Person(person), Place::Node(node));
        let at = self.network.arrival(a, b, epoch.0, self.now, self.now + wait);
        self.at(at, Happening::Line { node, life, connection, request });
    }

    fn on_line(&mut self, node: usize, connection: ConnectionId, request: Request) {
        let Some(state) = self.connections.get_mut(&connection) else { return };
        let shape = Shape::of(&request.op);
        match wire::request(request.op, &self.nodes[node].wire.seen_key) {
            Ok(core_request) => {
                state.last_tag += 1;
                let tag = Tag(state.last_tag);
                state.unanswered.insert(tag, (request.id, shape));
                self.input(node, Input::Request(connection, tag, core_request));
            }
            Err(refusal) => self.violated(format!("a client asked for nonsense: {refusal}")),
        }
    }

    fn tell(&mut self, connection: ConnectionId, mut line: Vec<u8>) {
        let Some(state) = self.connections.get(&connection) else { return };
        let (node, person, replica, epoch) = (state.node, state.person, state.replica, state.epoch);
        line.pop();
        let wait = self.hop();
        let (a, b) = (Place::Node(node), Place::Person(person));
        let at = self.network.arrival(a, b, epoch.0, self.now, self.now + wait);
        for byte in &line {
            self.trace_hash = (self.trace_hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.at(at, Happening::Said { person, replica, epoch, line });
    }

    pub(crate) fn deed(&mut self, person: usize, deed: Deed, to_account: Option<String>) {
        let id = self.people[person].begin(self.now, deed.clone());
        let op = self.people[person].op(&deed, to_account);
        self.say(|| format!("p{person}: {deed:?} {}", describe(&op)));
        self.client(person, ClientInput::Command { id, op });
    }

    /// What a person does next, as long as there is trouble.
    fn next_deed(&mut self, person: usize) {
        let over = self.now > self.trouble_until;
        let every = if over { 1000 } else { self.plan.deed_every_ms };
        let wait = self.chance.ms(1..2 * every);
        self.after(wait, Happening::Deed { person });
        let busy = !self.people[person].waiting.is_empty();
        if self.people[person].stage == Stage::LoggedOut && !busy && !self.account_is_gone(person) {
            return self.deed(person, Deed::Login, None);
        }
        if over {
            return;
        }
        match self.people[person].stage {
            Stage::New => {
                self.people[person].stage = Stage::Creating;
                self.deed(person, Deed::Create, None);
            }
            Stage::Chatting if self.people[person].waiting.len() < 50 => {
                if self.plan.deletes && self.chance.per_mille(10) {
                    self.people[person].stage = Stage::Deleting;
                    return self.deed(person, Deed::Delete, None);
                }
                if self.chance.per_mille(50) {
                    return self.deed(person, Deed::Look, None);
                }
                self.write(person);
            }
            _ => {}
        }
    }

    /// Writes to somebody: mostly an answer to what he wrote last.
    fn write(&mut self, person: usize) {
        let known: Vec<usize> = (0..self.people.len()).filter(|&other| self.people[other].account.is_some()).collect();
        let last = self.people[person].shown.last().map(|shown| (shown.from, shown.number));
        let answers = last.filter(|_| self.chance.per_mille(600));
        let Some(to) = answers.map(|(from, _)| from).or_else(|| self.chance.pick(&known).copied()) else { return };
        let Some(to_account) = self.people.get(to).and_then(|other| other.account.clone()) else { return };
        let key = self.draw_key(self.people[person].clock_offset_ms);
        let session = self.people[person].logged_out;
        let sent = &mut self.people[person].sent;
        sent.push(SentMessage { key, to, answers, acknowledged: None, given_up: false, session });
        let number = sent.len() - 1;
        self.deed(person, Deed::Send(number), Some(to_account));
    }
}

/// A request, without what is secret.
fn describe(op: &Op) -> String {
    match op {
        Op::Send { key, .. } => format!("{key}"),
        Op::Create { name, .. } => name.clone(),
        _ => op.name().to_owned(),
    }
}
