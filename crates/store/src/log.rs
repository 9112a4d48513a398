//! `log.db`: the facts, in the order in which they were taken in.
//!
//! # Invariants
//! 1. Append-only: nothing is changed but a record that is damaged.
//! 2. [`Log::append`] is one transaction and one sync: after it all of its facts are on disk, or none.
//! 3. Every record has a checksum over its place, its position and its bytes.
//!
//! There is no index on positions: two secondary indexes would make appending four to five times
//! dearer. Instead `marks` has the place of each incarnation's first fact and of one in every
//! [`MARK_EVERY`]; from there one reads on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use lastword_facts::Fact;
use lastword_facts::ids::{Incarnation, LogIndex, Position, Seq};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use crate::dir::DataDir;
use crate::error::{AppendError, OpenError, StoreError};
use crate::sql::{Whole, small};

/// The format of the data directory that this program writes.
pub(crate) const FORMAT: u32 = 1;
/// One fact of an incarnation in so many has its place noted.
const MARK_EVERY: u64 = 256;

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
    /// Of each incarnation the last seq that has a mark.
    marked: BTreeMap<Incarnation, Seq>,
    alone: bool,
}

impl Log {
    /// Opens the log, or begins one.
    ///
    /// # Errors
    /// It is damaged, or of a newer format.
    pub fn open(dir: &DataDir) -> Result<Self, OpenError> {
        let file = dir.log();
        let format = Self::prepare(&file).map_err(|error| damaged(&file, &error))?;
        if format.1 > FORMAT {
            return Err(OpenError::Newer { dir: dir.path().to_owned(), found: format.1, known: FORMAT });
        }
        Self::load(format.0).map_err(|error| damaged(&file, &error))
    }

    /// Opens the file far enough to tell its format.
    fn prepare(file: &Path) -> rusqlite::Result<(Connection, u32)> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "page_size", 8192)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // A checkpoint stops the writer: small ones do it for milliseconds, every few thousand facts.
        connection.pragma_update(None, "wal_autocheckpoint", 500)?;
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
        let end: Option<i64> = connection.query_row("SELECT max(place) FROM log", [], |row| row.get(0))?;
        let alone: Option<bool> =
            connection.query_row("SELECT value FROM meta WHERE name = 'alone'", [], |row| row.get(0)).optional()?;
        let marked = {
            let mut marks = connection.prepare("SELECT incarnation, max(seq) FROM marks GROUP BY incarnation")?;
            let rows = marks.query_map([], |row| {
                Ok((Incarnation(row.get::<_, Whole>(0)?.0), Seq(row.get::<_, i64>(1)? as u64)))
            })?;
            rows.collect::<rusqlite::Result<BTreeMap<_, _>>>()?
        };
        Ok(Self {
            connection,
            end: LogIndex(end.unwrap_or(0) as u64),
            marked,
            alone: alone.unwrap_or(false),
        })
    }

    /// The last place that is on disk.
    pub fn end(&self) -> LogIndex {
        self.end
    }

    /// Whether this replica was the only one up when it stopped.
    pub fn alone(&self) -> bool {
        self.alone
    }

    /// Keeps durably whether this replica is the only one up.
    ///
    /// # Errors
    /// It could not be written; what was kept before still is.
    pub fn set_alone(&mut self, alone: bool) -> Result<(), StoreError> {
        self.connection.execute("UPDATE meta SET value = ?1 WHERE name = 'alone'", params![alone])?;
        self.alone = alone;
        Ok(())
    }

    /// Appends facts, syncs, and says where the log ends now.
    ///
    /// # Errors
    /// [`AppendError::Full`]: nothing was written, and the same may be tried again.
    /// [`AppendError::Failed`]: the process must stop.
    pub fn append(&mut self, facts: &[Arc<Fact>]) -> Result<LogIndex, AppendError> {
        let marked = self.write(facts).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => AppendError::Full,
            _ => AppendError::Failed(error),
        })?;
        self.marked.extend(marked);
        self.end = LogIndex(self.end.0 + facts.len() as u64);
        Ok(self.end)
    }

    fn write(&mut self, facts: &[Arc<Fact>]) -> rusqlite::Result<BTreeMap<Incarnation, Seq>> {
        let mut marked: BTreeMap<Incarnation, Seq> = BTreeMap::new();
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5)")?;
            let mut mark = transaction.prepare_cached("INSERT OR IGNORE INTO marks VALUES (?1, ?2, ?3)")?;
            for (place, fact) in (self.end.0 + 1..).zip(facts) {
                let Position { incarnation, seq } = fact.position;
                let checksum = checksum(place, fact.position, fact.bytes());
                let whole = Whole::from(incarnation);
                insert.execute(params![small(place), whole, small(seq.0), checksum, &fact.bytes()[..]])?;
                let last = marked.get(&incarnation).or_else(|| self.marked.get(&incarnation));
                if last.is_none_or(|last| seq.0 >= last.0 + MARK_EVERY) {
                    mark.execute(params![whole, small(seq.0), small(place)])?;
                    marked.insert(incarnation, seq);
                }
            }
        }
        transaction.commit()?;
        Ok(marked)
    }

    /// Writes a fact over the damaged record of its position. Says whether there was one.
    ///
    /// # Errors
    /// It could not be written; the record is as damaged as before.
    pub fn repair(&mut self, fact: &Fact) -> Result<bool, StoreError> {
        let Position { incarnation, seq } = fact.position;
        let place: Option<i64> = self
            .connection
            .query_row(
                "SELECT place FROM log WHERE incarnation = ?1 AND seq = ?2 ORDER BY place LIMIT 1",
                params![Whole::from(incarnation), small(seq.0)],
                |row| row.get(0),
            )
            .optional()?;
        let Some(place) = place else { return Ok(false) };
        let checksum = checksum(place as u64, fact.position, fact.bytes());
        let sql = "UPDATE log SET checksum = ?2, fact = ?3 WHERE place = ?1";
        self.connection.execute(sql, params![place, checksum, &fact.bytes()[..]])?;
        Ok(true)
    }

    /// Lets the log take only so many more pages, as on a disk that is nearly full.
    #[doc(hidden)]
    pub fn limit_pages(&mut self, pages: u32) -> Result<(), StoreError> {
        self.connection.pragma_update(None, "max_page_count", pages)?;
        Ok(())
    }
}

/// CRC-32 over all that a record says.
pub(crate) fn checksum(place: u64, position: Position, fact: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for number in [place, position.incarnation.0, position.seq.0] {
        hasher.update(&number.to_be_bytes());
    }
    hasher.update(fact);
    hasher.finalize()
}

fn damaged(file: &Path, error: &rusqlite::Error) -> OpenError {
    OpenError::Damaged { file: file.to_owned(), what: error.to_string() }
}
