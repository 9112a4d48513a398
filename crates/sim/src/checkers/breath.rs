//! Who is being killed answers nothing on its own: its links go before it does.

use lastword_core::io::Copies;

use crate::world::World;

pub(super) fn on_sent(world: &mut World, node: usize, copies: Copies) {
    let Some(since) = world.nodes[node].dying else { return };
    // It was not alone when it began to die.
    let had_company = world.nodes[node].company;
    if had_company && copies.stored == 1 && world.now > since {
        world.violated(format!("n{node} answers on its own while it is being killed"));
    }
}
