//! How fast it is. `cargo test -p lastword-store --test measure -- --ignored --nocapture --test-threads 1`
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Draft, Feed, at, data, key, some_fact};
use lastword_facts::Fact;
use lastword_facts::ids::{AccountId, LogIndex, Seq};
use lastword_facts::views::{Change, Query};
use lastword_store::{Log, LogReader, Views};

const TEXT: &str = "A message of one hundred and forty bytes, as people write them: some words, a bit of \
     gossip, a question at the end, and then the name of a pub?";

fn rate(n: u64, took: Duration) -> String {
    format!(
        "{n} in {took:.2?}: {:.0} a second, {:.2} µs each",
        n as f64 / took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / n as f64
    )
}

/// A message of one of many conversations.
fn message(n: u64, people: u64) -> Arc<Fact> {
    let person = |n: u64| {
        let mixed = u128::from(n).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834);
        AccountId(mixed ^ mixed >> 61)
    };
    let from = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let draft = Draft {
        from: person(from % people),
        to: person((from / people) % people),
        key: key(n / 50, u128::from(n)),
        text: TEXT,
        ..Draft::new(n)
    };
    draft.fact(at(1, n))
}

#[test]
#[ignore = "takes its time"]
fn append_in_batches_of_128() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    let facts: Vec<_> = (1..=200_000).map(|n| message(n, 1000)).collect();
    let start = Instant::now();
    let mut each = Vec::new();
    for batch in facts.chunks(128) {
        let start = Instant::now();
        log.append(batch).unwrap();
        each.push(start.elapsed());
    }
    println!("append: {}", rate(facts.len() as u64, start.elapsed()));
    each.sort();
    println!(
        "  a batch: p50 {:.2?}, p99 {:.2?}, worst {:.2?}",
        each[each.len() / 2],
        each[each.len() * 99 / 100],
        each[each.len() - 1]
    );
    let reader = LogReader::open(&dir).unwrap();
    let start = Instant::now();
    for n in 0..100 {
        reader.facts(at(1, 1 + n * 1999), Seq(u64::MAX >> 1), 1 << 20).unwrap();
    }
    println!("  a pull of 1 MiB: {:.2?}", start.elapsed() / 100);
    drop(log);
    let start = Instant::now();
    Log::open(&dir).unwrap();
    println!("  open: {:.2?}", start.elapsed());
}

#[test]
#[ignore = "takes its time"]
fn apply_messages() {
    for (deliver, name) in [(false, "nobody is there"), (true, "everybody is there")] {
        let (_parent, dir) = data();
        let mut feed = Feed::new(&dir);
        let mut took = Duration::ZERO;
        let (mut seq, mut n) = (0, 0);
        for _ in 0..30 {
            let mut changes = Vec::new();
            for i in 0..10_000 {
                n += 1;
                let fact = message(n, 1000);
                changes.push((fact.position, Change::Message(fact.clone())));
                // Each receiver's confirms are gathered to a few.
                if deliver && i % 10 == 9 {
                    let lastword_facts::Body::Message(message) = &fact.body else { unreachable!() };
                    seq += 1;
                    changes.push((at(2, seq), Change::Delivered { account: message.to, upto: vec![fact.position] }));
                }
            }
            feed.append(changes.iter());
            let start = Instant::now();
            for (position, change) in changes {
                feed.apply(position, 1, change);
            }
            feed.views.commit().unwrap();
            took += start.elapsed();
        }
        println!("apply and commit by 10,000, {name}: {}", rate(n, took));
        let start = Instant::now();
        drop(feed);
        let mut views = Views::open(&dir, LogIndex(u64::MAX), 0).unwrap();
        println!("  open: {:.2?}", start.elapsed());
        let start = Instant::now();
        views.snapshot(0, 100_000).unwrap();
        println!("  snapshot of 100,000 keys: {:.2?}", start.elapsed());
    }
}

/// One account with a great deal waiting, which comes and takes it a page at a time.
#[test]
#[ignore = "takes its time"]
fn empty_a_large_inbox() {
    const WAITING: u64 = 100_000;
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    for n in 1..=WAITING {
        feed.message(&some_fact(at(1, n)));
    }
    feed.views.commit().unwrap();
    let start = Instant::now();
    let mut after = LogIndex::NONE;
    for page in 1..=WAITING / 250 {
        let query = Query::Inbox { account: common::BOB, after, limit: 250, bytes: u32::MAX };
        after = common::messages(feed.views.query(&query).unwrap()).0[249].index;
        feed.apply(at(2, page), 1, Change::Delivered { account: common::BOB, upto: vec![at(1, page * 250)] });
    }
    feed.views.commit().unwrap();
    println!("an inbox of {WAITING} by 250: {:.2?}", start.elapsed());
    assert!(feed.inbox(common::BOB).is_empty());
}
