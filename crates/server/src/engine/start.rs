//! Opening a data directory, up to a core that has taken in all that is in it.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lastword_core::io::Report;
use lastword_core::{Config, Core, Mono, Now, Output, Settings};
use lastword_facts::views::Snapshot;
use lastword_facts::{Fact, Incarnation, LogIndex};
use lastword_store::{Damaged, DataDir, Log, LogReader, OpenError, StoreError, Views};

use super::making::Making;
use crate::error::ServerError;
use crate::group::Group;
use crate::reports::Reports;

/// Keys younger than this are held in memory from the start, in milliseconds.
const RECENT_KEYS_MS: u64 = 10 * 60 * 1000;
/// At most so many of them: a start does not wait for more to be read. Older ones ask the views.
const RECENT_KEYS: u32 = 50_000;
/// Changes between two commits while the log is applied again.
const COMMIT_EVERY: u64 = 20_000;
/// So many facts are applied again between two lines that tell of it.
const PROGRESS_EVERY: u64 = 500_000;

/// An open data directory, and the core that has taken it in.
pub struct Opened {
    /// The core, not yet started.
    pub core: Core,
    /// The log, for appending.
    pub log: Log,
    /// The views, as far as the log goes, unless they are to be made.
    pub views: Views,
    /// Makes the views while the server runs, if they are far behind.
    pub making: Option<Making>,
    /// The log, for reading.
    pub reader: LogReader,
    /// The group.
    pub group: Group,
    /// What the core's time is told by.
    pub clock: Clock,
    /// Locks the directory.
    pub dir: DataDir,
}

/// Tells the core's time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    wall_offset_ms: i64,
}

impl Clock {
    /// Begins now.
    pub fn start() -> Self {
        Self::start_shifted(0)
    }

    /// Begins now, with a wall clock that is so much ahead of the machine's: for tests, which can't turn that one.
    pub fn start_shifted(wall_offset_ms: i64) -> Self {
        Self { start: Instant::now(), wall_offset_ms }
    }

    /// The time on both clocks.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_us = (wall.as_micros() as u64).saturating_add_signed(self.wall_offset_ms.saturating_mul(1000));
        Now { mono: Mono(self.start.elapsed()), wall_us }
    }

    /// How long it is until a moment; none if it has come.
    pub fn until(&self, moment: Mono) -> std::time::Duration {
        moment.since(Mono(self.start.elapsed()))
    }
}

/// Opens a data directory under a new incarnation. Views that are further behind than `views_behind_max` facts are
/// left so ([`Opened::making`]). What the core reports meanwhile goes to `on_report`, beside the log lines.
///
/// # Errors
/// It is in use, damaged, or of a newer version.
pub fn open(
    data: &Path,
    group: &Group,
    settings: Settings,
    views_behind_max: u64,
    clock: Clock,
    on_report: impl Fn(&Report),
) -> Result<Opened, ServerError> {
    let reports = RefCell::new(Reports::new(group));
    let on_report = |report: &Report| {
        on_report(report);
        let mut reports = reports.borrow_mut();
        reports.log(report);
        reports.settle();
    };
    let dir = DataDir::open(data)?;
    let log = Log::open(&dir)?;
    let reader = LogReader::open(&dir).map_err(|error| of_log(&dir, error))?;
    let now = clock.now();
    let (mut views, mut snapshot) = open_views(&dir, &log, now, &settings)?;
    snapshot.alone = log.alone();
    let config = Config {
        own: group.own,
        replicas: group.members.len() as u8,
        group: group.hash,
        incarnation: draw_incarnation()?,
        settings,
    };
    let from = snapshot.index;
    let later = log.end().0 - from.0 > views_behind_max;
    let making = later.then(|| Making::new(Core::new(config.clone(), snapshot.clone(), now), log.end()));
    let mut core = Core::new(config, snapshot, now);
    let mut failed = Ok(());
    let mut replayed = 0;
    reader
        .tail(from, u64::MAX, |index, fact| {
            replay(&mut core, index, fact);
            replayed += 1;
            if replayed % PROGRESS_EVERY == 0 {
                tracing::info!("applied {replayed} facts of the log again");
            }
            if failed.is_ok() {
                let views = making.is_none().then_some(&mut views);
                failed = take_outputs(&mut core, views, &on_report, replayed % COMMIT_EVERY == 0);
            }
        })
        .map_err(|error| of_log(&dir, error))?;
    failed?;
    if making.is_none() {
        views.commit()?;
    }
    Ok(Opened { core, log, views, making, reader, group: group.clone(), clock, dir })
}

/// A log whose file is damaged beyond its records: to be refilled from the others.
fn of_log(dir: &DataDir, error: StoreError) -> ServerError {
    if !error.is_damage() {
        return error.into();
    }
    OpenError::Damaged { file: dir.path().join("log.db"), what: error.to_string() }.into()
}

/// Hands a record of the log to a core that was not started.
pub(super) fn replay(core: &mut Core, index: LogIndex, fact: Result<Arc<Fact>, Damaged>) {
    match fact {
        Ok(fact) => core.replay(index, &fact),
        Err(damaged) => core.replay_damaged(index, damaged.position),
    }
}

/// Opens the views, and what the core is to know of them; made anew if that can't be read.
fn open_views(dir: &DataDir, log: &Log, now: Now, settings: &Settings) -> Result<(Views, Snapshot), ServerError> {
    let keys_from_ms = (now.wall_us / 1000).saturating_sub(RECENT_KEYS_MS);
    let recent_keys = RECENT_KEYS.min(settings.recent_keys as u32);
    let mut views = Views::open(dir, log.end(), log.mended())?;
    let mut snapshot = views.snapshot(keys_from_ms, recent_keys);
    if snapshot.as_ref().is_err_and(StoreError::is_damage) {
        views.void()?;
        views = Views::open(dir, log.end(), log.mended())?;
        snapshot = views.snapshot(keys_from_ms, recent_keys);
    }
    if let Some(why) = views.made_anew().filter(|_| log.end().0 > 0) {
        tracing::info!("rebuilding views.db from {} facts: {why}", log.end().0);
    }
    Ok((views, snapshot?))
}

/// Gives the views, unless they are made later, what the core has applied.
fn take_outputs(
    core: &mut Core,
    mut views: Option<&mut Views>,
    on_report: &impl Fn(&Report),
    commit: bool,
) -> Result<(), ServerError> {
    while let Some(output) = core.poll_output() {
        match (output, &mut views) {
            (Output::Apply(applied), Some(views)) => views.apply(&applied)?,
            (Output::Apply(_), None) => {}
            (Output::Report(report), _) => on_report(&report),
            // A core that was not started has nothing else to say.
            (other, _) => debug_assert!(false, "{other:?}"),
        }
    }
    match views {
        Some(views) if commit => Ok(views.commit()?),
        _ => Ok(()),
    }
}

/// An incarnation that was never used: 64 random bits.
fn draw_incarnation() -> Result<Incarnation, ServerError> {
    let drawn = getrandom::u64()
        .map_err(|error| ServerError::Machine { what: "randomness", source: std::io::Error::other(error) })?;
    Ok(Incarnation(drawn))
}
