//! One run: trouble, then peace, then the verdict.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use lastword_marks::Bug;

use crate::checkers;
use crate::node::Node;
use crate::world::World;

/// After the trouble, so long until all must be well: longer than any client waits for an answer.
const PEACE: Duration = Duration::from_secs(45);

/// After the last start, so long.
const SETTLE: Duration = Duration::from_secs(5);

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// What it was like.
    pub plan: String,
    /// What was wrong.
    pub violations: Vec<String>,
    /// How much happened.
    pub events: u64,
    /// How long it was, on virtual time.
    pub simulated: Duration,
    /// What was stored, said, applied and told, as one number: the same for the same seed.
    pub digest: u64,
    /// What happened, if it was asked for.
    pub trace: String,
    /// How often what was reached.
    pub counts: BTreeMap<String, u64>,
}

/// Runs a seed, with a bug planted or none; with `tracing` everything that happens is written down.
pub fn run(seed: u64, bug: Option<Bug>, tracing: bool) -> Outcome {
    lastword_marks::plant(bug);
    drop(lastword_marks::take_hits());
    let mut world = World::new(seed, tracing);
    // A core that panics is a violation, and the run that led there is to be seen.
    if std::panic::catch_unwind(AssertUnwindSafe(|| live(&mut world))).is_err() {
        world.violated("it panicked".to_owned());
    }
    lastword_marks::plant(None);
    for (path, count) in lastword_marks::take_hits() {
        world.counts.insert(format!("path {path}"), count);
    }
    let sent: usize = world.people.iter().map(|person| person.sent.len()).sum();
    let shown: usize = world.people.iter().map(|person| person.shown.len()).sum();
    world.counts.insert("messages sent".to_owned(), sent as u64);
    world.counts.insert("messages shown".to_owned(), shown as u64);
    let twice = world.positions.values().filter(|positions| positions.len() > 1).count();
    world.counts.insert("messages at two positions".to_owned(), twice as u64);
    Outcome {
        seed,
        plan: world.plan.to_string(),
        violations: world.violations.clone(),
        events: world.events,
        simulated: world.now.0,
        digest: world.digest.sum(),
        trace: world.trace().to_owned(),
        counts: world.counts.clone(),
    }
}

/// Whether nothing is on its way, or nothing ever is: most runs end in a state that stays.
fn holds_the_same(world: &World) -> bool {
    let mut vectors = world.nodes.iter().filter(|node| node.is_up()).map(|node| &node.disk.vector);
    let first = vectors.next();
    !world.watches_sessions || vectors.all(|vector| Some(vector) == first)
}

fn live(world: &mut World) {
    world.run_until(world.trouble_until);
    if world.violations.is_empty() {
        world.heal();
        world.run_until(world.load_until);
        if world.plan.steady_ms > 0 {
            // The same load for ever, and everybody is in sync all the same.
            checkers::in_sync::check(world).into_iter().for_each(|wrong| world.violated(wrong));
        }
        let end = world.now + PEACE;
        world.run_until(end);
        // Who has just started anew on a mended log, or still writes to a slow disk, gets the time for it.
        let busy = |world: &World| {
            let syncs = |node: &Node| node.syncing || world.now.since(node.started) < SETTLE;
            world.nodes.iter().filter(|node| node.is_up()).any(syncs)
        };
        for _ in 0..20 {
            if busy(world) {
                let end = world.now + SETTLE;
                world.run_until(end);
            }
        }
        // That sessions are in use is noted for ever: there is a moment at which all of it is everywhere.
        let mut looks = 100;
        while looks > 0 && !holds_the_same(world) {
            let end = world.now + Duration::from_millis(100);
            world.run_until(end);
            looks -= 1;
        }
    }
    if world.violations.is_empty() {
        checkers::check(world);
    }
}
