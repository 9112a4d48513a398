//! The seeds that every change must pass, and that a seed is a seed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sim::run::{Outcome, run};

const SEEDS: u64 = 2000;

#[test]
fn all_seeds_pass() {
    let next = AtomicU64::new(0);
    let failed: Mutex<Vec<Outcome>> = Mutex::default();
    let reached: Mutex<std::collections::BTreeMap<String, u64>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    let outcome = run(seed, false);
                    for (what, count) in &outcome.counts {
                        *reached.lock().unwrap().entry(what.clone()).or_default() += count;
                    }
                    if !outcome.violations.is_empty() {
                        failed.lock().unwrap().push(outcome);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let first = failed.iter().min_by_key(|outcome| outcome.events);
    assert!(
        first.is_none(),
        "{} seeds failed; see `cargo run -p sim --release -- --first {} --trace`: {:#?}",
        failed.len(),
        first.map_or(0, |outcome| outcome.seed),
        first.map(|outcome| &outcome.violations)
    );
    // A simulator that reaches nothing proves nothing.
    let reached = reached.into_inner().unwrap();
    for what in ["messages at two positions", "NotStaleAnyMore", "OutOfSync", "fault Wipe", "fault CutOneWay"] {
        assert!(reached.get(what).is_some_and(|&count| count > 0), "{what} was never reached: {reached:?}");
    }
}

#[test]
fn one_seed_is_one_run() {
    for seed in [1, 2, 3] {
        let (one, other) = (run(seed, true), run(seed, true));
        assert_eq!(one.trace, other.trace);
        assert_eq!((one.hash, one.events), (other.hash, other.events));
    }
}
