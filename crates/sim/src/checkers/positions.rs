//! A position never has two facts; and is filled in as lost only where nobody has it.

use std::sync::Arc;

use lastword_facts::{Body, Fact};

use crate::world::World;

/// A replica hands facts to its disk.
pub(crate) fn on_store(world: &mut World, _node: usize, facts: &[Arc<Fact>]) {
    for fact in facts {
        let Some(known) = world.facts.get(&fact.position).filter(|known| known.bytes() != fact.bytes()) else {
            continue;
        };
        let known = known.clone();
        if fact.body == Body::Lost {
            nobody_has(world, fact);
        } else {
            world.violated(format!("two facts at {:?}: {known:?} and {fact:?}", fact.position));
        }
    }
}

/// A replica writes over a damaged record.
pub(crate) fn on_repair(world: &mut World, _node: usize, fact: &Arc<Fact>) {
    if fact.body == Body::Lost {
        world.lost.insert(fact.position);
        world.gone.insert(fact.position);
        nobody_has(world, fact);
    }
}

fn nobody_has(world: &mut World, lost: &Fact) {
    let has = |node: &crate::node::Node| {
        let record = node.disk.place(lost.position).map(|place| &node.disk.log[place]);
        node.disk.has_whole(lost.position) && record.is_some_and(|record| record.body != Body::Lost)
    };
    if let Some(n) = world.nodes.iter().position(has) {
        world.violated(format!("{:?} is given up as lost, and n{n} has it", lost.position));
    }
}
