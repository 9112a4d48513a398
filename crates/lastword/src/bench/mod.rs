//! `lastword bench`: load on a group, with every message checked.
//!
//! * `stage`: the group (one that runs, or one of its own) and the accounts that take part.
//! * `load`: sends and receives.
//! * `tally`: what was acknowledged and what came, message by message; `recorder`: times and counts.
//! * `usage`: processor, memory and disk; `report`: what is said in the end.

mod load;
mod recorder;
mod report;
mod stage;
mod tally;
mod usage;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::chat::{addresses, announce, progress};
use crate::tls::TlsArguments;
use load::{Pace, Silence};
use recorder::Recorder;
use report::{Measured, Report};
use stage::{Pair, Stage};
use tally::Verdict;
use usage::Usage;

/// What is still on its way when the load ends may take so long without any progress.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is told how it goes.
const PROGRESS: Duration = Duration::from_secs(1);

/// Arguments of `lastword bench`.
#[derive(Args)]
#[command(
    after_help = "On a group that runs, the accounts of the run are deleted at the end. Its messages stay in the servers' data: \
                        there is no way to remove them yet. Use --local, or a group that you can throw away."
)]
pub(crate) struct Arguments {
    /// The replicas, in the order of preference: `HOST PORT HOST PORT …` or `HOST:PORT,HOST:PORT,…`.
    /// Default: the three replicas that `lastword local` starts.
    #[arg(value_name = "HOST PORT", conflicts_with = "local")]
    replicas: Vec<String>,
    /// Start three servers for this run alone, and stop them after it.
    #[arg(long)]
    local: bool,
    /// With --local: keep the servers' data in this directory, and continue with it in the next run
    /// [default: a temporary folder that is deleted].
    #[arg(long, value_name = "DIR", requires = "local")]
    data: Option<PathBuf>,
    /// How many connections send.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4000))]
    connections: u32,
    /// Messages in flight at a time, over all connections.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    in_flight: u32,
    /// How long to send, in seconds.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Bytes of a message's text.
    #[arg(long, value_name = "BYTES", default_value_t = 140, value_parser = clap::value_parser!(u32).range(16..=16_384))]
    size: u32,
    /// Which receivers are listening.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = Receivers::Online)]
    receivers: Receivers,
    /// With --local: kill the server in use halfway through the run, like `kill -9`.
    #[arg(long, requires = "local")]
    kill_leader: bool,
    #[command(flatten)]
    tls: TlsArguments,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Clap drops `requires = "local"` when replicas are given, because `local` conflicts with them.
    fn check(&self) -> Result<(), String> {
        let needs_local = [("--data", self.data.is_some()), ("--kill-leader", self.kill_leader)];
        match needs_local.into_iter().find(|(_, given)| *given && !self.local) {
            Some((option, _)) => Err(format!(
                "{option} works only with --local, which starts servers for this run alone. Leave {option} out, or give --local instead of the replicas."
            )),
            None => Ok(()),
        }
    }
}

/// Whether receivers are listening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Receivers {
    /// All of them.
    Online,
    /// None: every message waits as pending.
    Offline,
    /// Every second one.
    Mixed,
}

impl Receivers {
    fn listens(self, number: usize) -> bool {
        match self {
            Self::Online => true,
            Self::Offline => false,
            Self::Mixed => number.is_multiple_of(2),
        }
    }
}

impl fmt::Display for Receivers {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Mixed => "mixed",
        })
    }
}

