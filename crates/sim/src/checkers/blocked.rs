//! Nobody is shown a message that was taken in where their block of its author was known.

use std::sync::Arc;

use lastword_facts::views::MessageRecord;
use lastword_facts::{AccountId, Body, Fact};

use crate::world::World;

/// A message or a block is made at a replica.
pub(crate) fn on_made(world: &mut World, node: usize, fact: &Arc<Fact>) {
    match &fact.body {
        Body::Block(block) => {
            let of_both = world.blocks.entry((fact.author, block.whom)).or_default();
            of_both.push((fact.order(), block.on, fact.position));
        }
        Body::Message(message) => {
            let blocks = world.blocks.get(&(message.to, fact.author)).into_iter().flatten();
            let disk = &world.nodes[node].disk;
            let known = blocks.filter(|(_, _, position)| disk.has_or_gets(*position)).max_by_key(|(order, ..)| *order);
            let is_blocked = known.is_some_and(|&(_, on, _)| on);
            let identity = (fact.author, fact.key);
            if is_blocked {
                world.unwanted.insert(identity)
            } else {
                world.wanted.insert(identity)
            };
        }
        _ => {}
    }
}

/// A replica shows a message to a client.
pub(super) fn on_shown(world: &mut World, node: usize, message: &MessageRecord) {
    let identity = (message.author, message.key);
    // What a damaged record says counts from the next start on. And of two copies one may have been for its receiver.
    if world.unwanted.contains(&identity) && !world.wanted.contains(&identity) && !world.plan.damages() {
        let text = &message.text;
        world.violated(format!("n{node} shows {text}, whose author was blocked where it was taken in"));
    }
}

/// Whether one has ever blocked the other: then what came before is held back, or comes late.
pub(super) fn ever(world: &World, by: Option<AccountId>, whom: Option<AccountId>) -> bool {
    by.zip(whom).is_some_and(|both| world.blocks.contains_key(&both))
}
