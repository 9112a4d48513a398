//! Opening a data directory, up to a core that has taken in all that is in it.

use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lastword_core::{Config, Core, Mono, Now, Output, Settings};
use lastword_facts::Incarnation;
use lastword_facts::views::Snapshot;
use lastword_store::{DataDir, Log, LogReader, StoreError, Views};

use crate::error::ServerError;
use crate::group::Group;

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
    /// The views, as far as the log goes.
    pub views: Views,
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
}

impl Clock {
    /// Begins now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time on both clocks.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: Mono(self.start.elapsed()), wall_us: wall.as_micros() as u64 }
    }

    /// How long it is until a moment; none if it has come.
    pub fn until(&self, moment: Mono) -> std::time::Duration {
        moment.since(Mono(self.start.elapsed()))
    }
}

/// Opens a data directory under a new incarnation.
///
/// # Errors
/// It is in use, damaged, or of a newer version.
pub fn open(data: &Path, group: &Group, settings: Settings) -> Result<Opened, ServerError> {
    let dir = DataDir::open(data)?;
    let log = Log::open(&dir)?;
    let reader = LogReader::open(&dir)?;
    let clock = Clock::start();
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
    let mut core = Core::new(config, snapshot, now);
    let mut failed = Ok(());
    let (mut since_commit, mut replayed) = (0, 0);
    reader.tail(from, |index, fact| {
        match fact {
            Ok(fact) => core.replay(index, &fact),
            Err(damaged) => core.replay_damaged(index, damaged.position),
        }
        replayed += 1;
        if replayed % PROGRESS_EVERY == 0 {
            tracing::info!("{replayed} facts of the log applied again");
        }
        since_commit += 1;
        if failed.is_ok() {
            let commit = since_commit >= COMMIT_EVERY;
            failed = catch_up(&mut core, &mut views, group, commit);
            since_commit = if commit { 0 } else { since_commit };
        }
    })?;
    failed?;
    catch_up(&mut core, &mut views, group, true)?;
    Ok(Opened { core, log, views, reader, group: group.clone(), clock, dir })
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
        tracing::info!("views.db is made anew from {} facts: {why}", log.end().0);
    }
    Ok((views, snapshot?))
}

/// Gives the views what the core has applied.
fn catch_up(core: &mut Core, views: &mut Views, group: &Group, commit: bool) -> Result<(), ServerError> {
    while let Some(output) = core.poll_output() {
        match output {
            Output::Apply(applied) => views.apply(&applied)?,
            Output::Report(report) => crate::reports::log(group, &report),
            // A core that was not started has nothing else to say.
            other => debug_assert!(false, "{other:?}"),
        }
    }
    if commit { Ok(views.commit()?) } else { Ok(()) }
}

/// An incarnation that was never used: 64 random bits.
fn draw_incarnation() -> Result<Incarnation, ServerError> {
    let drawn = getrandom::u64()
        .map_err(|error| ServerError::Machine { what: "randomness", source: std::io::Error::other(error) })?;
    Ok(Incarnation(drawn))
}
