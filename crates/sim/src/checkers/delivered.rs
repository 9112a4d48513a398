//! Each message that was acknowledged, to an account that lives, is shown in the end.

use lastword_facts::ids::LogIndex;
use lastword_facts::views::{Found, Query};

use crate::node::Node;
use crate::person::{Person, Stage};
use crate::world::World;

/// What reached a person who confirms it waits for nobody any more. (A disk that forgets may forget that, too.)
fn still_waiting(world: &World, person: &Person) -> Option<String> {
    if person.stage != Stage::Chatting || person.never_confirms || world.plan.forgets() {
        return None;
    }
    let account = person.account_id()?;
    let query = Query::Inbox { account, after: LogIndex::NONE, limit: u32::MAX, bytes: u32::MAX };
    let waiting = |node: &Node| match node.views.query(&query) {
        Found::Messages { mut messages, .. } => {
            // They are held back.
            messages.retain(|message| !super::blocked::ever(world, Some(account), Some(message.author)));
            messages
        }
        _ => Vec::new(),
    };
    let (n, node) = world.nodes.iter().enumerate().find(|(_, node)| node.is_up() && !waiting(node).is_empty())?;
    let waiting: Vec<String> =
        waiting(node).iter().map(|message| format!("{} {:?}", message.text, message.position)).collect();
    Some(format!("to p{} still wait on n{n}: {waiting:?}", person.number))
}

pub(super) fn check(world: &World) -> Vec<String> {
    let mut missing: Vec<String> = world.people.iter().filter_map(|person| still_waiting(world, person)).collect();
    for person in &world.people {
        if let Some((_, deed)) = person.waiting.values().next() {
            missing.push(format!("p{} still waits for {deed:?}", person.number));
        }
        // A deletion that nobody answered may have been done.
        let deleted = person.account_id().is_some_and(|account| world.deletions.contains_key(&account));
        if person.stage == Stage::LoggedOut && !deleted && !world.account_is_gone(person.number) {
            missing.push(format!("p{} was logged out, and can't log in again", person.number));
        }
        if person.stage != Stage::Chatting {
            continue;
        }
        for (number, sent) in person.sent.iter().enumerate().filter(|(_, sent)| sent.acknowledged.is_some()) {
            let receiver = &world.people[sent.to];
            // With the last record of an account's claim its messages can't be shown until it is claimed again.
            let account_gone = |person: &Person| world.account_is_gone(person.number);
            let is_blocked = super::blocked::ever(world, receiver.account_id(), person.account_id());
            let gone =
                is_blocked || world.is_gone(person.number, number) || account_gone(person) || account_gone(receiver);
            let shown = receiver.shown.iter().any(|shown| (shown.from, shown.number) == (person.number, number));
            if receiver.stage == Stage::Chatting && !shown && !gone {
                let copies = world.copies_of(person.number, number);
                missing.push(format!(
                    "p{}'s message {number} ({copies:?}) was not shown to p{}",
                    person.number, receiver.number
                ));
            }
        }
    }
    missing
}
