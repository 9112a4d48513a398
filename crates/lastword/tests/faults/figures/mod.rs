//! How long clients wait when the leader is killed or frozen, and when a replica comes back; on replicas without
//! anything between them.
//!
//! A wait is the time from a request to its answer, as the client's caller sees it. All processes run on this
//! machine, so what is measured has to share its cores with what measures.

mod crowd;
mod load;
mod strangers;
pub mod swarm;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::group::{Group, NAMES, REPLICAS, addresses};
use crate::progress::Progress;
use crate::stopping;
use load::Load;

/// Kills of the leader that are measured.
const KILLS: usize = 20;
/// Freezes of the leader that are measured.
const FREEZES: usize = 7;
/// A frozen leader stays so for so long.
const FROZEN: Duration = Duration::from_secs(4);
/// Times that a replica comes back, that are measured.
const REJOINS: usize = 5;
/// It is away for so long before.
const AWAY: Duration = Duration::from_secs(40);
/// So long is looked at what is usual.
const USUAL: Duration = Duration::from_secs(20);
/// Clients have found a replica that came back, so long after it is in sync: they dial every 2 s.
const FOUND: Duration = Duration::from_secs(3);
/// All are in sync in so long.
const IN_SYNC: Duration = Duration::from_secs(60);

/// Measures all. Whether every goal is reached.
pub async fn run(arguments: &Arguments) -> bool {
    let progress = Progress::new(false);
    let Ok(dir) = tempfile::Builder::new().prefix("lastword-figures-").tempdir() else { return false };
    let measured = tokio::select! {
        measured = measure(dir.path(), arguments, &progress) => measured,
        () = stopping::asked_for() => None,
    };
    match measured {
        Some(well) => well,
        None => {
            progress.say(&format!("the figures could not be measured; logs are in {}", dir.keep().display()));
            false
        }
    }
}

async fn measure(dir: &Path, arguments: &Arguments, progress: &Progress) -> Option<bool> {
    let mut well = true;
    let wanted = |word: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == word);
    if ["kill", "freeze", "rejoin", "strangers"].iter().any(|word| wanted(word)) {
        let folder = dir.join("load");
        let group = start(&folder, &[]).await?;
        let load = Load::start(&group).await?;
        tokio::time::sleep(FOUND).await;
        if wanted("kill") {
            well &= kills(&group, &load, progress).await?;
        }
        if wanted("freeze") {
            well &= freezes(&group, &load, progress).await?;
        }
        if wanted("rejoin") {
            well &= rejoin(&group, &load, progress).await?;
        }
        if wanted("strangers") {
            well &= strangers::measure(&group, &load, progress).await?;
        }
        load.stop().await;
    }
    if wanted("crowd") {
        let folder = dir.join("crowd");
        // A few more than the clients: whoever asks how the group is has a connection, too.
        let group = start(&folder, &["--connections=10100"]).await?;
        well &= crowd::measure(&group, progress).await?;
    }
    Some(well)
}

async fn start(dir: &Path, more: &[&str]) -> Option<Group> {
    std::fs::create_dir_all(dir).ok()?;
    let group = Group::prepare(dir, &addresses().ok()?, |_, _| None, more);
    group.start_all().ok()?;
    group.is_in_sync_within(IN_SYNC).await.then_some(group)
}

