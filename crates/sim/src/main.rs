//! Runs seeds, shows how far it is, and the shortest run that failed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program that prints")]

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use lastword_marks::{BUGS, Bug};
use sim::run::run;
use sim::sweep::{Summary, sweep};

/// So many lines of the shortest failing run are shown: its end. `--trace` shows all.
const LINES: usize = 60;

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
    /// Prints only one number for all that is stored, said, applied and told in all seeds: the same before and after a
    /// change means that nothing else has changed.
    #[arg(long, conflicts_with = "trace")]
    digest: bool,
    /// Plants a bug; `--bug list` names them.
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let bug = match arguments.bug.as_deref().map(find) {
        None => None,
        Some(Some(bug)) => Some(bug),
        Some(None) => {
            for (bug, what) in BUGS {
                println!("{bug:?}:{what}");
            }
            return ExitCode::FAILURE;
        }
    };
    if arguments.trace {
        let outcome = run(arguments.first, bug, true);
        print!("{}", outcome.trace);
        println!("seed {}: {}\n{:#?}", outcome.seed, outcome.plan, outcome.violations);
        return if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let began = Instant::now();
    let summary = sweep(arguments.first, arguments.seeds, bug, |summary| {
        if summary.seeds.is_multiple_of(500) {
            eprintln!("{} of {} seeds, {} failed", summary.seeds, arguments.seeds, summary.failed.len());
        }
        false
    });
    if arguments.digest {
        println!("{:016x} {} seeds from {}", summary.digest, summary.seeds, arguments.first);
        return if summary.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    tell(&summary, began, bug)
}

fn find(name: &str) -> Option<Bug> {
    BUGS.iter().map(|&(bug, _)| bug).find(|bug| format!("{bug:?}") == name)
}

fn tell(summary: &Summary, began: Instant, bug: Option<Bug>) -> ExitCode {
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} seeds, {:.1} simulated hours, {} events in {seconds:.1} s ({:.0} a second)",
        summary.seeds,
        summary.simulated.as_secs_f64() / 3600.0,
        summary.events,
        summary.events as f64 / seconds
    );
    for (what, count) in &summary.counts {
        println!("{count:>12} {what}");
    }
    let Some(shortest) = summary.shortest() else {
        println!("all passed");
        return ExitCode::SUCCESS;
    };
    for outcome in &summary.failed {
        println!("seed {} failed: {}", outcome.seed, outcome.violations[0]);
    }
    // The same seed is the same run: this time with everything written down.
    let shortest = run(shortest.seed, bug, true);
    let lines: Vec<&str> = shortest.trace.lines().collect();
    println!("\nthe end of the shortest:");
    lines.iter().skip(lines.len().saturating_sub(LINES)).for_each(|line| println!("{line}"));
    println!("\n{}\n{:#?}", shortest.plan, shortest.violations);
    println!("{} FAILED. The shortest, whole: `--first {} --trace`", summary.failed.len(), shortest.seed);
    ExitCode::FAILURE
}
