//! Many seeds, on all cores.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lastword_marks::Bug;

use crate::run::{Outcome, run};

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Summary {
    /// So many were run.
    pub seeds: u64,
    /// How much happened.
    pub events: u64,
    /// How long they were, on virtual time.
    pub simulated: Duration,
    /// How often what was reached.
    pub counts: BTreeMap<String, u64>,
    /// The digests of all of them, as one number.
    pub digest: u64,
    /// Those in which something was wrong.
    pub failed: Vec<Outcome>,
}

impl Summary {
    /// The shortest run that failed.
    pub fn shortest(&self) -> Option<&Outcome> {
        self.failed.iter().min_by_key(|outcome| outcome.events)
    }

    fn take(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.events += outcome.events;
        self.simulated += outcome.simulated;
        // A sum: they come in any order.
        self.digest = self.digest.wrapping_add(outcome.digest);
        for (what, count) in &outcome.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
        if !outcome.violations.is_empty() {
            self.failed.push(outcome);
        }
    }
}

/// Runs seeds, with a bug planted or none, and tells after each how it stands; until `told` says that it
/// is enough.
pub fn sweep(first: u64, seeds: u64, bug: Option<Bug>, told: impl Fn(&Summary) -> bool + Sync) -> Summary {
    let (next, enough) = (AtomicU64::new(first), AtomicBool::new(false));
    let summary = Mutex::new(Summary::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let outcome = run(seed, bug, false);
                    let Ok(mut summary) = summary.lock() else { return };
                    summary.take(outcome);
                    if told(&summary) {
                        enough.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    summary.into_inner().unwrap_or_default()
}
