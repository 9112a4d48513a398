//! Acknowledged on so many copies means on that many disks; and "on all" means so of all that was answered
//! before on the same connection: clients rely on it.

use lastword_core::io::{ConnectionId, Copies};
use lastword_facts::Key;

use crate::world::World;

pub(super) fn on_sent(world: &mut World, connection: ConnectionId, key: Key, copies: Copies) {
    let disks = disks_with(world, connection, key);
    let Some(state) = world.connections.get_mut(&connection) else { return };
    let (person, node) = (state.person, state.node);
    world.say(|| format!("n{node} tells p{person} that {key:?} is on {} of {} disks", copies.stored, copies.of));
    let Some(state) = world.connections.get_mut(&connection) else { return };
    if disks < copies.stored {
        return world
            .violated(format!("p{person} was told {} copies of {key:?}, and {disks} disks had it", copies.stored));
    }
    if copies.stored < copies.of {
        return state.uncovered.push(key);
    }
    for before in std::mem::take(&mut state.uncovered) {
        let disks = disks_with(world, connection, before);
        if disks < copies.of {
            return world.violated(format!(
                "p{person} was told that all up to {key:?} is on all disks, and {disks} had {before:?}"
            ));
        }
    }
}

/// On how many disks a message of the person at this connection is or was.
pub(super) fn disks_with(world: &World, connection: ConnectionId, key: Key) -> u32 {
    let Some(state) = world.connections.get(&connection) else { return u32::MAX };
    let Some(account) = world.people[state.person].account_id() else { return u32::MAX };
    let positions = world.positions.get(&(account, key)).map(Vec::as_slice).unwrap_or_default();
    let on_disk = |node: &usize| positions.iter().any(|&position| world.synced.contains_key(&(*node, position)));
    (0..world.nodes.len()).filter(on_disk).count() as u32
}
