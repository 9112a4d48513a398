//! What must be true in every state, and at the end of every path.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastword_core::PeerMessage;
use lastword_core::io::Standing;
use lastword_facts::ids::Position;
use lastword_facts::{Fact, VersionVector};

use super::disk::Disk;
use super::replica::{Replica, maker};

/// A vector that is told covers only what is on the teller's disk.
pub(super) fn claims_what_is_there(disk: &Disk, message: &PeerMessage) -> Result<(), String> {
    let claimed: Vec<Position> = match message {
        PeerMessage::Hello(hello) => hello.vector.iter().collect(),
        PeerMessage::Confirm(changes) => changes.clone(),
        _ => return Ok(()),
    };
    match claimed.iter().find(|&&position| !disk.vector.covers(position)) {
        None => Ok(()),
        Some(lie) => Err(format!("claims {lie:?}, and its disk has not got it")),
    }
}

/// The last facts of a log come after all that they rest on.
pub(super) fn closed_under_causes(log: &[Arc<Fact>], new: usize) -> Result<(), String> {
    let (before, new) = log.split_at(log.len() - new);
    let mut there: VersionVector = before.iter().map(|fact| fact.position).collect();
    for fact in new {
        let previous = std::iter::once(fact.previous());
        let missing = previous.chain(fact.changes.iter().copied()).find(|&cause| !there.covers(cause));
        if let Some(missing) = missing {
            return Err(format!("{fact:?} is on the disk before {missing:?}, which it rests on"));
        }
        there.raise(fact.position);
    }
    Ok(())
}

/// What one replica has of another's is what that one made.
pub(super) fn holds_what_was_made(holder: &Replica, number: usize, made: &Replica) -> Result<(), String> {
    for fact in holder.disk.all().filter(|fact| maker(fact.position.incarnation) == Some(number)) {
        match made.made.get(&fact.position) {
            None => return Err(format!("nobody made {fact:?}")),
            Some(other) if other.bytes() != fact.bytes() => {
                return Err(format!("two facts at {:?}: {fact:?} and {other:?}", fact.position));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// After the last trouble all replicas are in sync, hold the same facts, and show the same accounts.
pub(super) fn are_one(replicas: &[&Replica]) -> Result<(), String> {
    let facts = |replica: &Replica| -> BTreeMap<Position, Arc<Fact>> {
        replica.disk.log.iter().map(|fact| (fact.position, fact.clone())).collect()
    };
    let first = facts(replicas[0]);
    for (number, replica) in replicas.iter().enumerate() {
        let Some(core) = &replica.core else { return Err(format!("{} is down", name(number))) };
        let other = facts(replica);
        if let Some(missing) = first.keys().find(|position| !other.contains_key(position)) {
            return Err(format!("{} never gets {missing:?}", name(number)));
        }
        if let Some(missing) = other.keys().find(|position| !first.contains_key(position)) {
            return Err(format!("a never gets {missing:?}, which {} has", name(number)));
        }
        if other.len() != replica.disk.log.len() {
            return Err(format!("{} has a fact twice", name(number)));
        }
        let health = core.health();
        let together = |standing: &Standing| matches!(standing, Standing::Own | Standing::InSync);
        if health.stale || !health.replicas.iter().all(together) {
            return Err(format!("{} does not see all in sync: {health:?}", name(number)));
        }
        if let Some(one) = &replicas[0].core
            && !core.accounts().eq(one.accounts())
        {
            return Err(format!("a and {} show other accounts", name(number)));
        }
    }
    Ok(())
}

/// A replica, as people see it.
pub(super) fn name(replica: usize) -> char {
    char::from(b'a' + replica as u8)
}
