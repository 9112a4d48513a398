//! What happens when: one queue of happenings, on virtual time.

mod disks;
pub(crate) mod guests;
mod people;
mod replicas;
mod strange;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use lastword_client::machine::{Epoch, Input as ClientInput, Output as ClientOutput, ReplicaIndex, Time};
use lastword_core::io::{
    Answer, ConnectionId, Event as CoreEvent, Fit, LinkId, Output, Password, ReplicaId, Report, Tag,
};
use lastword_core::{Config, Core, Input, Mono, PeerMessage, Settings};
use lastword_facts::ids::{Incarnation, LogIndex, Order, Position, Stamp};
use lastword_facts::token::{SessionToken, TokenHash};
use lastword_facts::views::{Found, Query};
use lastword_facts::{AccountId, Body, Fact, Key, VersionVector};
use lastword_marks::{Bug, planted};
use lastword_protocol::event::Event as WireEvent;
use lastword_protocol::{Op, Request, RequestId, ServerLine, Uuid};
use lastword_server::wire::{self, Shape, Wire};
use lastword_server::{Address, Group, Options};

use crate::chance::Chance;
use crate::checkers;
use crate::digest::Digest;
use crate::disk::Survives;
use crate::network::{Network, Place, pair};
use crate::node::Node;
use crate::person::{Deed, Person, SentMessage, Stage};
use crate::plan::Plan;

/// Between two looks at what each log covers.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A client's connection, as its replica sees it.
pub(crate) struct Connection {
    pub(crate) node: usize,
    pub(crate) person: usize,
    client: u64,
    replica: ReplicaIndex,
    epoch: Epoch,
    pub(crate) unanswered: BTreeMap<Tag, Asked>,
    last_tag: u64,
    /// The session that it is logged in with; and the one that it has asked to resume.
    pub(crate) token: Option<TokenHash>,
    resumes: Option<TokenHash>,
    /// The latest token that it was given of what its replica has seen.
    pub(crate) seen: Stamp,
    /// Messages that were answered on fewer than all.
    pub(crate) uncovered: Vec<Key>,
    /// The place in the log of the last message that it was sent, since it last asked to listen.
    pub(crate) shown_upto: LogIndex,
}

/// A request that is not answered.
pub(crate) struct Asked {
    id: RequestId,
    shape: Shape,
    pub(crate) at: Mono,
    pub(crate) what: &'static str,
    /// A create is under way on the connection: what comes after that waits for it.
    pub(crate) after_create: bool,
    /// To whom a message is to go.
    pub(crate) to: Option<AccountId>,
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
        /// Of the client that this belongs to.
        client: u64,
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
        /// Of the client that this belongs to.
        client: u64,
        replica: ReplicaIndex,
        epoch: Epoch,
    },
    Lost {
        person: usize,
        /// Of the client that this belongs to.
        client: u64,
        replica: ReplicaIndex,
        epoch: Epoch,
    },
    Said {
        person: usize,
        /// Of the client that this belongs to.
        client: u64,
        replica: ReplicaIndex,
        epoch: Epoch,
        line: Vec<u8>,
    },
    Deed {
        person: usize,
    },
    /// A person looks at what his client has shown him.
    Look {
        person: usize,
        life: u64,
        upto: lastword_client::machine::EventNumber,
    },
    /// Trouble.
    Fault,
    Start {
        node: usize,
    },
    Crash {
        node: usize,
    },
    Die {
        node: usize,
        life: u64,
    },
    Flap {
        one: usize,
        other: usize,
        until: Mono,
    },
    /// A fact of a newer version comes to a replica.
    Strange {
        node: usize,
    },
    /// What each log covers is noted.
    Sample,
    Wake {
        node: usize,
    },
    Room {
        node: usize,
    },
    /// Somebody comes who has no client of ours.
    Guest,
}

/// A block or an unblock: in which order, whether it is a block, and where it was written.
pub(crate) type SaidOfBlocking = (Order, bool, Position);

