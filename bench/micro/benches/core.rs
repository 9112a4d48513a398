//! The core's step: a message from its request to its answer, in a group of one, with few accounts and with a
//! million.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use lastword_core::io::{ConnectionId, Output, Receiver, ReplicaId, Request, Tag};
use lastword_core::{Config, Core, Input, Mono, Now, Settings};
use lastword_facts::ids::{Incarnation, LogIndex, Order, Position, Seq, Stamp};
use lastword_facts::token::{SessionToken, TokenHash};
use lastword_facts::views::{AccountRecord, ClaimRecord, SessionRecord, Snapshot};
use lastword_micro::{TEXT, account, key};

const CONNECTION: ConnectionId = ConnectionId(1);

fn now() -> Now {
    Now { mono: Mono(Duration::ZERO), wall_us: 1_700_000_000_000_000 }
}

fn token(n: u64) -> TokenHash {
    let mut token = [0; 32];
    token[..8].copy_from_slice(&n.to_be_bytes());
    SessionToken(token).hash()
}

/// An account with its name and a session, as the views would hand it over.
fn record(n: u64) -> AccountRecord {
    let position = Position { incarnation: Incarnation(1), seq: Seq(n + 1) };
    let order = Order { stamp: Stamp(n + 1), incarnation: Incarnation(1) };
    AccountRecord {
        id: account(n),
        name: format!("user{n}"),
        claims: vec![ClaimRecord { position, order, confirmed: true, withdrawn: false }],
        first_password: "$argon2id$".to_owned(),
        password: None,
        changes: Vec::new(),
        ended: Vec::new(),
        sessions: vec![SessionRecord { order, token: token(n), password: None, last_used_ms: None, used: order }],
        deleted: false,
        rehashes: Vec::new(),
    }
}

/// A core with so many accounts, and the first of them logged in.
fn core(accounts: u64) -> Core {
    let end = Position { incarnation: Incarnation(1), seq: Seq(accounts) };
    let snapshot = Snapshot {
        index: LogIndex(accounts),
        vector: std::iter::once(end).collect(),
        stamp: Stamp(accounts),
        accounts: (0..accounts).map(record).collect(),
        ..Snapshot::default()
    };
    let incarnation = Incarnation(2);
    let config = Config { own: ReplicaId(0), replicas: 1, group: 1, incarnation, settings: Settings::default() };
    let mut core = Core::new(config, snapshot, now());
    core.handle(now(), Input::Timer);
    core.handle(now(), Input::Opened(CONNECTION));
    core.handle(now(), Input::Request(CONNECTION, Tag(0), Request::Resume { token: token(0), seen: None }));
    carry_out(&mut core);
    core
}

/// Does what the core wants done, until it wants no more; how many answers there were.
fn carry_out(core: &mut Core) -> u32 {
    let mut answers = 0;
    while let Some(output) = core.poll_output() {
        match output {
            Output::Store(first, facts) => {
                let end = LogIndex(first.0 + facts.len() as u64 - 1);
                core.handle(now(), Input::Stored(end));
            }
            Output::Query(job, query) => {
                let found = match query {
                    lastword_facts::views::Query::Known { .. } => lastword_facts::views::Found::Known(None),
                    _ => lastword_facts::views::Found::Count(0),
                };
                core.handle(now(), Input::Found(job, found));
            }
            Output::Answer(_, _, Ok(_)) => answers += 1,
            Output::Answer(_, _, Err(refusal)) => panic!("{refusal:?}"),
            _ => {}
        }
    }
    answers
}

fn step(criterion: &mut Criterion) {
    for (accounts, name) in [(10, "a message, 10 accounts"), (1_000_000, "a message, 1,000,000 accounts")] {
        let mut core = core(accounts);
        let mut n = 0;
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                n += 1;
                let to = Receiver::Name(format!("user{}", n * 7919 % accounts));
                let request = Request::Send { to, text: TEXT.to_owned(), key: key(n) };
                core.handle(now(), Input::Request(CONNECTION, Tag(n), request));
                assert_eq!(carry_out(&mut core), 1);
            });
        });
    }
}

criterion_group!(benches, step);
criterion_main!(benches);
