//! Healed and quiet, all replicas hold the same and show the same. (Compared whole, not by a hash: a
//! difference is shown.)

use crate::node::Node;
use crate::world::World;

pub(super) fn check(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut up = world.nodes.iter().enumerate().filter(|(_, node)| node.is_up());
    let Some((first, one)) = up.next() else { return wrong };
    for (n, node) in up {
        if node.disk.vector != one.disk.vector {
            wrong.push(format!("n{n} holds {:?}, and n{first} {:?}", node.disk.vector, one.disk.vector));
        }
        if accounts(node) != accounts(one) {
            wrong.push(format!("n{n} knows {:?}, and n{first} {:?}", accounts(node), accounts(one)));
        }
        let (theirs, ours) = (node.views.accounts(), one.views.accounts());
        // What rests on a record that was lost everywhere counts where that had been read before.
        if theirs != ours && !world.plan.damages() {
            wrong.push(format!("the views of n{n} have {theirs:#?}, and those of n{first} {ours:#?}"));
        }
        let (theirs, ours) = (node.views.digest(), one.views.digest());
        if theirs != ours {
            let differing = theirs.iter().zip(&ours).find(|(theirs, ours)| theirs != ours);
            let lengths = (theirs.len(), ours.len());
            wrong
                .push(format!("the views of n{n} differ from those of n{first}: {differing:?} ({lengths:?} messages)"));
        }
    }
    wrong
}

fn accounts(node: &Node) -> Vec<(lastword_facts::AccountId, String, String)> {
    let accounts = node.core.iter().flat_map(|core| core.accounts());
    accounts.map(|(id, name, hash)| (id, name.to_string(), hash.to_owned())).collect()
}
