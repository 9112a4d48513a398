//! A replica alone that was not the last one up says `stale` until it has met another one; the mark of
//! having been the last one up is on disk when it was, and not when it was not.

use lastword_core::io::{Health, Standing};

use crate::world::World;

/// A replica starts.
pub(crate) fn on_start(world: &mut World, node: usize) {
    world.nodes[node].was_alone = world.nodes[node].disk.alone;
}

/// It says how it is.
pub(super) fn on_health(world: &mut World, node: usize, health: &Health) {
    let state = &world.nodes[node];
    if !health.stale && !state.has_met && !state.was_alone && world.nodes.len() > 1 {
        world.violated(format!("n{node} has met nobody, was not the last one up, and does not say that it is stale"));
    }
}

/// It ends.
pub(crate) fn on_crash(world: &mut World, node: usize) {
    let Some(core) = &world.nodes[node].core else { return };
    let company = core.health().replicas.contains(&Standing::InSync);
    if company && world.nodes[node].disk.alone {
        world.violated(format!("n{node} ends with the mark of being alone, and is not"));
    }
}
