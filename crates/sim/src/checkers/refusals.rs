//! A refusal rests on what is on disk: nobody is told that somebody is gone whose deletion may still be lost, and
//! nobody that a login is wrong by a replica that may lack it.

use lastword_core::Mono;
use lastword_core::io::{ConnectionId, Refusal, Tag};
use lastword_facts::{AccountId, Body};

use crate::world::World;

/// A replica refuses a request.
pub(super) fn on_refused(world: &mut World, node: usize, connection: ConnectionId, tag: Tag, refusal: &Refusal) {
    let is_stale = world.nodes[node].core.as_ref().is_some_and(|core| core.health().stale);
    if *refusal == Refusal::WrongLogin && is_stale {
        world.violated(format!("n{node} says that a login is wrong, and may lack it"));
    }
    if !matches!(refusal, Refusal::NoSuchUser(_)) || world.plan.damages() {
        return;
    }
    let asked = world.connections.get(&connection).and_then(|connection| connection.unanswered.get(&tag));
    let Some((to, at)) = asked.and_then(|asked| Some((asked.to?, asked.at))) else { return };
    if lives_on_disk(world, node, to, at) {
        world.violated(format!("n{node} says that {to:?} does not exist, and its disk says otherwise"));
    }
}

/// Whether this replica would know the account if it started anew now, and did so at that time. (Not where its
/// own facts are ahead of its disk by a withdrawal, which these seeds hardly reach.)
fn lives_on_disk(world: &World, node: usize, account: AccountId, at: Mono) -> bool {
    let log = &world.nodes[node].disk.log;
    let (mut claimed, mut confirmed) = (false, false);
    for fact in log.iter().filter(|fact| fact.author == account) {
        match fact.body {
            Body::Claim(_) => claimed = true,
            Body::Confirm(_) => {
                let covered = world.nodes[node].covered.iter();
                confirmed |= covered.filter(|(when, _)| *when < at).any(|(_, vector)| vector.covers(fact.position));
            }
            Body::Withdraw(_) | Body::Delete => return false,
            _ => {}
        }
    }
    claimed && confirmed
}
