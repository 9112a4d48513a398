//! Strangers: a group of three as processes, a few ordinary people who write to each other, and attacks from one
//! account and from 64 addresses. How long people wait is measured before each attack and during it; none may make
//! their p99 more than three times what it was, take a replica out of sync, or add more than 200 MB of memory to one.
//!
//! ```text
//! cargo test --release --test strangers                                a short run, which judges waits generously
//! cargo test --release --test strangers -- --full                      every attack in each of its forms; a table
//! cargo test --release --test strangers -- --full --only logins,list   only attacks whose names have one of these
//! ```
//!
//! * `run`: from the start of the group to the table; `judge` says what is too much, `table` writes it down.
//! * `people`: who writes, and how long they wait.
//! * `watch`: memory, processor time, sync and logs of the replicas.
//! * `cage`: the attackers' process, which may use half a core.
//! * `attacks`: what that process does; `wire`: its connections.

mod arguments;
mod attacks;
mod cage;
mod judge;
mod people;
#[path = "../real/mod.rs"]
mod real;
mod run;
mod table;
mod watch;
mod wire;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    if !arguments.cargo.means("strangers") {
        return ExitCode::SUCCESS;
    }
    real::allow_many_files();
    if let Some(ground) = &arguments.ground {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        return attacks::run(ground, runtime.expect("the machine has threads"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let well = runtime.expect("the machine has threads").block_on(run::run(&arguments));
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
