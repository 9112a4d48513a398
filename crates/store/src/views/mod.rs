//! `views.db`: what people read, made from the log.
//!
//! # Invariants
//! 1. Everything in it can be made from the log again. Whenever there is doubt, it is thrown away.
//! 2. `state` names the place of the log that the views stand for, in the same transaction as the
//!    changes: after a crash the rest of the log is applied again.
//! 3. Applying does not depend on the order: a message that was delivered, or dropped, before it came
//!    is not pending. So changes are gathered, sorted, and written many at a time.
//!
//! The rooms: `apply` gathers, `batch` writes, `query` and `snapshot` read; `leaves` (sorted sets, many entries
//! to a row), `entries` (which sets there are) and `partners` (whose conversations there are) are how it is kept; `messages` reads
//! what the log keeps.
//!
//! It is written without sync. A crash of the process leaves it whole (the writes are in the kernel);
//! a power cut may not. So a mark says under which boot of the machine it was written last: views of
//! another boot that were not closed properly are made anew.

mod apply;
mod batch;
mod dropping;
mod entries;
mod leaves;
mod messages;
mod partners;
mod query;
mod snapshot;

use std::collections::{BTreeSet, HashSet};

use lastword_facts::VersionVector;
use lastword_facts::ids::{AccountId, LogIndex, Stamp};
use lastword_facts::views::Change;
use rusqlite::{Connection, OptionalExtension, params};

use partners::KnownLasts;

use crate::dir::DataDir;
use crate::error::StoreError;
use crate::log::is_damage;
use crate::read::LogReader;
use crate::sql::small;

/// The version of the views' schema and of what applying means: others are made anew.
const VERSION: i64 = 13;

