//! With one replica that nothing happens to, everything is answered in time: by that replica itself, and
//! for the people who find their way to it, whatever is broken elsewhere.

use std::time::Duration;

use lastword_core::io::{ConnectionId, Tag};

use crate::person::Deed;
use crate::world::{Asked, World};

/// A replica that nothing happens to answers in so much: others get 1 s to confirm.
const AT_REPLICA: Duration = Duration::from_millis(1500);
/// The same for names, which wait for two verdicts of at most 5 s each.
const AT_REPLICA_NAMES: Duration = Duration::from_secs(11);
/// People wait so long, failovers and all.
const FOR_PEOPLE: Duration = Duration::from_secs(20);

fn limit(asked: &Asked) -> Duration {
    if asked.what == "create" || asked.after_create { AT_REPLICA_NAMES } else { AT_REPLICA }
}

/// A replica answers a request.
pub(super) fn on_answer(world: &mut World, node: usize, connection: ConnectionId, tag: Tag) {
    if world.plan.sanctuary != Some(node) {
        return;
    }
    let asked = world.connections.get(&connection).and_then(|connection| connection.unanswered.get(&tag));
    let Some((at, what, limit)) = asked.map(|asked| (asked.at, asked.what, limit(asked))) else { return };
    let took = world.now.since(at);
    if took > limit {
        let person = world.connections.get(&connection).map_or(0, |connection| connection.person);
        let took = took.as_millis();
        world.violated(format!("n{node}, to which nothing happened, answers p{person}'s {what} after {took} ms"));
    }
}

/// A person's deed is done.
pub(crate) fn on_done(
    world: &mut World,
    person: usize,
    deed: &Deed,
    took: Duration,
    error: Option<&lastword_client::Error>,
) {
    let refused = error.is_some_and(|error| error.code().is_some());
    // What is to come later is tried again and again, and what was sent after it waits for that.
    let late = took > FOR_PEOPLE || error.is_some() && !refused;
    if late && world.plan.sanctuary.is_some() && !world.is_tight {
        let took = took.as_millis();
        world.violated(format!("p{person}: {deed:?} took {took} ms ({error:?}), with a healthy replica in reach"));
    }
}

/// In the end nothing waits that should have been answered.
pub(super) fn check(world: &World) -> Vec<String> {
    let mut waiting = Vec::new();
    for connection in world.connections.values().filter(|connection| world.nodes[connection.node].is_up()) {
        let late = connection.unanswered.values().find(|asked| world.now.since(asked.at) > limit(asked));
        waiting.extend(
            late.map(|asked| format!("n{} has not answered {} to p{}", connection.node, asked.what, connection.person)),
        );
    }
    waiting
}
