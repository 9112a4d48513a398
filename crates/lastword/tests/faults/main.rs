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
//! * `real`: the processes and their hosts; the suite `strangers` has them, too.

mod arguments;
mod chance;
mod checker;
mod disk;
mod faults;
mod figures;
mod finale;
mod ground;
mod logs;
mod network;
mod person;
mod proxy;
mod race;
mod reader;
#[path = "../real/mod.rs"]
mod real;
mod report;
mod run;
mod shared;
mod tally;
mod trouble;
mod usage;

use std::process::ExitCode;

use clap::Parser;
use real::{group, hosts, progress, stopping};

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    if !arguments.cargo.means("faults") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("the machine has threads");
    let well = runtime.block_on(async {
        if let Some(tokens) = &arguments.tokens {
            real::allow_many_files();
            return figures::swarm::run(&arguments.swarm, tokens).await.is_ok();
        }
        if arguments.figures { figures::run(&arguments).await } else { run::run(&arguments).await }
    });
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
