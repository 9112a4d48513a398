//! Healed and quiet, all replicas hold the same and show the same, and each sees all others in sync.

use lastword_core::io::Standing;

use crate::world::World;

pub(super) fn check(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let first = &world.nodes[0];
    for (n, node) in world.nodes.iter().enumerate() {
        let standings = node.core.as_ref().map(|core| core.health().replicas.clone()).unwrap_or_default();
        let in_sync = |standing: &Standing| matches!(standing, Standing::Own | Standing::InSync);
        if standings.is_empty() || !standings.iter().all(in_sync) {
            wrong.push(format!("n{n} sees the group as {standings:?}, long after everything has healed"));
        }
    }
    for (n, node) in world.nodes.iter().enumerate().skip(1) {
        if node.disk.vector != first.disk.vector {
            wrong.push(format!("n{n} holds {:?}, and n0 {:?}", node.disk.vector, first.disk.vector));
        }
        let accounts = |node: &crate::node::Node| {
            node.core.as_ref().map(|core| {
                core.accounts().map(|(id, name, hash)| (id, name.to_string(), hash.to_owned())).collect::<Vec<_>>()
            })
        };
        if accounts(node) != accounts(first) {
            wrong.push(format!("n{n} knows {:?}, and n0 {:?}", accounts(node), accounts(first)));
        }
        let (theirs, ours) = (node.views.digest(), first.views.digest());
        if theirs != ours {
            let differing = theirs.iter().zip(&ours).find(|(theirs, ours)| theirs != ours);
            let lengths = (theirs.len(), ours.len());
            wrong.push(format!("the views of n{n} differ from those of n0: {differing:?} ({lengths:?} messages)"));
        }
    }
    wrong
}
