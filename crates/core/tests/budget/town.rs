//! A group of two replicas that hold as much as a few clients could make them hold, and who is connected.

use std::sync::Arc;
use std::time::Duration;

use lastword_core::Settings;
use lastword_core::io::{Answer, ConnectionId, Password, Request};
use lastword_facts::fact::{Block, Claim, Message, Password as Change, Session, Verdict};
use lastword_facts::ids::{Incarnation, Key, Order, Position, Seq, Stamp};
use lastword_facts::token::{SessionToken, TokenHash};
use lastword_facts::{AccountId, Body, Fact};

use crate::world::{World, send};

/// Accounts in all.
pub const ACCOUNTS: usize = 10_000;
/// People about whom alice has said something, at least as many as are remembered; those of them whom she blocks, the last
/// ones: there may be one more.
pub const SAID: usize = 4000;
pub const BLOCKED: usize = 999;
/// Messages that wait for bob, all from one writer: more than are known singly on a connection.
pub const WAITING: usize = 5000;
/// Messages that may wait for somebody, of whom carol has as many, from many people.
const MAILBOX: u64 = 6000;
/// Messages that wait for carol, and how many people wrote them.
const OF_EACH: usize = 150;
const SENDERS: usize = 40;
/// Connections of one account, on all of its sessions, and those of them that listen.
pub const CONNECTIONS: usize = 9000;
pub const SESSIONS: usize = 64;
const LISTENERS: usize = 16;
/// Connections that watch alice.
pub const WATCHERS: usize = 600;
/// All sessions are looked at this often.
pub const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Who wrote what the replicas have.
const GONE: Incarnation = Incarnation(99);
/// Changes of a password: those of a month.
const CHANGES: u64 = 600;

/// The replicas, and who is connected to the first one.
#[derive(Clone)]
pub struct Town {
    pub world: World,
    /// She blocks as many as she may, but for one. Others watch her. She does not listen.
    pub alice: ConnectionId,
    /// Many messages wait for bob. He does not listen yet.
    pub bob: ConnectionId,
    /// Whoever wrote those; one of 16 connections that listen.
    pub writer: ConnectionId,
    /// One of many connections of an account that has all sessions it may have, each with a connection.
    pub crowd: ConnectionId,
    /// Others of these, each alone with its session: most have that of `crowd`.
    pub seldom: Vec<ConnectionId>,
    /// An account that has changed its password many times.
    pub fickle: ConnectionId,
    /// Without a login.
    pub stranger: ConnectionId,
}

/// The first accounts have names of their own.
const NAMED: [&str; 6] = ["alice", "bob", "writer", "crowd", "fickle", "carol"];

pub fn name(number: usize) -> String {
    NAMED.get(number).map_or_else(|| format!("person{number:05}"), |&name| name.to_owned())
}

pub fn account(number: usize) -> AccountId {
    AccountId::of_create(Key(number as u128), &name(number))
}

/// A session of an account.
pub fn token(account: usize, session: usize) -> TokenHash {
    let mut token = [0; 32];
    token[..8].copy_from_slice(&(account as u64).to_be_bytes());
    token[8..16].copy_from_slice(&(session as u64).to_be_bytes());
    SessionToken(token).hash()
}

/// What the replicas have on disk: all of it written by one that is gone.
struct Log {
    facts: Vec<Arc<Fact>>,
}

impl Log {
    fn order(&self) -> Order {
        Order { stamp: Stamp(self.facts.len() as u64), incarnation: GONE }
    }

    fn push(&mut self, author: usize, body: Body) -> Position {
        let seq = self.facts.len() as u64 + 1;
        let position = Position { incarnation: GONE, seq: Seq(seq) };
        // Of long ago, so they are among the first that are forgotten; and each is another one.
        let key = Key((1_600_000_000_000 << 80) | (7 << 76) | u128::from(seq));
        self.facts.push(Arc::new(Fact::new(position, Vec::new(), Stamp(seq), account(author), key, body)));
        position
    }

    fn message(&mut self, from: usize, to: usize, text: &str) {
        let message = Message { to: account(to), text: text.to_owned(), at_ms: 1_600_000_000_000, unwanted: None };
        self.push(from, Body::Message(message));
    }

