//! Nothing is shown before it is on the disk of the replica that shows it.

use lastword_facts::views::MessageRecord;

use crate::world::World;

pub(super) fn on_shown(world: &mut World, node: usize, message: &MessageRecord) {
    let positions = world.positions.get(&(message.author, message.key)).into_iter().flatten();
    let disk = &world.nodes[node].disk;
    if !positions.into_iter().any(|&position| disk.has(position)) {
        world.violated(format!("n{node} shows {:?}, and its disk has not got it", message.position));
    }
}