/// A group, its people, and everything between them.
pub(crate) struct World {
    pub(crate) now: Mono,
    pub(crate) plan: Plan,
    /// Replicas look every few seconds at who uses his session, and note it. In some seeds only, which are none of
    /// those that failed once: they are to show what they showed.
    pub(crate) watches_sessions: bool,
    /// Replicas take little at a time, and little for each account: much is to come later. In some other such seeds.
    pub(crate) is_tight: bool,
    /// Guests come (`guests`). In some other such seeds.
    pub(crate) has_guests: bool,
    pub(crate) guests: guests::Guests,
    pub(crate) chance: Chance,
    queue: BTreeMap<(Mono, u64), Happening>,
    number: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) people: Vec<Person>,
    pub(crate) network: Network,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    pub(crate) trouble_until: Mono,
    /// Until when people write.
    pub(crate) load_until: Mono,
    pub(crate) healed: bool,
    /// Everything that was ever handed to a disk, by position: never two facts at one.
    pub(crate) facts: BTreeMap<Position, Arc<Fact>>,
    /// By which replica, and when, a fact was handed to a disk first.
    pub(crate) made: BTreeMap<Position, (usize, Mono)>,
    /// By identity: the positions, of messages.
    pub(crate) positions: BTreeMap<(AccountId, Key), Vec<Position>>,
    /// What an answer rested on where it was made.
    pub(crate) rests_on: BTreeMap<Position, Position>,
    pub(crate) deletions: BTreeMap<AccountId, Vec<Position>>,
    /// Of each pair, what the one has said of blocking the other.
    pub(crate) blocks: BTreeMap<(AccountId, AccountId), Vec<SaidOfBlocking>>,
    /// Messages that were taken in where a block of their author was known, and where none was.
    pub(crate) unwanted: BTreeSet<(AccountId, Key)>,
    pub(crate) wanted: BTreeSet<(AccountId, Key)>,
    /// Who was told that an account is made: which, where and when.
    pub(crate) created: Vec<(AccountId, usize, Mono)>,
    /// Positions that went with the last disk that had them, by no fault of the replicas.
    pub(crate) gone: BTreeSet<Position>,
    /// Positions that were on a disk, by node, and since when.
    pub(crate) synced: BTreeMap<(usize, Position), Mono>,
    /// Positions that were on a disk that was emptied, or replaced by an older copy.
    pub(crate) taken: BTreeSet<Position>,
    /// Positions whose record was damaged on some disk.
    pub(crate) hurt: BTreeSet<Position>,
    /// Positions that were filled with a lost fact.
    pub(crate) lost: BTreeSet<Position>,
    /// For a planted bug: what each replica has ever confirmed.
    confirmed: Vec<VersionVector>,
    pub(crate) violations: Vec<String>,
    pub(crate) events: u64,
    trace: Option<String>,
    pub(crate) digest: Digest,
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
                options.key = Some([7; 32].into());
                Node::new(Wire::new(Group::new(&options).expect("a good list")))
            })
            .collect();
        let mut world = Self {
            now: Mono(Duration::from_secs(1)),
            trouble_until: Mono(Duration::from_millis(2_000 + plan.trouble_ms)),
            load_until: Mono(Duration::from_millis(2_000 + plan.trouble_ms + plan.steady_ms)),
            healed: false,
            plan,
            watches_sessions: seed.is_multiple_of(7),
            is_tight: seed.is_multiple_of(11),
            has_guests: seed % 8 == 3,
            guests: guests::Guests::default(),
            chance,
            queue: BTreeMap::new(),
            number: 0,
            nodes,
            people: Vec::new(),
            network: Network::default(),
            connections: BTreeMap::new(),
            facts: BTreeMap::new(),
            made: BTreeMap::new(),
            positions: BTreeMap::new(),
            rests_on: BTreeMap::new(),
            deletions: BTreeMap::new(),
            blocks: BTreeMap::new(),
            unwanted: BTreeSet::new(),
            wanted: BTreeSet::new(),
            created: Vec::new(),
            gone: BTreeSet::new(),
            synced: BTreeMap::new(),
            taken: BTreeSet::new(),
            hurt: BTreeSet::new(),
            lost: BTreeSet::new(),
            confirmed: Vec::new(),
            violations: Vec::new(),
            events: 0,
            trace: tracing.then(String::new),
            digest: Digest::of(seed),
            counts: BTreeMap::new(),
        };
        for one in 0..world.nodes.len() {
            (one + 1..world.nodes.len()).for_each(|other| world.network.parted((one, other), Mono::default()));
        }
        if let Some((one, other)) = world.plan.apart {
            world.network.refused.insert(pair(one, other), world.trouble_until);
        }
        if world.plan.slow_third {
            (world.nodes[2].slow_until, world.nodes[2].slow_us) = (world.trouble_until, 3_000_000);
        }
        for node in 0..world.nodes.len() {
            let skew = world.chance.below(20_000_000) as i64 - 10_000_000;
            world.nodes[node].clock.jump(if world.plan.skewed { skew } else { 0 });
        }
        world.confirmed = vec![VersionVector::new(); world.nodes.len()];
        for node in 0..world.nodes.len() {
            world.start(node);
            world.after(Duration::from_secs(2), Happening::Strange { node });
        }
        for number in 0..world.plan.people {
            world.meet(number);
        }
        let first = world.chance.ms(1..2 * world.plan.fault_every_ms);
        world.after(Duration::from_secs(1) + first, Happening::Fault);
        world.after(LOOK_EVERY, Happening::Sample);
        if world.has_guests {
            world.after(LOOK_EVERY, Happening::Guest);
        }
        world
    }

    fn meet(&mut self, number: usize) {
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        for n in (1..order.len()).rev() {
            let other = self.chance.below(n as u64 + 1) as usize;
            order.swap(n, other);
        }
        // Where names are crowded, three people come at the same moment and want the same name.
        let crowd = (number / 3) as u64;
        let name = if self.plan.crowded_names { format!("Sam{crowd}") } else { format!("person{number}") };
        let key = self.draw_key(0);
        let mut person = Person::new(number, order, name, key);
        person.never_confirms = self.chance.per_mille(50);
        person.slow = self.chance.per_mille(200);
        if self.chance.per_mille(200) {
            person.clock_offset_ms = self.chance.below(2_000_000_000_000) as i64 - 1_000_000_000_000;
        }
        self.people.push(person);
        self.client(number, ClientInput::Timer);
        let together = Duration::from_micros(self.chance.below(2 * self.plan.hop_us));
        let comes = Duration::from_millis(1000 + crowd * self.plan.trouble_ms / 3) + together;
        let wait = if self.plan.crowded_names { comes } else { self.chance.ms(0..500) };
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
        // Or one that lies about its time, by more than any clock here is wrong.
        let ms = if self.chance.per_mille(20) { ms + 400 * 365 * 24 * 3_600_000 } else { ms };
        Uuid::from_u128(((ms.max(0) as u128) << 80) | (version << 76) | random)
    }

    fn hop(&mut self) -> Duration {
        let most = if self.now < self.network.slow_until { 400_000 } else { self.plan.hop_us };
        Duration::from_micros(50 + self.chance.below(most))
    }

    // Time.

    pub(crate) fn run_until(&mut self, end: Mono) {
        while self.step(end) && self.violations.is_empty() {}
        if self.violations.is_empty() {
            self.now = self.now.max(end);
        }
    }

    fn step(&mut self, end: Mono) -> bool {
        let awake = self.nodes.iter().enumerate().filter(|(_, node)| !node.frozen && node.is_up());
        let node = awake.filter_map(|(n, node)| Some((node.wake?, n))).min();
        let people = self.people.iter_mut().enumerate();
        let person =
            people.filter_map(|(n, person)| Some((person.client_began + person.machine.poll_timeout()?.0, n))).min();
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

    /// Notes what each log covers.
    fn sample(&mut self) {
        self.after(LOOK_EVERY, Happening::Sample);
        for node in self.nodes.iter_mut().filter(|node| node.is_up()) {
            node.covered.push_back((self.now, node.disk.vector.clone()));
            if node.covered.len() > 20 {
                node.covered.pop_front();
            }
        }
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
            // What belongs to a client that was killed is void.
            Happening::DialNode { person, client, .. }
            | Happening::Connected { person, client, .. }
            | Happening::Lost { person, client, .. }
            | Happening::Said { person, client, .. }
                if self.people[person].life != client => {}
            Happening::DialNode { person, replica, epoch, .. } => self.dial_node(person, replica, epoch),
            Happening::Connected { person, replica, epoch, .. } => {
                self.client(person, ClientInput::Connected { replica, epoch });
            }
            Happening::Lost { person, replica, epoch, .. } => self.client(person, ClientInput::Lost { replica, epoch }),
            Happening::Said { person, replica, epoch, line, .. } => match ServerLine::from_json(&line) {
                Ok(line) => self.client(person, ClientInput::Line { replica, epoch, line }),
                Err(error) => self.violated(format!("a server's line can't be read: {error}")),
            },
            Happening::Deed { person } => self.next_deed(person),
            Happening::Look { person, life, upto } => self.look(person, life, upto),
            Happening::Fault => self.trouble(),
            Happening::Start { node } => self.start(node),
            Happening::Crash { node } => self.crash_again(node),
            Happening::Die { node, life } => self.die(node, life),
            Happening::Flap { one, other, until } => self.flap(one, other, until),
            Happening::Strange { node } => self.strange(node),
            Happening::Sample => self.sample(),
            Happening::Wake { node } => self.wake(node),
            Happening::Room { node } => self.make_room(node),
            Happening::Guest => self.guest(),
            Happening::Input { .. } | Happening::Synced { .. } | Happening::Line { .. } => {}
        }
    }
}
