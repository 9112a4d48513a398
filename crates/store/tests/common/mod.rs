//! Facts and data directories for the tests.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::sync::Arc;

use lastword_facts::fact::Message;
use lastword_facts::ids::{AccountId, Incarnation, Key, LogIndex, Order, Position, Seq, Stamp};
use lastword_facts::views::{AccountRecord, Applied, Change, Found, MessageRecord};
use lastword_facts::{Body, Fact};
use lastword_store::{DataDir, Log, Views};
use tempfile::TempDir;

pub const ALICE: AccountId = AccountId(0xa11ce << 96 | 1);
pub const BOB: AccountId = AccountId(0xb0b << 96 | 2);
pub const CAROL: AccountId = AccountId(0xca201 << 96 | 3);

/// A data directory of its own, removed at the end.
pub fn data() -> (TempDir, DataDir) {
    let parent = tempfile::tempdir().unwrap();
    let dir = DataDir::open(parent.path().join("data")).unwrap();
    (parent, dir)
}

pub fn at(incarnation: u64, seq: u64) -> Position {
    Position { incarnation: Incarnation(incarnation), seq: Seq(seq) }
}

/// A version 7 key of a time.
pub fn key(time_ms: u64, n: u128) -> Key {
    Key(u128::from(time_ms) << 80 | 7 << 76 | n)
}

/// A message; what is not said follows from its position.
#[derive(Clone, Copy)]
pub struct Draft {
    pub from: AccountId,
    pub to: AccountId,
    pub key: Key,
    pub stamp: u64,
    pub text: &'static str,
    pub unwanted: bool,
}

impl Draft {
    pub fn new(n: u64) -> Self {
        Self { from: ALICE, to: BOB, key: key(n, u128::from(n)), stamp: n, text: "hello", unwanted: false }
    }

    pub fn fact(self, position: Position) -> Arc<Fact> {
        let body = Body::Message(Message {
            to: self.to,
            text: self.text.into(),
            at_ms: 1000 + self.stamp,
            unwanted: self.unwanted.then_some(true),
        });
        Arc::new(Fact::new(position, Vec::new(), Stamp(self.stamp), self.from, self.key, body))
    }
}

/// A fact of which only the position counts.
pub fn some_fact(position: Position) -> Arc<Fact> {
    Draft::new(position.seq.0).fact(position)
}

/// Numbers changes as the log does, one after another, and puts their facts into it.
pub struct Feed {
    pub views: Views,
    log: Log,
    index: LogIndex,
}

impl Feed {
    pub fn new(dir: &DataDir) -> Self {
        Self::open(dir, LogIndex(u64::MAX))
    }

    /// On a log that goes so far.
    pub fn open(dir: &DataDir, log_end: LogIndex) -> Self {
        let log = Log::open(dir).unwrap();
        Self::at(log, Views::open(dir, log_end, 0).unwrap())
    }

    pub fn at(log: Log, mut views: Views) -> Self {
        let index = views.snapshot(0, 0).unwrap().index;
        Self { views, log, index }
    }

    /// Puts the facts of changes into the log, which are applied after that.
    pub fn append<'changes>(&mut self, changes: impl Iterator<Item = &'changes (Position, Change)>) {
        let fact = |(position, change): &(Position, Change)| match change {
            Change::Message(fact) => fact.clone(),
            _ => some_fact(*position),
        };
        self.log.append(&changes.map(fact).collect::<Vec<_>>()).unwrap();
    }

    pub fn apply(&mut self, position: Position, stamp: u64, change: Change) {
        self.index = self.index.next();
        if self.index > self.log.end() {
            self.append(std::iter::once(&(position, change.clone())));
        }
        self.views.apply(&[Applied { index: self.index, position, stamp: Stamp(stamp), change }]).unwrap();
    }

    pub fn message(&mut self, fact: &Arc<Fact>) {
        self.apply(fact.position, fact.stamp.0, Change::Message(fact.clone()));
    }

    pub fn delivered(&mut self, position: Position, account: AccountId, upto: &[Position]) {
        self.apply(position, 1, Change::Delivered { account, upto: upto.to_vec() });
    }

    pub fn inbox(&mut self, account: AccountId) -> Vec<MessageRecord> {
        let query =
            lastword_facts::views::Query::Inbox { account, after: LogIndex::NONE, limit: 10_000, bytes: u32::MAX };
        messages(self.views.query(&query).unwrap()).0
    }

    pub fn history(&mut self, one: AccountId, other: AccountId) -> Vec<MessageRecord> {
        let query = lastword_facts::views::Query::History { one, other, before: None, limit: 10_000, bytes: u32::MAX };
        messages(self.views.query(&query).unwrap()).0
    }

    /// The last messages of an account's conversations, and whether there are more.
    pub fn conversations(&mut self, account: AccountId, limit: u32) -> (Vec<MessageRecord>, bool) {
        self.conversations_before(account, None, limit)
    }

    /// Those that go on below a message of this order.
    pub fn conversations_before(
        &mut self,
        account: AccountId,
        before: Option<Order>,
        limit: u32,
    ) -> (Vec<MessageRecord>, bool) {
        messages(
            self.views
                .query(&lastword_facts::views::Query::Conversations { account, before, limit, bytes: u32::MAX })
                .unwrap(),
        )
    }
}

pub fn messages(found: Found) -> (Vec<MessageRecord>, bool) {
    match found {
        Found::Messages { messages, more } => (messages, more),
        other => panic!("{other:?}"),
    }
}

pub fn account(id: AccountId, deleted: bool) -> Box<AccountRecord> {
    Box::new(AccountRecord {
        id,
        name: format!("name-{}", id.short()),
        claims: Vec::new(),
        first_password: "$argon2id$".into(),
        password: None,
        sessions: Vec::new(),
        deleted,
        rehashes: Vec::new(),
        changes: Vec::new(),
        ended: Vec::new(),
    })
}

/// Appends one fact of incarnation 1 for each seq.
pub fn fill(log: &mut Log, seqs: std::ops::RangeInclusive<u64>) -> Vec<Arc<Fact>> {
    let facts: Vec<_> = seqs.map(|seq| some_fact(at(1, seq))).collect();
    log.append(&facts).unwrap();
    facts
}
