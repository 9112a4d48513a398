//! A deleted account never comes back.

use std::time::Duration;

use lastword_facts::AccountId;

use crate::person::Stage;
use crate::world::World;

/// What was asked or made before the deletion may still be told for so long: it waits for others to confirm.
const ON_ITS_WAY: Duration = Duration::from_secs(2);

/// A replica answers or shows something to somebody who is logged in to this account.
pub(super) fn on_seen(world: &mut World, node: usize, account: AccountId) {
    let since = |position| world.synced.get(&(node, position)).copied();
    let disk = &world.nodes[node].disk;
    let deletions = world.deletions.get(&account).into_iter().flatten();
    // What a damaged record says that was mended counts from the next start on.
    let counts = |position: &_| disk.has_whole(*position) && !world.plan.damages();
    let there = deletions.copied().filter(counts).filter_map(since).min();
    if there.is_some_and(|there| world.now.since(there) > ON_ITS_WAY) {
        world.violated(format!("n{node} has the deletion of {account:?} on disk, and speaks to it"));
    }
}

pub(super) fn check(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let deleted = world.people.iter().filter(|person| person.stage == Stage::Gone);
    // A disk that was taken away makes a replica forget what it knew: then his client may be wrong.
    let deleted = deleted.filter(|person| person.deletion_told || !world.plan.forgets());
    for person in deleted.filter(|person| !world.account_is_gone(person.number)) {
        for (n, node) in world.nodes.iter().enumerate() {
            let id = person.account_id();
            let lives = node.core.as_ref().is_some_and(|core| core.accounts().any(|(account, ..)| Some(account) == id));
            if lives {
                wrong.push(format!("p{} has deleted the account, and it lives on n{n}", person.number));
            }
        }
    }
    wrong
}
