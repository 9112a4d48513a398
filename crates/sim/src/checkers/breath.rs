//! Who is being killed answers nothing on its own: its links go before it does.

use lastword_core::io::{ConnectionId, Copies};
use lastword_facts::Key;

use crate::world::World;

pub(super) fn on_sent(world: &mut World, node: usize, connection: ConnectionId, key: Key, copies: Copies) {
    let Some(since) = world.nodes[node].dying else { return };
    // It was not alone when it began to die.
    let had_company = world.nodes[node].company;
    // To a retry the copies of what was answered before count as well: it may be on more disks than it says.
    let alone = copies.stored == 1 && super::copies::disks_with(world, connection, key) == 1;
    if had_company && alone && world.now > since {
        world.violated(format!("n{node} answers on its own while it is being killed"));
    }
}
