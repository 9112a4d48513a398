//! What a connection is told of what its replica has seen never goes back: clients keep what they got last.

use lastword_core::io::ConnectionId;
use lastword_facts::ids::Stamp;

use crate::world::World;

pub(super) fn on_told(world: &mut World, connection: ConnectionId, seen: Stamp) {
    let Some(state) = world.connections.get_mut(&connection) else { return };
    let before = std::mem::replace(&mut state.seen, seen);
    if seen < before {
        let (node, person) = (state.node, state.person);
        world.violated(format!("n{node} tells p{person} that it has seen {seen:?}, and told {before:?} before"));
    }
}
