//! `views.db`: what people read, made from the log.
//!
//! # Invariants
//! 1. Everything in it can be made from the log again. Whenever there is doubt, it is thrown away.
//! 2. `state` names the place of the log that the views stand for, in the same transaction as the
//!    changes: after a crash the rest of the log is applied again.
//! 3. Applying does not depend on the order: a message that was delivered, or dropped, before it came
//!    is not pending.
//!
//! It is written without sync. A crash of the process leaves it whole (the writes are in the kernel);
//! a power cut may not. So a mark says under which boot of the machine it was written last: views of
//! another boot that were not closed properly are made anew.

mod apply;
mod query;
mod snapshot;

use std::path::Path;

use lastword_facts::VersionVector;
use lastword_facts::ids::{LogIndex, Stamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::dir::DataDir;
use crate::error::StoreError;

/// The version of the views' schema and of what applying means: others are made anew.
const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE state (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE vector (incarnation INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
    CREATE TABLE accounts (id BLOB PRIMARY KEY, record BLOB NOT NULL, deleted INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE messages (
        place INTEGER PRIMARY KEY, key BLOB NOT NULL, author BLOB NOT NULL, receiver BLOB NOT NULL,
        incarnation INTEGER NOT NULL, seq INTEGER NOT NULL,
        stamp INTEGER NOT NULL, stamped_by INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, pending INTEGER NOT NULL, text TEXT NOT NULL);
    CREATE UNIQUE INDEX message_identity ON messages (key, author);
    CREATE INDEX message_history ON messages (min(author, receiver), max(author, receiver), stamp, stamped_by);
    CREATE INDEX message_inbox ON messages (receiver, place) WHERE pending;
    CREATE INDEX message_outbox ON messages (author, stamp, stamped_by) WHERE pending;
    CREATE TABLE copies (
        receiver BLOB NOT NULL, incarnation INTEGER NOT NULL, seq INTEGER NOT NULL, place INTEGER NOT NULL,
        PRIMARY KEY (receiver, incarnation, seq)) WITHOUT ROWID;
    CREATE TABLE delivered (
        account BLOB NOT NULL, incarnation INTEGER NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY (account, incarnation)) WITHOUT ROWID;";

/// What people read.
pub struct Views {
    connection: Connection,
    /// The place of the log that the views stand for, with what is not committed yet.
    stand: LogIndex,
    vector: VersionVector,
    stamp: Stamp,
    /// A transaction is open.
    open: bool,
    made_anew: Option<&'static str>,
}

impl Views {
    /// Opens the views; makes them anew where they are missing, can't be trusted, are of another
    /// version, or stand for more than the log holds.
    ///
    /// # Errors
    /// They can't even be made anew.
    pub fn open(dir: &DataDir, log_end: LogIndex) -> Result<Self, StoreError> {
        let file = dir.views();
        let found = if file.exists() { Self::existing(&file, log_end) } else { Err("they were missing") };
        match found {
            Ok(views) => Ok(views),
            Err(why) => Self::anew(&file, why),
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

    fn existing(file: &Path, log_end: LogIndex) -> Result<Self, &'static str> {
        let unreadable = |_: StoreError| "they could not be read";
        let mut views = Self::connect(file).map_err(unreadable)?;
        let state = |name: &str| -> Result<Option<i64>, StoreError> {
            let sql = "SELECT value FROM state WHERE name = ?1";
            Ok(views.connection.query_row(sql, params![name], |row| row.get(0)).optional()?)
        };
        if state("version").map_err(unreadable)? != Some(VERSION) {
            return Err("they are of another version");
        }
        let boot: Option<String> = views
            .connection
            .query_row("SELECT value FROM state WHERE name = 'boot'", [], |row| row.get(0))
            .optional()
            .map_err(|_| "they could not be read")?;
        if boot.is_some_and(|boot| !boot.is_empty() && boot != current_boot()) {
            return Err("the machine went down while they were written");
        }
        let stand = state("place").map_err(unreadable)?.unwrap_or(0) as u64;
        if stand > log_end.0 {
            return Err("they stand for more than the log holds");
        }
        let stamp = state("stamp").map_err(unreadable)?.unwrap_or(0) as u64;
        (views.stand, views.stamp) = (LogIndex(stand), Stamp(stamp));
        views.vector = views.load_vector().map_err(unreadable)?;
        views.set_boot(current_boot()).map_err(unreadable)?;
        Ok(views)
    }

    fn anew(file: &Path, why: &'static str) -> Result<Self, StoreError> {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = file.as_os_str().to_owned();
            name.push(suffix);
            // What is not there need not be removed; what can't be removed fails below.
            let _ = std::fs::remove_file(name);
        }
        let mut views = Self::connect(file)?;
        views.connection.execute_batch(&format!(
            "BEGIN; {SCHEMA} INSERT INTO state VALUES ('version', {VERSION}), ('place', 0), ('stamp', 0); COMMIT;"
        ))?;
        views.set_boot(current_boot())?;
        views.made_anew = Some(why);
        Ok(views)
    }

    fn connect(file: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "page_size", 8192)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self {
            connection,
            stand: LogIndex::NONE,
            vector: VersionVector::new(),
            stamp: Stamp::default(),
            open: false,
            made_anew: None,
        })
    }

    fn set_boot(&self, boot: &str) -> Result<(), StoreError> {
        self.connection.execute("INSERT OR REPLACE INTO state VALUES ('boot', ?1)", params![boot])?;
        Ok(())
    }

    /// Closes the views properly: synced, and good after a reboot, too.
    ///
    /// # Errors
    /// They could not be written: then they are made anew at the next start.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.commit()?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        self.set_boot("")?;
        Ok(())
    }
}

/// What tells one boot of the machine from another; empty where the system does not say.
fn current_boot() -> &'static str {
    static BOOT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    BOOT.get_or_init(|| std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned())
}
