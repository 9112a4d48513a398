//! What happens when: one queue of happenings, on virtual time.

mod disks;
mod people;
mod replicas;

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
}
