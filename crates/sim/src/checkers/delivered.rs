//! Each message that was acknowledged, to an account that lives, is shown in the end.

use lastword_facts::{AccountId, Key};

use crate::person::Stage;
use crate::world::World;

pub(super) fn check(world: &World) -> Vec<String> {
    let mut missing = Vec::new();
    for person in &world.people {
        if let Some((_, deed)) = person.waiting.values().next() {
            missing.push(format!("p{} still waits for {deed:?}", person.number));
        }
        let Some(author) = person.account.as_deref().and_then(AccountId::parse) else { continue };
        if person.stage == Stage::LoggedOut && !world.account_is_gone(person.number) {
            missing.push(format!("p{} was logged out, and can't log in again", person.number));
        }
        if person.stage != Stage::Chatting {
            continue;
        }
        for (number, sent) in person.sent.iter().enumerate().filter(|(_, sent)| sent.acknowledged.is_some()) {
            let receiver = &world.people[sent.to];
            let positions = world.positions.get(&(author, Key(sent.key.as_u128())));
            let gone = positions.into_iter().flatten().any(|position| world.gone.contains(position));
            let shown = receiver.shown.iter().any(|shown| (shown.from, shown.number) == (person.number, number));
            if receiver.stage == Stage::Chatting && !shown && !gone {
                missing.push(format!("p{}'s message {number} was not shown to p{}", person.number, receiver.number));
            }
        }
    }
    missing
}
