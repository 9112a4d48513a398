//! A version vector never claims what is not durable, and whole as far as its teller knows.

use lastword_core::PeerMessage;
use lastword_facts::Position;

use crate::world::World;

/// A replica says something to another one.
pub(crate) fn on_said(world: &mut World, node: usize, message: &PeerMessage) {
    let claimed: Vec<Position> = match message {
        PeerMessage::Hello(hello) => hello.vector.iter().collect(),
        PeerMessage::Confirm(changes) => changes.clone(),
        _ => return,
    };
    let disk = &world.nodes[node].disk;
    if let Some(lie) = claimed.iter().find(|&&position| !disk.vector.covers(position)) {
        return world.violated(format!("n{node} claims {lie:?}, and its disk has not got it"));
    }
    let Some(core) = &world.nodes[node].core else { return };
    let below = |claimed: &Position| {
        let same = |damaged: &Position| damaged.incarnation == claimed.incarnation && damaged.seq <= claimed.seq;
        core.damaged().find(same).filter(|&position| disk.is_damaged(position))
    };
    if let Some(damaged) = claimed.iter().find_map(below) {
        world.violated(format!("n{node} claims {damaged:?}, and knows that its record is damaged"));
    }
}
