//! What must be true, of what people saw and what disks hold. Some look while a run goes on, when
//! something is answered, shown, said, stored; the others when it has ended, healed and quiet.

pub(crate) mod blocked;
mod breath;
pub(crate) mod causes;
pub(crate) mod closed;
mod copies;
mod deleted;
mod delivered;
mod equal;
pub(crate) mod in_sync;
mod kept;
mod live_order;
mod mended;
mod names;
mod on_disk;
mod once;
mod online;
mod order;
mod passwords;
pub(crate) mod patience;
pub(crate) mod positions;
mod refusals;
pub(crate) mod room;
mod seen;
pub(crate) mod sessions;
pub(crate) mod stale;
pub(crate) mod stamps;
pub(crate) mod vectors;

use lastword_core::io::{Answer, ConnectionId, MessageView, Refusal, Tag};

use crate::world::World;

/// A replica answers.
pub(crate) fn on_answer(
    world: &mut World,
    node: usize,
    connection: ConnectionId,
    tag: Tag,
    result: Result<&Answer, &Refusal>,
) {
    patience::on_answer(world, node, connection, tag);
    let answer = match result {
        Ok(answer) => answer,
        Err(refusal) => return refusals::on_refused(world, node, connection, tag, refusal),
    };
    match answer {
        Answer::Sent { key, copies, seen, .. } => {
            seen::on_told(world, connection, *seen);
            copies::on_sent(world, connection, *key, *copies);
            breath::on_sent(world, node, connection, *key, *copies);
        }
        Answer::LoggedIn { account, .. } | Answer::Created { account, .. } => {
            deleted::on_seen(world, node, *account);
        }
        Answer::Status { health, .. } => stale::on_health(world, node, health),
        _ => {}
    }
}

/// A replica shows a message to a client.
pub(crate) fn on_shown(world: &mut World, node: usize, connection: ConnectionId, view: &MessageView) {
    on_disk::on_shown(world, node, &view.message);
    blocked::on_shown(world, node, &view.message);
    seen::on_told(world, connection, view.seen);
    live_order::on_shown(world, connection, view.message.index);
    deleted::on_seen(world, node, view.message.to);
}

/// The end: everything has healed that ever will, and it was quiet for a while.
pub(crate) fn check(world: &mut World) {
    let mut violations = Vec::new();
    violations.extend(kept::check(world));
    violations.extend(once::check(world));
    violations.extend(order::check(world));
    violations.extend(causes::check(world));
    violations.extend(delivered::check(world));
    violations.extend(in_sync::check(world));
    violations.extend(equal::check(world));
    violations.extend(online::check(world));
    violations.extend(mended::check(world));
    violations.extend(names::check(world));
    violations.extend(deleted::check(world));
    violations.extend(patience::check(world));
    violations.extend(passwords::check(world));
    for violation in violations {
        world.violated(violation);
    }
}
