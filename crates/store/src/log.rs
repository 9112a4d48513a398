//! `log.db`: the facts, in the order in which they were taken in.
//!
//! # Invariants
//! 1. Append-only: nothing is changed but a record that is damaged.
//! 2. [`Log::append`] is one transaction and one sync: after it all of its facts are on disk, or none.
//! 3. Every record has a checksum over its place, its position and its bytes.
//!
//! There is no index on positions; instead there are [`Marks`].

use std::path::Path;
use std::sync::Arc;

use lastword_facts::Fact;
use lastword_facts::ids::{LogIndex, Position};
use rusqlite::{Connection, ErrorCode, OptionalExtension, ffi, params};

use crate::dir::DataDir;
use crate::error::{AppendError, OpenError, StoreError};
use crate::marks::{self, Marks};
use crate::record::{self, checksum};
use crate::sql::{Whole, small};

/// The format of the data directory that this program writes.
pub(crate) const FORMAT: u32 = 1;
const PAGE_BYTES: u64 = 8192;
/// About so many pages in the write-ahead log are moved into the table in one go. That stops the writer:
/// small ones do it for milliseconds, every few thousand facts.
const CHECKPOINT_PAGES: u64 = 500;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS log (
        place INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, seq INTEGER NOT NULL,
        checksum INTEGER NOT NULL, fact BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS marks (
        incarnation INTEGER NOT NULL, seq INTEGER NOT NULL, place INTEGER NOT NULL,
        PRIMARY KEY (incarnation, seq)) WITHOUT ROWID;";

/// The log, for appending.
pub struct Log {
    connection: Connection,
    end: LogIndex,
    marks: Marks,
    alone: bool,
    mended: u64,
    /// About how many pages wait in the write-ahead log.
    waiting_pages: u64,
}

impl Log {
    /// Opens the log, or begins one.
    ///
    /// # Errors
    /// It is damaged, or of a newer format.
    pub fn open(dir: &DataDir) -> Result<Self, OpenError> {
        let file = dir.log();
        let (connection, format) = Self::prepare(&file).map_err(|error| failed(&file, error))?;
        if format > FORMAT {
            return Err(OpenError::Newer { dir: dir.path().to_owned(), found: format, known: FORMAT });
        }
        Self::load(connection).map_err(|error| failed(&file, error))
    }

    /// Opens the file far enough to tell its format.
    fn prepare(file: &Path) -> rusqlite::Result<(Connection, u32)> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES as u32)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Append does it, and looks at what comes of it: SQLite would pass over a sync that failed.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        let known: bool = connection.query_row(
            "SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'",
            [],
            |row| row.get(0),
        )?;
        if !known {
            connection.execute_batch(&format!(
                "BEGIN; {SCHEMA} INSERT INTO meta VALUES ('format', {FORMAT}), ('alone', 0); COMMIT;"
            ))?;
        }
        let format = connection.query_row("SELECT value FROM meta WHERE name = 'format'", [], |row| row.get(0))?;
        Ok((connection, format))
    }

    fn load(connection: Connection) -> rusqlite::Result<Self> {
        // With all of its columns, so that a table of another make shows at once.
        let last = format!("SELECT {} FROM log ORDER BY place DESC LIMIT 1", record::COLUMNS);
        let end = connection.query_row(&last, [], record::read).optional()?.map_or(LogIndex::NONE, |last| last.index);
        let alone = connection.query_row("SELECT value FROM meta WHERE name = 'alone'", [], |row| row.get(0))?;
        let mended: Option<i64> =
            connection.query_row("SELECT value FROM meta WHERE name = 'mended'", [], |row| row.get(0)).optional()?;
        let marks = Marks::load(&connection)?;
        let mended = mended.unwrap_or(0) as u64;
        Ok(Self { connection, end, marks, alone, mended, waiting_pages: 0 })
    }

    /// The last place that is on disk.
    pub fn end(&self) -> LogIndex {
        self.end
    }

    /// How often a record was changed so that views made before are not true any more.
    pub fn mended(&self) -> u64 {
        self.mended
    }

    /// Whether this replica was the only one up when it stopped.
    pub fn alone(&self) -> bool {
        self.alone
    }

    /// Keeps durably whether this replica is the only one up.
    ///
    /// # Errors
    /// It could not be written, as in [`Log::append`]; what was kept before still is.
    pub fn set_alone(&mut self, alone: bool) -> Result<(), AppendError> {
        if alone == self.alone {
            return Ok(());
        }
        self.connection
            .execute("UPDATE meta SET value = ?1 WHERE name = 'alone'", params![alone])
            .map_err(not_written)?;
        self.alone = alone;
        Ok(())
    }

    /// Appends facts, syncs, and says where the log ends now.
    ///
    /// # Errors
    /// [`AppendError::Full`]: nothing was written, and the same may be tried again.
    /// [`AppendError::Failed`], [`AppendError::Damaged`]: the process must stop.
    pub fn append(&mut self, facts: &[Arc<Fact>]) -> Result<LogIndex, AppendError> {
        if facts.is_empty() {
            return Ok(self.end);
        }
        if let Err(error) = self.write(facts) {
            // The marks of this transaction are not there.
            self.marks = Marks::load(&self.connection).map_err(not_written)?;
            return Err(not_written(error));
        }
        self.end = LogIndex(self.end.0 + facts.len() as u64);
        // One page that was begun before and one of marks, besides the facts themselves.
        let bytes: u64 = facts.iter().map(|fact| fact.bytes().len() as u64 + 32).sum();
        self.waiting_pages += 2 + bytes / PAGE_BYTES;
        if self.waiting_pages >= CHECKPOINT_PAGES {
            self.checkpoint()?;
        }
        Ok(self.end)
    }

    fn write(&mut self, facts: &[Arc<Fact>]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for (place, fact) in (self.end.0 + 1..).map(LogIndex).zip(facts) {
                let Position { incarnation, seq } = fact.position;
                let checksum = checksum(place, fact.position, fact.bytes());
                let whole = Whole::from(incarnation);
                insert.execute(params![small(place.0), whole, small(seq.0), checksum, &fact.bytes()[..]])?;
                if self.marks.due(fact.position, place) {
                    self.marks.put(&transaction, fact.position, place)?;
                }
            }
        }
        transaction.commit()
    }

    /// Moves what waits in the write-ahead log into the table, as far as no reader is in the way.
    fn checkpoint(&mut self) -> Result<(), AppendError> {
        let moved = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?));
        match moved {
            Ok(left) => self.waiting_pages = u64::try_from(left).unwrap_or(0),
            // The facts are on disk; they are moved when there is room.
            Err(error) if is_full(&error) => self.waiting_pages = 0,
            Err(error) => return Err(not_written(error)),
        }
        Ok(())
    }

    /// Writes a fact over the record of its position, if that is damaged. Says whether it was. With
    /// `anew`, the views that were made before are not true any more.
    ///
    /// # Errors
    /// It could not be written, as in [`Log::append`]; the record is as damaged as before.
    pub fn repair(&mut self, fact: &Fact, anew: bool) -> Result<bool, AppendError> {
        let place = self.damaged_place(fact.position).map_err(not_written)?;
        if place.is_none() && !anew {
            return Ok(false);
        }
        let mended = self.mended + u64::from(anew);
        let written = self.connection.transaction().and_then(|transaction| {
            if let Some(place) = place {
                let Position { incarnation, seq } = fact.position;
                let checksum = checksum(place, fact.position, fact.bytes());
                let sql = "UPDATE log SET incarnation = ?2, seq = ?3, checksum = ?4, fact = ?5 WHERE place = ?1";
                let (whole, seq) = (Whole::from(incarnation), small(seq.0));
                transaction.execute(sql, params![small(place.0), whole, seq, checksum, &fact.bytes()[..]])?;
            }
            transaction.execute("INSERT OR REPLACE INTO meta VALUES ('mended', ?1)", params![small(mended)])?;
            transaction.commit()
        });
        written.map_err(not_written)?;
        self.mended = mended;
        Ok(place.is_some())
    }

    fn damaged_place(&self, position: Position) -> rusqlite::Result<Option<LogIndex>> {
        let Some((start, end)) = marks::window(&self.connection, position)? else { return Ok(None) };
        let sql = format!("SELECT {} FROM log WHERE place >= ?1 AND place < ?2 ORDER BY place", record::COLUMNS);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([small(start), small(end)])?;
        while let Some(row) = rows.next()? {
            let found = record::read(row)?;
            if found.position == position {
                return Ok((!found.whole).then_some(found.index));
            }
        }
        Ok(None)
    }

    /// Lets the log take only so many more pages, as on a disk that is nearly full.
    #[doc(hidden)]
    pub fn limit_pages(&mut self, pages: u32) -> Result<(), StoreError> {
        self.connection.pragma_update(None, "max_page_count", pages)?;
        Ok(())
    }
}

fn not_written(error: rusqlite::Error) -> AppendError {
    match error.sqlite_error_code() {
        _ if is_full(&error) => AppendError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => AppendError::Damaged(error),
        _ => AppendError::Failed(error),
    }
}

/// Whether the disk is full. The second: there is no room for the index of the write-ahead log.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull) || extended == Some(ffi::SQLITE_IOERR_SHMSIZE)
}

/// Whether a file's contents are not what was written, or not by this program.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    match error.sqlite_error() {
        // A value of a kind that does not belong there.
        None => true,
        Some(failure) => {
            // "Unknown" is SQLite's general error: a table or a column that is not there.
            matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
                || failure.extended_code == ffi::SQLITE_IOERR_SHORT_READ
        }
    }
}

/// Only damage is called so: moving the directory away helps against nothing else.
fn failed(file: &Path, error: rusqlite::Error) -> OpenError {
    if is_damage(&error) {
        OpenError::Damaged { file: file.to_owned(), what: error.to_string() }
    } else {
        OpenError::Io { path: file.to_owned(), source: std::io::Error::other(error) }
    }
}
