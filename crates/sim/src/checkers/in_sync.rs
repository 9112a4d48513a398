//! Who is said to be in sync has what the other had a moment ago; and who can be in sync is, in the end,
//! whatever the load.

use std::time::Duration;

use lastword_core::io::Standing;

use crate::plan::Scar;
use crate::world::World;

/// Half a second, or two round trips on the slowest network, and some.
const LAG: Duration = Duration::from_secs(3);

/// A replica says of another one that it is in sync.
pub(crate) fn on_joined(world: &mut World, node: usize, peer: usize) {
    let Some(past) = world.now.0.checked_sub(LAG) else { return };
    let covered = &world.nodes[node].covered;
    let before = covered.iter().rev().find(|(at, _)| at.0 <= past).or(covered.front());
    let Some((at, before)) = before else { return };
    // What one said that has ended since may have been on its way until now.
    if !world.nodes[peer].is_up() || world.now.since(world.nodes[peer].started) < LAG {
        return;
    }
    if !world.nodes[peer].disk.vector.covers_all(before) {
        let at = at.0.as_secs_f64();
        world.violated(format!("n{node} takes n{peer} for in sync, which lacks what n{node} had at {at:.3}"));
    }
}

/// Long after everything has healed: each sees all others in sync.
pub(crate) fn check(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for (n, node) in world.nodes.iter().enumerate() {
        let Some(core) = &node.core else { continue };
        for (other, standing) in core.health().replicas.iter().enumerate() {
            let can = world.nodes[other].is_up() && !world.network.is_severed(n, other);
            // One with a slow disk comes and goes.
            let slow = matches!(world.plan.scar, Some(Scar::SlowDisk(slow)) if slow == other);
            if can && !slow && !matches!(standing, Standing::Own | Standing::InSync) {
                wrong.push(format!("n{n} sees n{other} as {standing:?}, long after everything has healed"));
            }
        }
        let linked = |other: &usize| world.nodes[*other].is_up() && !world.network.is_severed(n, *other);
        let is_fresh = |other: usize| world.nodes[other].core.as_ref().is_some_and(|core| !core.health().stale);
        let mut others = (0..world.nodes.len()).filter(|&other| other != n);
        let all = others.clone().all(|other| linked(&other));
        if core.health().stale && (all || others.any(|other| linked(&other) && is_fresh(other))) {
            wrong.push(format!("n{n} is stale, long after everything has healed"));
        }
    }
    wrong
}
