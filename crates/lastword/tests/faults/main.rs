//! The real-fault suite: three replicas as processes on this machine, people who create, write, answer,
//! list, reconnect and delete; and meanwhile processes are killed and frozen, networks cut, disks emptied,
//! filled and damaged, in an order that the seed draws. What people were told and shown is checked as in the
//! simulator, and in the end all must be there, and equal on all replicas.
//!
//! ```text
//! cargo test --release --test faults -- --minutes 60 --seed 7
//! cargo test --release --test faults -- --figures
//! ```
//!
//! * `run`: a run from its beginning to its end.
//! * `person`, `reader`, `race`: what people do, and what they are shown.
//! * `faults` names the kinds of trouble, `trouble` makes it, with `proxy`, `network`, `hosts`, `disk`, `ground`.
//! * `checker` says what is wrong with what people were told and shown; `finale` and `logs` with what is there
//!   in the end.
//! * `figures`: how long clients wait.
//! * `stopping`: Ctrl-C and SIGTERM.

mod arguments;
mod chance;
mod checker;
mod disk;
mod faults;
mod figures;
mod finale;
mod ground;
mod group;
mod hosts;
mod logs;
mod network;
mod person;
mod progress;
mod proxy;
mod race;
mod reader;
mod replica;
mod report;
mod run;
mod shared;
mod stopping;
mod tally;
mod trouble;
mod usage;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    if !arguments.mean_this() {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("the machine has threads");
    let well = runtime.block_on(async {
        if let Some(tokens) = &arguments.tokens {
            allow_many_files();
            return figures::swarm::run(&arguments.swarm, tokens).await.is_ok();
        }
        if arguments.figures { figures::run(&arguments).await } else { run::run(&arguments).await }
    });
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every connection is an open file.
fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is refused, connecting will say so.
    let _ = setrlimit(Resource::Nofile, limit);
}
