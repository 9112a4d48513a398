//! Every log is closed under causes: what a fact rests on stands before it.

use lastword_facts::Position;

use crate::world::World;

/// What is under way is about to be on disk.
pub(crate) fn on_synced(world: &mut World, node: usize) {
    let disk = &world.nodes[node].disk;
    let mut vector = disk.vector.clone();
    let mut open: Option<(Position, Position)> = None;
    for fact in &disk.under_way {
        let rests_on = fact.changes.iter().copied().chain([fact.previous()]);
        let missing = rests_on.filter(|position| position.seq.0 > 0).find(|&position| !vector.covers(position));
        open = open.or(missing.map(|missing| (fact.position, missing)));
        vector.raise(fact.position);
    }
    if let Some((fact, missing)) = open {
        world.violated(format!("the log of n{node} has {fact:?}, and not {missing:?} that it rests on"));
    }
}
