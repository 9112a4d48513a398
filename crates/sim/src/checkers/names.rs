//! Names have one owner among replicas that are connected; a deleted account never comes back.

use std::collections::BTreeMap;

use crate::person::Stage;
use crate::world::World;

pub(super) fn check(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut owners: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for person in world.people.iter().filter(|person| person.account.is_some() && person.stage == Stage::Chatting) {
        owners.entry(person.name.to_ascii_lowercase()).or_default().push(person.number);
    }
    let faults = &world.plan.faults;
    // A replica that loses its disk, or was down, forgets what it has promised to nobody.
    let calm = !world.plan.splits() && faults.iter().all(|fault| !format!("{fault:?}").contains("Crash"));
    for (name, owners) in owners.iter().filter(|(_, owners)| owners.len() > 1) {
        let disks = faults.iter().any(|fault| {
            use crate::plan::Fault::{FailedSync, Restore, Wipe};
            [Wipe, Restore, FailedSync].contains(fault)
        });
        if calm && !disks {
            wrong.push(format!("{name} was given to {owners:?}, and nothing had come between the replicas"));
        }
    }
    // A disk that was taken away makes a replica forget what it knew: then his client may be wrong.
    use crate::plan::Fault::{Restore, Wipe};
    let forgets = faults.iter().any(|fault| [Wipe, Restore].contains(fault));
    let deleted = world.people.iter().filter(|person| person.stage == Stage::Gone);
    let deleted = deleted.filter(|person| person.deletion_told || !forgets);
    for person in deleted.filter(|person| !world.account_is_gone(person.number)) {
        let id = person.account.as_deref().and_then(lastword_facts::AccountId::parse);
        for (n, node) in world.nodes.iter().enumerate() {
            let lives = node.core.as_ref().is_some_and(|core| core.accounts().any(|(account, ..)| Some(account) == id));
            if lives {
                wrong.push(format!("p{} has deleted the account, and it lives on n{n}", person.number));
            }
        }
    }
    wrong
}
