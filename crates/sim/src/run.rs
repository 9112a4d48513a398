//! One run: trouble, then peace, then the verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::checkers;
use crate::world::World;

/// After the trouble, so long until all must be well: longer than any client waits for an answer.
const PEACE: Duration = Duration::from_secs(45);

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
    /// The same for the same seed.
    pub hash: u64,
    /// What happened, if it was asked for.
    pub trace: String,
    /// How often what was reached.
    pub counts: BTreeMap<String, u64>,
}

/// Runs a seed; with `tracing` everything that happens is written down.
pub fn run(seed: u64, tracing: bool) -> Outcome {
    let mut world = World::new(seed, tracing);
    world.run_until(world.trouble_until);
    if world.violations.is_empty() {
        world.heal();
        let end = world.now + PEACE;
        world.run_until(end);
    }
    if world.violations.is_empty() {
        checkers::check(&mut world);
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
        hash: world.trace_hash,
        trace: world.trace().to_owned(),
        counts: world.counts.clone(),
    }
}
