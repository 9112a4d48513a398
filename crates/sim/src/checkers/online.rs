//! Healed and quiet, replicas that are all connected agree about who is online.

use crate::plan::Scar;
use crate::world::World;

pub(super) fn check(world: &World) -> Vec<String> {
    // Where two never meet again, neither hears who listens at the other.
    if matches!(world.plan.scar, Some(Scar::Cut(..) | Scar::CutOneWay(..))) {
        return Vec::new();
    }
    let mut up = world.nodes.iter().enumerate().filter_map(|(n, node)| Some((n, node.core.as_ref()?)));
    let Some((first, one)) = up.next() else { return Vec::new() };
    let mut wrong = Vec::new();
    for (n, other) in up {
        for (account, name, _) in one.accounts() {
            let (here, there) = (one.is_online(account), other.is_online(account));
            if here != there {
                wrong.push(format!("{name} is online: {here} for n{first}, and {there} for n{n}"));
            }
        }
    }
    wrong
}
