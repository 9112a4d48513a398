//! What a connection is shown follows the log of its replica.

use lastword_core::io::ConnectionId;
use lastword_facts::ids::LogIndex;

use crate::world::World;

pub(super) fn on_shown(world: &mut World, connection: ConnectionId, place: LogIndex) {
    let Some(state) = world.connections.get_mut(&connection) else { return };
    let before = std::mem::replace(&mut state.shown_upto, place);
    if place <= before {
        let (node, person) = (state.node, state.person);
        world.violated(format!("n{node} shows p{person} what stands at {place:?} of its log after {before:?}"));
    }
}
