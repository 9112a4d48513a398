//! What was acknowledged is on every disk in the end, unless every disk that had it was taken away.

use lastword_facts::{AccountId, Key};

use crate::world::World;

pub(super) fn check(world: &World) -> Vec<String> {
    let mut lost = Vec::new();
    for person in &world.people {
        let Some(author) = person.account.as_deref().and_then(AccountId::parse) else { continue };
        for (number, sent) in person.sent.iter().enumerate().filter(|(_, sent)| sent.acknowledged.is_some()) {
            let identity = (author, Key(sent.key.as_u128()));
            let positions = world.positions.get(&identity).map(Vec::as_slice).unwrap_or_default();
            if positions.iter().any(|position| world.gone.contains(position)) {
                continue;
            }
            for (n, node) in world.nodes.iter().enumerate() {
                if !positions.iter().any(|&position| node.disk.has(position)) {
                    lost.push(format!(
                        "p{}'s message {number} was acknowledged, and n{n} has not got it",
                        person.number
                    ));
                }
            }
        }
    }
    lost
}
