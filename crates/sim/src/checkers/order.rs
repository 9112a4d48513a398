//! Each sender's messages are shown in the order in which he sent them, and stand so in the history;
//! there an answer comes after what it answers.
//!
//! Left out: what its sender has given up on (he was told that nobody knows), what went with a disk, and
//! the order of two sessions, where a client was logged out because nobody knew it any more.

use std::collections::BTreeMap;

use lastword_facts::views::{Found, Query};
use lastword_facts::{AccountId, Key};

use crate::world::World;

pub(super) fn check(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for person in &world.people {
        let mut last: BTreeMap<(u64, usize, usize), usize> = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for shown in &person.shown {
            // A client that was started anew can't know what its user has seen.
            let again = seen.insert((shown.from, shown.number), shown.life).is_some_and(|life| life != shown.life);
            let author = &world.people[shown.from];
            let held_back = super::blocked::ever(world, person.account_id(), author.account_id());
            if again || held_back || world.is_hurt(shown.from, shown.number) {
                continue;
            }
            if author.sent[shown.number].given_up || world.is_gone(shown.from, shown.number) {
                continue;
            }
            if let Some(before) = last.insert((shown.life, shown.from, author.sent[shown.number].session), shown.number)
                && before > shown.number
            {
                wrong.push(format!(
                    "p{} was shown {}:{} ({:?}) after {}:{before} ({:?})",
                    person.number,
                    shown.from,
                    shown.number,
                    world.copies_of(shown.from, shown.number),
                    shown.from,
                    world.copies_of(shown.from, before)
                ));
            }
        }
    }
    for (n, one) in world.people.iter().enumerate() {
        for other in &world.people[n..] {
            wrong.extend(check_history(world, one.number, other.number));
        }
    }
    wrong
}

fn check_history(world: &World, one: usize, other: usize) -> Vec<String> {
    let account = |person: usize| world.people[person].account.as_deref().and_then(AccountId::parse);
    let (Some(first), Some(second)) = (account(one), account(other)) else { return Vec::new() };
    let query = Query::History { one: first, other: second, before: None, limit: u32::MAX, bytes: u32::MAX };
    let Found::Messages { messages, .. } = world.nodes[world.first_up()].views.query(&query) else { return Vec::new() };
    let mut place: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (n, message) in messages.iter().rev().enumerate() {
        let author = if message.author == first { one } else { other };
        let sent = &world.people[author].sent;
        if let Some(number) = sent.iter().position(|sent| Key(sent.key.as_u128()) == message.key) {
            place.insert((author, number), n);
        }
    }
    let mut wrong = Vec::new();
    let mut last: BTreeMap<(usize, usize), (usize, usize)> = BTreeMap::new();
    for (&(author, number), &at) in &place {
        let sent = &world.people[author].sent[number];
        if sent.given_up || world.is_gone(author, number) {
            continue;
        }
        if let Some((before, before_at)) = last.insert((author, sent.session), (number, at))
            && before_at > at
        {
            wrong.push(format!(
                "in the history of p{one} and p{other} {author}:{number} ({:?}) stands before {author}:{before} ({:?})",
                world.copies_of(author, number),
                world.copies_of(author, before)
            ));
        }
        if let Some(answered) = sent.answers
            && !world.is_gone(answered.0, answered.1)
            && place.get(&answered).is_some_and(|&answered| answered > at)
        {
            wrong.push(format!(
                "in the history of p{one} and p{other} {author}:{number} ({:?}) stands before {answered:?} ({:?}), which it answers",
                world.copies_of(author, number),
                world.copies_of(answered.0, answered.1)
            ));
        }
    }
    wrong
}
