//! A full disk takes in nothing new.

use std::sync::Arc;

use lastword_facts::{Body, Fact};

use crate::world::World;

/// A replica hands facts to its disk.
pub(crate) fn on_store(world: &mut World, node: usize, facts: &[Arc<Fact>]) {
    let Some(since) = world.nodes[node].full.filter(|&since| since < world.now) else { return };
    let of_people = |fact: &Fact| world.people.iter().any(|person| person.account_id() == Some(fact.author));
    let is_message = |fact: &Fact| matches!(fact.body, Body::Message(_)) && of_people(fact);
    let new = |fact: &&Arc<Fact>| is_message(fact) && !world.facts.contains_key(&fact.position);
    if let Some(fact) = facts.iter().find(new) {
        let position = fact.position;
        world.violated(format!("n{node} takes in {position:?}, and its disk is full since {since:?}"));
    }
}
