//! A damaged record that was met is mended, or filled in where everybody has lost it.

use crate::world::World;

pub(super) fn check(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for (n, node) in world.nodes.iter().enumerate().filter(|(_, node)| node.is_up() && world.nodes.len() > 1) {
        let Some(core) = &node.core else { continue };
        for position in core.damaged().filter(|&position| node.disk.is_damaged(position)) {
            wrong.push(format!("n{n} knows that its record of {position:?} is damaged, and it still is"));
        }
    }
    wrong
}
