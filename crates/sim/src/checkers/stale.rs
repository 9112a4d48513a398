//! A replica that was not the last one up says `stale` until it has met one that is not stale, or all others; the mark
//! of having been the last one up is on disk when it was, and not when it was not.

use lastword_core::io::{Health, Standing};

use crate::world::World;

/// A replica starts.
pub(crate) fn on_start(world: &mut World, node: usize) {
    world.nodes[node].was_alone = world.nodes[node].disk.alone;
}

/// It says how it is.
pub(super) fn on_health(world: &mut World, node: usize, health: &Health) {
    if !health.stale && !may_be_fresh(world, node) {
        world.violated(format!("n{node} has met nobody who is not stale, was not the last one up, and is not stale"));
    }
}

/// It says that it has caught up.
pub(crate) fn on_caught_up(world: &mut World, node: usize) {
    if !may_be_fresh(world, node) {
        world.violated(format!("n{node} has caught up with nobody who is not stale"));
    }
}

fn may_be_fresh(world: &World, node: usize) -> bool {
    let state = &world.nodes[node];
    // What one said that has ended since counts: it may have been on its way.
    let was_fresh = |other: &usize| world.nodes[*other].last_fresh.is_some_and(|at| at >= state.started);
    state.was_alone || state.met.len() + 1 == world.nodes.len() || state.met.iter().any(was_fresh)
}

/// It ends.
pub(crate) fn on_crash(world: &mut World, node: usize) {
    let Some(core) = &world.nodes[node].core else { return };
    let (company, stale) = (core.health().replicas.contains(&Standing::InSync), core.health().stale);
    if company && world.nodes[node].disk.alone {
        world.violated(format!("n{node} ends with the mark of being alone, and is not"));
    }
    if stale && world.nodes[node].disk.alone {
        world.violated(format!("n{node} ends with the mark of being the last one up, and is stale"));
    }
}