const SCHEMA: &str = "
    CREATE TABLE state (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE vector (incarnation INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
    CREATE TABLE unreadable (incarnation INTEGER NOT NULL, seq INTEGER NOT NULL);
    CREATE TABLE accounts (id BLOB PRIMARY KEY, record BLOB NOT NULL, deleted INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE shown_as (place INTEGER PRIMARY KEY, fact BLOB NOT NULL);
    CREATE TABLE keys (first BLOB PRIMARY KEY, entries BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE history (first BLOB PRIMARY KEY, entries BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE inbox (first BLOB PRIMARY KEY, entries BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE outbox (first BLOB PRIMARY KEY, entries BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE blocks (
        account BLOB NOT NULL, whom BLOB NOT NULL, record BLOB NOT NULL, PRIMARY KEY (account, whom)) WITHOUT ROWID;
    CREATE TABLE aside (first BLOB PRIMARY KEY, entries BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE shut (first BLOB PRIMARY KEY, entries BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE recent (first BLOB PRIMARY KEY, entries BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE ahead (author BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE dropping (account BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE copies (
        receiver BLOB NOT NULL, incarnation INTEGER NOT NULL, seq INTEGER NOT NULL, place INTEGER NOT NULL,
        PRIMARY KEY (receiver, incarnation, seq)) WITHOUT ROWID;
    CREATE INDEX copies_of ON copies (place);
    CREATE TABLE delivered (
        account BLOB NOT NULL, incarnation INTEGER NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY (account, incarnation)) WITHOUT ROWID;";

/// What people read.
pub struct Views {
    connection: Connection,
    /// Where the messages are.
    log: LogReader,
    /// The place of the log that the views stand for, with what is not committed yet.
    stand: LogIndex,
    vector: VersionVector,
    stamp: Stamp,
    /// When the latest message was taken, by the clock of its replica: milliseconds since 1970. Keys beyond that ran
    /// ahead, or nobody has used them.
    latest_ms: u64,
    /// What came since the last commit: written again when a transaction comes to nothing.
    uncommitted: Vec<Change>,
    /// So many of those are in the open transaction.
    written: usize,
    /// The disk was full at the last try: nothing of them is.
    full: bool,
    /// The accounts that are deleted.
    deleted: HashSet<AccountId>,
    /// Those of them of which something still waits.
    dropping: BTreeSet<AccountId>,
    lasts: KnownLasts,
    /// How many messages wait for their receivers, with what is in the open transaction.
    pending: u64,
    /// The same at the last commit.
    pending_committed: u64,
    made_anew: Option<&'static str>,
}

impl Views {
    /// Opens the views; makes them anew where they are missing, can't be trusted, are of another
    /// version, stand for more than the log holds, or for a record that was mended since
    /// ([`Log::mended`](crate::Log::mended)). The log must have been opened for appending before.
    ///
    /// # Errors
    /// They can't even be made anew.
    pub fn open(dir: &DataDir, log_end: LogIndex, mended: u64) -> Result<Self, StoreError> {
        let file = dir.views();
        let found = if file.exists() {
            Self::existing(dir, log_end, mended)
        } else {
            Err(Unusable::Because("they were missing"))
        };
        match found {
            Ok(views) => Ok(views),
            Err(Unusable::Because(why)) => Self::anew(dir, why, mended),
            Err(Unusable::Now(error)) => Err(error),
        }
    }

    /// Why the views had to be made anew, if so: then the whole log is applied again.
    pub fn made_anew(&self) -> Option<&'static str> {
        self.made_anew
    }

    /// The place of the log that the views stand for.
    pub fn stand(&self) -> LogIndex {
        self.stand
    }

    /// Whether the disk was full at the last try: what is applied now stays in memory.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// How many messages wait for their receivers, over all accounts. What was taken in since the last commit
    /// counts when it was asked for.
    pub fn pending(&self) -> u64 {
        self.pending
    }

    fn existing(dir: &DataDir, log_end: LogIndex, mended: u64) -> Result<Self, Unusable> {
        let mut views = Self::connect(dir)?;
        let state = |name: &str| -> Result<Option<i64>, StoreError> {
            let sql = "SELECT value FROM state WHERE name = ?1";
            Ok(views.connection.query_row(sql, params![name], |row| row.get(0)).optional()?)
        };
        if state("version")? != Some(VERSION) {
            return Err(Unusable::Because("they are of another version"));
        }
        let boot: Option<String> = views
            .connection
            .query_row("SELECT value FROM state WHERE name = 'boot'", [], |row| row.get(0))
            .optional()?;
        if boot.as_deref() == Some(VOID) {
            return Err(Unusable::Because("they could not be read"));
        }
        if boot.is_none_or(|boot| boot != CLOSED && (boot == UNKNOWN_BOOT || boot != current_boot())) {
            return Err(Unusable::Because("the machine went down while they were written"));
        }
        if state("mended")?.unwrap_or(0) as u64 != mended {
            return Err(Unusable::Because("a damaged record of the log was mended since"));
        }
        let stand = state("place")?.unwrap_or(0) as u64;
        if stand > log_end.0 {
            return Err(Unusable::Because("they stand for more than the log holds"));
        }
        let stamp = state("stamp")?.unwrap_or(0) as u64;
        (views.stand, views.stamp) = (LogIndex(stand), Stamp(stamp));
        views.latest_ms = state("latest_ms")?.unwrap_or(0) as u64;
        views.vector = views.load_vector()?;
        views.deleted = views.load_deleted()?;
        views.dropping = views.load_dropping()?;
        // A program that did not keep the count has left it at another place.
        let kept = if state("pending_place")? == Some(small(stand)) { state("pending")? } else { None };
        views.pending = match kept {
            Some(pending) => pending as u64,
            None => entries::INBOX.count(&views.connection)?,
        };
        views.pending_committed = views.pending;
        views.begin_writing()?;
        Ok(views)
    }

    fn anew(dir: &DataDir, why: &'static str, mended: u64) -> Result<Self, StoreError> {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = dir.views().as_os_str().to_owned();
            name.push(suffix);
            match std::fs::remove_file(name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(StoreError::Stuck(error)),
                _ => {}
            }
        }
        let mut views = Self::connect(dir)?;
        views.connection.execute_batch(&format!(
            "BEGIN; {SCHEMA} INSERT INTO state VALUES ('version', {VERSION}), ('place', 0), ('stamp', 0), \
             ('mended', {mended}); COMMIT;"
        ))?;
        views.begin_writing()?;
        views.made_anew = Some(why);
        Ok(views)
    }

    fn connect(dir: &DataDir) -> Result<Self, StoreError> {
        let connection = Connection::open(dir.views())?;
        connection.pragma_update(None, "page_size", 16_384)?;
        // Most pages are new ones: they are written once, where a write-ahead log writes all of them twice.
        connection.pragma_update(None, "journal_mode", "TRUNCATE")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Only a commit writes to the disk: questions are answered when it is full.
        connection.pragma_update(None, "cache_spill", false)?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self {
            connection,
            log: LogReader::open(dir)?,
            stand: LogIndex::NONE,
            vector: VersionVector::new(),
            stamp: Stamp::default(),
            latest_ms: 0,
            uncommitted: Vec::new(),
            written: 0,
            full: false,
            deleted: HashSet::new(),
            dropping: BTreeSet::new(),
            lasts: KnownLasts::default(),
            pending: 0,
            pending_committed: 0,
            made_anew: None,
        })
    }

    fn set_boot(&self, boot: &str) -> Result<(), StoreError> {
        self.connection.execute("INSERT OR REPLACE INTO state VALUES ('boot', ?1)", params![boot])?;
        Ok(())
    }

    /// From here on writing is not synced. What says so is on the disk before that.
    fn begin_writing(&self) -> Result<(), StoreError> {
        self.set_boot(current_boot())?;
        self.connection.pragma_update(None, "synchronous", "OFF")?;
        Ok(())
    }

    /// Lets the views take only so many more pages, as on a disk that is nearly full.
    #[doc(hidden)]
    pub fn limit_pages(&mut self, pages: u32) -> Result<(), StoreError> {
        self.connection.pragma_update(None, "max_page_count", pages)?;
        Ok(())
    }

    /// Has the views made anew when they are opened next, after something in them could not be read.
    ///
    /// # Errors
    /// Not even that could be written: who opens them next meets the same again.
    pub fn void(self) -> Result<(), StoreError> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        self.set_boot(VOID)
    }

    /// Closes the views properly: synced, and good after a reboot, too.
    ///
    /// # Errors
    /// They could not be written: then they are made anew at the next start.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.commit()?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        // The first one syncs all that was written before the second says so.
        self.set_boot(current_boot())?;
        self.set_boot(CLOSED)?;
        Ok(())
    }
}

/// Why the views that are there are not used.
enum Unusable {
    /// Made anew they are.
    Because(&'static str),
    /// It would be the same with new ones: the disk is full, or does not answer.
    Now(StoreError),
}

impl From<StoreError> for Unusable {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Sqlite(error) => error.into(),
            error => Self::Now(error),
        }
    }
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) { Self::Because("they could not be read") } else { Self::Now(error.into()) }
    }
}

/// In the place of a boot: the views were closed, and everything was synced.
const CLOSED: &str = "";
/// In the place of a boot: something in them could not be read.
const VOID: &str = "void";
/// The system does not tell its boots apart: then only closed views can be trusted.
const UNKNOWN_BOOT: &str = "unknown";

/// What tells one boot of the machine from another.
fn current_boot() -> &'static str {
    static BOOT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    BOOT.get_or_init(|| match std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(boot) if !boot.trim().is_empty() => boot.trim().to_owned(),
        _ => UNKNOWN_BOOT.to_owned(),
    })
}