/// Says what was to be reached, and what was.
fn tell(progress: &Progress, what: &str, goal_ms: f64, measured_ms: f64, more: &str) -> bool {
    let well = measured_ms <= goal_ms;
    let verdict = if well { "reached" } else { "MISSED" };
    // More than there are cores: others were at work, too, and the figure says less.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("not known");
    progress.say(&format!(
        "{what}: goal {goal_ms:.0} ms, measured {measured_ms:.1} ms, {verdict} ({more}; load average {load})"
    ));
    well
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn list(times: &[Duration]) -> String {
    times.iter().map(|time| format!("{:.0}", ms(*time))).collect::<Vec<_>>().join(" ")
}

/// The leader of most clients, by its number.
fn leader(load: &Load) -> Option<usize> {
    let name = load.leader()?;
    NAMES.iter().position(|other| **other == name)
}

async fn all_is_well(group: &Group) -> Option<()> {
    group.start_all().ok()?;
    if !group.is_in_sync_within(IN_SYNC).await {
        return None;
    }
    tokio::time::sleep(FOUND).await;
    Some(())
}

async fn kills(group: &Group, load: &Load, progress: &Progress) -> Option<bool> {
    let mut waits = Vec::new();
    for _ in 0..KILLS {
        let victim = leader(load)?;
        let began = Instant::now();
        group.replica(victim).kill();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let wait = load.longest_since(began);
        progress.note(&format!("{} killed: the longest wait was {:.1} ms", NAMES[victim], ms(wait)));
        waits.push(wait);
        all_is_well(group).await?;
    }
    let middle = median(&mut waits);
    let more = format!(
        "median of {KILLS} kills of the longest wait of {} clients, {:.0} messages a second; in ms: {}",
        load::CLIENTS,
        load.rate(),
        list(&waits)
    );
    Some(tell(progress, "leader kill -9, longest wait", 50.0, ms(middle), &more))
}

async fn freezes(group: &Group, load: &Load, progress: &Progress) -> Option<bool> {
    let mut waits = Vec::new();
    for _ in 0..FREEZES {
        let victim = leader(load)?;
        let began = Instant::now();
        group.replica(victim).freeze();
        tokio::time::sleep(FROZEN).await;
        group.replica(victim).thaw();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let wait = load.longest_since(began);
        progress.note(&format!("{} frozen: the longest wait was {:.1} ms", NAMES[victim], ms(wait)));
        waits.push(wait);
        all_is_well(group).await?;
    }
    let middle = median(&mut waits);
    let more = format!("median of {FREEZES}; in ms: {}", list(&waits));
    Some(tell(progress, "leader frozen, longest wait", 1500.0, ms(middle), &more))
}

async fn rejoin(group: &Group, load: &Load, progress: &Progress) -> Option<bool> {
    let began = Instant::now();
    tokio::time::sleep(USUAL).await;
    let now = Instant::now();
    let usual = load.percentile_between(99, began, now);
    let (mut p99s, mut joins) = (Vec::new(), Vec::new());
    for _ in 0..REJOINS {
        let away = (leader(load)? + 1) % REPLICAS;
        group.replica(away).kill();
        tokio::time::sleep(AWAY).await;
        let began = Instant::now();
        group.replica(away).start().ok()?;
        if !group.is_in_sync_within(IN_SYNC).await {
            return None;
        }
        let took = began.elapsed();
        // Clients that dial it again are a part of its coming back.
        tokio::time::sleep(FOUND).await;
        let now = Instant::now();
        let p99 = load.percentile_between(99, began, now);
        progress.note(&format!(
            "{} came back: in sync after {:.1} s; p99 until {} s later {:.1} ms, the longest wait {:.1} ms; p99 of each 0.25 s of its first two in ms: {}",
            NAMES[away],
            took.as_secs_f64(),
            FOUND.as_secs(),
            ms(p99),
            ms(load.percentile_between(100, began, now)),
            list(&quarters(load, began)),
        ));
        p99s.push(p99);
        joins.push(took);
    }
    let middle = median(&mut p99s);
    let more = format!(
        "median of {REJOINS} of the p99 until {} s after it is in sync, to be twice the usual one of {:.1} ms; in ms: {}; away for {} s, in sync after {:.1} s (median), at {:.0} messages a second",
        FOUND.as_secs(),
        ms(usual),
        list(&p99s),
        AWAY.as_secs(),
        median(&mut joins).as_secs_f64(),
        load.rate(),
    );
    Some(tell(progress, "replica rejoining, p99 of answers", 2.0 * ms(usual), ms(middle), &more))
}

/// The p99 of each quarter of a second of the two from then on.
fn quarters(load: &Load, began: Instant) -> Vec<Duration> {
    let quarter = Duration::from_millis(250);
    (0..8).map(|n| load.percentile_between(99, began + n * quarter, began + (n + 1) * quarter)).collect()
}
