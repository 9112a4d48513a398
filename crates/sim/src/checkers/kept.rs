//! What was acknowledged is on every disk in the end, unless every disk that had it was taken away.

use crate::world::World;

pub(super) fn check(world: &World) -> Vec<String> {
    let mut lost = Vec::new();
    for person in &world.people {
        for (number, _) in person.sent.iter().enumerate().filter(|(_, sent)| sent.acknowledged.is_some()) {
            let Some(identity) = person.identity_of(number) else { continue };
            let positions = world.positions.get(&identity).map(Vec::as_slice).unwrap_or_default();
            if positions.iter().any(|position| world.gone.contains(position)) {
                continue;
            }
            for (n, node) in world.nodes.iter().enumerate().filter(|(_, node)| node.is_up()) {
                if !positions.iter().any(|&position| node.disk.has(position)) {
                    lost.push(format!(
                        "p{}'s message {number} was acknowledged, and n{n} has not got it",
                        person.number
                    ));
                }
            }
        }
    }
    lost
}