    fn filled() -> Self {
        let mut log = Self { facts: Vec::new() };
        let hash = || "hash of secret v1".to_owned();
        for number in 0..ACCOUNTS {
            let claim = Claim { name: name(number), password: hash(), at_ms: 1_600_000_000_000 };
            let claim = log.push(number, Body::Claim(claim));
            log.push(number, Body::Confirm(Verdict { claim, name: name(number) }));
        }
        for who in 0..NAMED.len() {
            for session in 0..SESSIONS {
                let session = Session { token: token(who, session), password: None, at_ms: Some(1_700_000_000_000) };
                log.push(who, Body::Session(session));
            }
        }
        for number in 0..SAID {
            log.push(0, Body::Block(Block { whom: account(100 + number), on: number >= SAID - BLOCKED }));
        }
        let mut replaces = log.facts.iter().find(|fact| fact.author == account(4)).map(|fact| fact.order());
        for known in 0..CHANGES {
            let password = format!("hash of {} v1", if known + 1 == CHANGES { "secret" } else { "another" });
            let keep = Some(token(4, 0));
            log.push(4, Body::Password(Change { password, keep, replaces, known: Some(known) }));
            replaces = Some(log.order());
        }
        let long = "x".repeat(1024);
        (0..WAITING).for_each(|_| log.message(2, 1, &long));
        for sender in 0..SENDERS {
            (0..OF_EACH).for_each(|_| log.message(5000 + sender, 5, "x"));
        }
        // As many conversations as a page may have, and one with the crowd, who watch her.
        (0..200).for_each(|number| log.message(0, 6000 + number, &long[..300]));
        log.message(0, 3, "hello");
        log
    }
}

impl Town {
    pub fn new(settings: Settings) -> Self {
        let mut world = World::of_group(2, 2, Settings { mailbox: MAILBOX, sweep_every: SWEEP_EVERY, ..settings });
        let log = Log::filled().facts;
        for node in [0, 1] {
            world.kill(node);
        }
        world.run(100);
        for node in [0, 1] {
            world.nodes[node].log = log.clone();
            world.start(node);
        }
        world.run(3000);
        let enter = |world: &mut World, who: usize, session: usize| {
            let connection = world.connect(0);
            let resumed = world.call(connection, Request::Resume { token: token(who, session), seen: None });
            assert!(matches!(resumed, Ok(Answer::LoggedIn { .. })), "{}: {resumed:?}", name(who));
            connection
        };
        let [alice, bob, writer] = [0, 1, 2].map(|who| enter(&mut world, who, 0));
        let fickle = enter(&mut world, 4, 0);
        // Most have the newest session; those of the others come last.
        let crowd: Vec<ConnectionId> = (0..CONNECTIONS)
            .map(|n| enter(&mut world, 3, n.checked_sub(CONNECTIONS - SESSIONS).unwrap_or(SESSIONS - 1)))
            .collect();
        let mut writers = vec![writer];
        writers.extend((1..LISTENERS).map(|_| enter(&mut world, 2, 0)));
        for &connection in crowd[..LISTENERS].iter().chain(&writers) {
            world.call(connection, Request::Listen).expect("listens");
        }
        for &watcher in &crowd[..WATCHERS] {
            world.call(watcher, Request::Conversations { limit: 200, before: None }).expect("conversations");
        }
        let stranger = world.connect(0);
        world.run(2000);
        world.events.clear();
        Self {
            world,
            alice,
            bob,
            writer,
            crowd: crowd[0],
            seldom: crowd[CONNECTIONS - SESSIONS..CONNECTIONS - 1].to_vec(),
            fickle,
            stranger,
        }
    }

    /// Asks, and lets everything happen that comes of it.
    pub fn ask(&mut self, connection: ConnectionId, request: Request) -> Result<Answer, lastword_core::io::Refusal> {
        let answer = self.world.call(connection, request);
        self.world.run(300);
        answer
    }

    /// One more connection of an account.
    pub fn enter(&mut self, who: usize) -> ConnectionId {
        let connection = self.world.connect(0);
        self.ask(connection, Request::Resume { token: token(who, 0), seen: None }).expect("the session is good");
        connection
    }

    /// A `send` with a new key.
    pub fn send(&mut self, to: &str, text: &str) -> Request {
        let key = self.world.key();
        send(to, text, key)
    }
}

pub fn secret() -> Password {
    Password("secret".to_owned())
}
