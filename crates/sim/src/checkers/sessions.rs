//! Nobody is logged out by a clock: no run takes a month, whatever clocks say, and nobody here logs out.

use lastword_facts::{Body, Fact};

use crate::world::World;

/// A fact was handed to a disk. (Alone in its group, a replica believes the clock that it was started with.)
pub(crate) fn on_made(world: &mut World, fact: &Fact) {
    if matches!(fact.body, Body::Logout(_)) && world.nodes.len() > 1 {
        world.violated(format!("a session of {:?} was ended", fact.author));
    }
}
