//! What the views say does not depend on the order in which facts were applied.

mod common;

use common::{ALICE, BOB, CAROL, Draft, Feed, account, at, data, key, messages};
use lastword_facts::ids::{AccountId, Key, Position};
use lastword_facts::views::{Change, MessageRecord, Query};
use proptest::prelude::*;

const PEOPLE: [AccountId; 3] = [ALICE, BOB, CAROL];
const TEXTS: [&str; 3] = ["one", "two", "three"];

/// A fact, yet without a position.
#[derive(Debug, Clone)]
enum Event {
    Message { from: usize, to: usize, key: u64, stamp: u64, text: usize, unwanted: bool },
    Delivered { account: usize, upto: Vec<(u64, u64)> },
    Deleted(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let message = (0..3_usize, 0..3_usize, 0..12_u64, 0..9_u64, 0..3_usize, prop::bool::weighted(0.3)).prop_map(
        |(from, to, key, stamp, text, unwanted)| {
            let unwanted = unwanted && from != to;
            Event::Message { from, to, key, stamp, text, unwanted }
        },
    );
    let delivered = (0..3_usize, prop::collection::vec((0..3_u64, 1..12_u64), 1..3))
        .prop_map(|(account, upto)| Event::Delivered { account, upto });
    prop_oneof![12 => message, 4 => delivered, 1 => (2..3_usize).prop_map(Event::Deleted)]
}

/// Events with the incarnation of each; its seqs follow from the order.
fn placed(events: Vec<(Event, u64)>) -> Vec<(Event, Position)> {
    let mut seqs = [0; 3];
    let place = |(event, incarnation): (Event, u64)| {
        let seq = &mut seqs[incarnation as usize];
        *seq += 1;
        (event, at(incarnation, *seq))
    };
    events.into_iter().map(place).collect()
}

fn apply(feed: &mut Feed, event: &Event, position: Position) {
    match event {
        &Event::Message { from, to, key: n, stamp, text, unwanted } => {
            // As in a real incarnation, stamps rise, and no two facts have the same order.
            let stamp = position.seq.0 * 10 + stamp;
            let key = if n % 3 == 0 { Key(n.into()) } else { key(n, 0) };
            let draft = Draft { from: PEOPLE[from], to: PEOPLE[to], key, stamp, text: TEXTS[text], unwanted };
            feed.message(&draft.fact(position));
        }
        Event::Delivered { account, upto } => {
            let upto: Vec<Position> = upto.iter().map(|&(incarnation, seq)| at(incarnation, seq)).collect();
            feed.delivered(position, PEOPLE[*account], &upto);
        }
        &Event::Deleted(who) => feed.apply(position, 1, Change::Deleted(account(PEOPLE[who], true))),
    }
}

/// All that people can see, with what is this log's own left out.
fn seen(feed: &mut Feed) -> Vec<Vec<String>> {
    let show = |message: &MessageRecord| {
        let MessageRecord { order, author, key, to, text, at_ms, .. } = message;
        format!("{order:?} {author} {key:?} {to} {text} {at_ms}")
    };
    let mut all = Vec::new();
    for one in PEOPLE {
        let mut inbox: Vec<String> = feed.inbox(one).iter().map(show).collect();
        inbox.sort();
        all.push(inbox);
        let outbox =
            feed.views.query(&Query::Outbox { account: one, after: None, limit: 1000, bytes: u32::MAX }).unwrap();
        all.push(messages(outbox).0.iter().map(show).collect());
        for other in PEOPLE {
            all.push(feed.history(one, other).iter().map(show).collect());
        }
        all.push(feed.conversations(one, 9).0.iter().map(show).collect());
    }
    all
}

/// What is asked together is what is asked one by one.
fn conversations_are_the_newest_of_the_histories(feed: &mut Feed, events: &[(Event, Position)]) {
    let is_gone = |who: usize| events.iter().any(|(event, _)| matches!(event, Event::Deleted(gone) if *gone == who));
    for (who, one) in PEOPLE.into_iter().enumerate() {
        if is_gone(who) {
            assert_eq!(feed.conversations(one, 9), (Vec::new(), false), "nobody reads the list of {one}");
            continue;
        }
        let living = PEOPLE.iter().enumerate().filter(|&(who, _)| !is_gone(who));
        let mut newest: Vec<_> = living.filter_map(|(_, &other)| feed.history(one, other).into_iter().next()).collect();
        newest.sort_by_key(|message| std::cmp::Reverse(message.order));
        for limit in 1..=3 {
            let cut = newest[..newest.len().min(limit)].to_vec();
            let more = newest.len() > limit;
            assert_eq!(feed.conversations(one, limit as u32), (cut, more), "of {one}, at most {limit}");
        }
        for (n, last) in newest.iter().enumerate() {
            let rest = &newest[n + 1..];
            let next = (rest[..rest.len().min(1)].to_vec(), rest.len() > 1);
            assert_eq!(feed.conversations_before(one, Some(last.order), 1), next, "of {one}, after {n}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn the_order_of_applying_does_not_matter(
        events in prop::collection::vec((event(), 0..3_u64), 1..40),
        seed in prop::collection::vec(any::<u32>(), 40),
        commit_after in 0..40_usize,
    ) {
        let (_parent, dir) = data();
        let mut feed = Feed::new(&dir);
        let events = placed(events);
        for (event, position) in &events {
            apply(&mut feed, event, *position);
        }
        let (_parent, dir) = data();
        let mut other = Feed::new(&dir);
        let mut shuffled: Vec<_> = seed.into_iter().zip(&events).collect();
        shuffled.sort_by_key(|&(n, _)| n);
        for (n, (drawn, (event, position))) in shuffled.into_iter().enumerate() {
            apply(&mut other, event, *position);
            // A question ends what is gathered and written together.
            if drawn % 3 == 0 {
                other.views.query(&Query::PendingCount(ALICE)).unwrap();
            }
            if n == commit_after {
                other.views.commit().unwrap();
            }
        }
        prop_assert_eq!(seen(&mut feed), seen(&mut other));
        for feed in [&mut feed, &mut other] {
            conversations_are_the_newest_of_the_histories(feed, &events);
            let waits: usize = PEOPLE.iter().map(|&one| feed.inbox(one).len()).sum();
            prop_assert_eq!(feed.views.pending(), waits as u64);
        }
        let (one, two) = (feed.views.snapshot(0, 1000).unwrap(), other.views.snapshot(0, 1000).unwrap());
        prop_assert_eq!((one.vector, one.stamp), (two.vector, two.stamp));
    }
}