/// Runs the load. The exit code says whether every acknowledged message was delivered once and in
/// order, or waits.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let replicas = match addresses::parse(&arguments.replicas).and_then(|replicas| arguments.check().map(|()| replicas))
    {
        Ok(replicas) => replicas,
        Err(wrong) => crate::chat::bad_arguments("bench", wrong),
    };
    crate::server::allow_many_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut stage = if arguments.local {
            Stage::local(arguments.data.as_deref())?
        } else {
            progress(STAYS);
            Stage::running(replicas, arguments.tls.read()?)
        };
        let report = tokio::select! {
            report = measure(arguments, &mut stage) => report,
            _ = interrupts.recv() => Err(anyhow!("interrupted: there is no result")),
        };
        if report.is_err() {
            // A second Ctrl-C does not wait for this.
            tokio::select! {
                _ = stage.leave() => {}
                _ = interrupts.recv() => {}
            }
        }
        report
    })?;
    announce(&if arguments.json { report.json()? } else { report.table() });
    Ok(if report.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Said before a run on a group that is not of this run alone.
const STAYS: &str = "This writes to a group that others may use: its accounts are deleted at the end, but the messages, and the \
                     names of those accounts, stay in the servers' data.";

async fn measure(arguments: &Arguments, stage: &mut Stage) -> anyhow::Result<Report> {
    let (pairs, events): (Vec<_>, Vec<_>) = stage.pairs(arguments).await?.into_iter().unzip();
    let recorder = Arc::new(Recorder::new());
    let mut receivers = JoinSet::new();
    for (pair, events) in pairs.iter().zip(events) {
        if let Some(events) = events {
            receivers.spawn(load::receive(events, Arc::clone(pair), Arc::clone(&recorder)));
        }
    }
    stage.begin();
    let (generator, began) = (Usage::of("self"), Instant::now());
    let silences = send_all(arguments, stage, &pairs, &recorder).await?;
    wait_for_deliveries(&pairs, &recorder).await;
    // What is asked for after the load is no part of it.
    let (generator, replicas) = (Usage::of("self").since(generator), stage.used());
    for pair in pairs.iter().filter(|pair| !pair.listens) {
        pair.count_pending().await?;
    }
    receivers.shutdown().await;
    let disk_bytes = stage.leave().await;
    let mut verdict = Verdict::default();
    pairs.iter().for_each(|pair| verdict.add(pair.tally().verdict()));
    let records = recorder.read();
    let until = |moment: Option<Instant>| moment.unwrap_or(began) - began;
    let (answering, delivering) = (until(records.last_answer), until(records.last_delivery));
    let measured = Measured { answering, delivering, silences, verdict, replicas, generator, disk_bytes };
    Ok(Report::new(arguments, &records, &measured))
}

/// Sends from all connections, until the time is over and everything is answered.
async fn send_all(
    arguments: &Arguments,
    stage: &mut Stage,
    pairs: &[Arc<Pair>],
    recorder: &Arc<Recorder>,
) -> anyhow::Result<Vec<Silence>> {
    let (began, lasts) = (Instant::now(), Duration::from_secs(arguments.seconds.into()));
    let mut senders = JoinSet::new();
    for (n, pair) in pairs.iter().enumerate() {
        let in_flight = share(arguments.in_flight as usize, pairs.len(), n);
        let pace = Pace { in_flight, size: arguments.size as usize, ends: began + lasts };
        senders.spawn(load::send(Arc::clone(pair), pace, Arc::clone(recorder)));
    }
    let mut silences = Vec::new();
    let mut kills = arguments.kill_leader;
    let mut tick = tokio::time::interval(PROGRESS);
    tick.tick().await;
    loop {
        tokio::select! {
            ended = senders.join_next() => match ended {
                Some(silence) => silences.push(silence.context("a sender has failed")?),
                None => return Ok(silences),
            },
            () = tokio::time::sleep_until((began + lasts / 2).into()), if kills => {
                kills = false;
                recorder.killed();
                stage.kill_leader(&pairs[0].sender)?;
            }
            _ = tick.tick() => tell_progress(recorder, began.elapsed(), lasts),
        }
    }
}

/// What the `n`th of so many connections has in flight.
fn share(in_flight: usize, connections: usize, n: usize) -> usize {
    in_flight / connections + usize::from(n < in_flight % connections)
}

fn tell_progress(recorder: &Recorder, elapsed: Duration, lasts: Duration) {
    let records = recorder.read();
    let waits = if elapsed > lasts { ", waiting for the last answers" } else { "" };
    progress(&format!(
        "{:.0} of {} s: {} acknowledged, {} delivered{waits}",
        elapsed.as_secs_f64(),
        lasts.as_secs(),
        records.acknowledged,
        records.delivered,
    ));
}

/// Waits for what is still on its way to those who listen, as long as something comes.
async fn wait_for_deliveries(pairs: &[Arc<Pair>], recorder: &Recorder) {
    let mut delivered = recorder.read().delivered;
    let mut moved = Instant::now();
    while moved.elapsed() < PATIENCE && !pairs.iter().all(|pair| !pair.listens || pair.tally().is_complete()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = recorder.read().delivered;
        if now != delivered {
            (delivered, moved) = (now, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn the_shares_make_the_whole() {
        for (in_flight, connections) in [(1, 1), (1, 64), (64, 64), (1000, 64), (5, 3)] {
            let shares: Vec<_> = (0..connections).map(|n| share(in_flight, connections, n)).collect();
            assert_eq!(shares.iter().sum::<usize>(), in_flight);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{shares:?}");
        }
    }
}
