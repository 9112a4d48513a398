//! Runs seeds, shows how far it is, and the shortest run that failed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program that prints")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use sim::run::{Outcome, run};

/// Runs whole groups of replicas and clients on virtual time, with everything going wrong.
#[derive(Parser)]
struct Arguments {
    /// So many seeds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// From this one on.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Shows everything that happens in the first seed.
    #[arg(long)]
    trace: bool,
}

#[derive(Default)]
struct Summary {
    events: u64,
    simulated: Duration,
    counts: BTreeMap<String, u64>,
    failed: Vec<Outcome>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.trace {
        let outcome = run(arguments.first, true);
        print!("{}", outcome.trace);
        println!("seed {}: {}\n{:#?}", outcome.seed, outcome.plan, outcome.violations);
        return if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (began, next) = (Instant::now(), AtomicU64::new(arguments.first));
    let end = arguments.first + arguments.seeds;
    let summary = Mutex::new(Summary::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = run(seed, false);
                    let Ok(mut summary) = summary.lock() else { return };
                    summary.events += outcome.events;
                    summary.simulated += outcome.simulated;
                    for (what, count) in &outcome.counts {
                        *summary.counts.entry(what.clone()).or_default() += count;
                    }
                    if !outcome.violations.is_empty() {
                        eprintln!("seed {seed} failed: {}", outcome.violations[0]);
                        summary.failed.push(outcome);
                    }
                    let done = seed + 1 - arguments.first;
                    if done.is_multiple_of(500) {
                        eprintln!("{done} of {} seeds, {} failed", arguments.seeds, summary.failed.len());
                    }
                }
            });
        }
    });
    let summary = summary.into_inner().unwrap_or_default();
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} seeds, {:.1} simulated hours, {} events in {seconds:.1} s ({:.0} a second)",
        arguments.seeds,
        summary.simulated.as_secs_f64() / 3600.0,
        summary.events,
        summary.events as f64 / seconds
    );
    for (what, count) in &summary.counts {
        println!("{count:>12} {what}");
    }
    let Some(shortest) = summary.failed.iter().min_by_key(|outcome| outcome.events) else {
        println!("all passed");
        return ExitCode::SUCCESS;
    };
    println!("{} FAILED. The shortest, with `--first {} --trace`:", summary.failed.len(), shortest.seed);
    println!("{}\n{:#?}", shortest.plan, shortest.violations);
    ExitCode::FAILURE
}
