//! Reading the log, beside the appending: its tail when the server starts, and ranges for peers.

use std::cell::Cell;
use std::sync::Arc;

use lastword_facts::Fact;
use lastword_facts::ids::{LogIndex, Position, Seq};
use lastword_facts::views::Found;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction};

use crate::dir::DataDir;
use crate::error::StoreError;
use crate::marks;
use crate::record;
use crate::sql::small;

/// A record whose checksum does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged {
    /// Its place in the log.
    pub index: LogIndex,
    /// The position that it has, as far as can be read.
    pub position: Position,
}

/// Reads the log. It sees what was appended before it asks.
pub struct LogReader {
    connection: Connection,
    /// Bytes of facts that were read by their places.
    bytes_read: Cell<u64>,
}

impl LogReader {
    /// Opens the log for reading. It must have been opened for appending before.
    ///
    /// # Errors
    /// SQLite can't open it.
    pub fn open(dir: &DataDir) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Self { connection: Connection::open_with_flags(dir.log(), flags)?, bytes_read: Cell::new(0) })
    }

    /// While this is held, what is read is the log of the first reading, and SQLite does not lock the file for each one
    /// anew. Not for long: what is appended meanwhile can't be moved from the write-ahead log.
    ///
    /// # Errors
    /// SQLite can't begin, or it is held already.
    pub(crate) fn hold(&self) -> Result<Transaction<'_>, StoreError> {
        Ok(self.connection.unchecked_transaction()?)
    }

    /// The fact of a place, unless its record is damaged or missing.
    ///
    /// # Errors
    /// SQLite can't read.
    pub(crate) fn at(&self, place: LogIndex) -> Result<Option<Arc<Fact>>, StoreError> {
        let sql = format!("SELECT {} FROM log WHERE place = ?1", record::COLUMNS);
        let found = self.connection.prepare_cached(&sql)?.query_row([small(place.0)], record::read).optional()?;
        let fact = found.and_then(|found| found.fact);
        let bytes = fact.as_ref().map_or(0, |fact| fact.bytes().len() as u64);
        self.bytes_read.set(self.bytes_read.get() + bytes);
        Ok(fact)
    }

    /// How many bytes of facts were read by their places.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read.get()
    }

    /// The records after a place, at most so many, in log order, without leaving one out.
    ///
    /// # Errors
    /// SQLite can't read on, or records are missing.
    pub fn tail(
        &self,
        after: LogIndex,
        most: u64,
        mut take: impl FnMut(LogIndex, Result<Arc<Fact>, Damaged>),
    ) -> Result<(), StoreError> {
        let sql = format!("SELECT {} FROM log WHERE place > ?1 ORDER BY place LIMIT ?2", record::COLUMNS);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let most = most.min(i64::MAX as u64);
        let mut rows = statement.query([small(after.0), small(most)])?;
        let mut last = after;
        while let Some(row) = rows.next()? {
            let found = record::read(row)?;
            if found.index != last.next() {
                return Err(StoreError::Missing { from: last.0 + 1, upto: found.index.0.saturating_sub(1) });
            }
            last = found.index;
            take(last, found.fact.ok_or(Damaged { index: last, position: found.position }));
        }
        Ok(())
    }

    /// Facts of one incarnation, from a position on: as many as are there without a gap, up to and
    /// with `upto`, at least one, and otherwise at most so many bytes.
    ///
    /// # Errors
    /// SQLite can't read.
    pub fn facts(&self, from: Position, upto: Seq, limit_bytes: u32) -> Result<Found, StoreError> {
        let mut pull = Pull { next: from, upto, room: limit_bytes as usize, facts: Vec::new(), damaged: None };
        let mut read_before = 0;
        while pull.next.seq <= upto {
            let window = marks::window(&self.connection, pull.next)?;
            let Some((start, end)) = window.filter(|&(_, end)| end > read_before) else {
                // It is not where it should be. If others after it are there, not even the position of
                // its record can be read; otherwise the log just ends here.
                pull.damaged = marks::is_passed(&self.connection, pull.next)?.then_some(pull.next);
                break;
            };
            if self.read_window(&mut pull, start.max(read_before), end)?.is_some() {
                break;
            }
            read_before = end;
        }
        Ok(Found::Facts { facts: pull.facts, damaged: pull.damaged })
    }

    fn read_window(&self, pull: &mut Pull, start: u64, end: u64) -> Result<Option<Done>, StoreError> {
        let sql = format!("SELECT {} FROM log WHERE place >= ?1 AND place < ?2 ORDER BY place", record::COLUMNS);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([small(start), small(end)])?;
        while let Some(row) = rows.next()? {
            // Another incarnation's, or the second record of one that was mended.
            if record::position(row)? != pull.next {
                continue;
            }
            let found = record::read(row)?;
            let Some(fact) = found.fact.filter(|_| found.whole) else {
                pull.damaged = Some(pull.next);
                return Ok(Some(Done));
            };
            if let Some(done) = pull.take(fact) {
                return Ok(Some(done));
            }
        }
        Ok(None)
    }
}

/// Facts on their way to a peer.
struct Pull {
    next: Position,
    upto: Seq,
    room: usize,
    facts: Vec<Arc<Fact>>,
    damaged: Option<Position>,
}

/// Nothing more is to be read.
struct Done;

impl Pull {
    fn take(&mut self, fact: Arc<Fact>) -> Option<Done> {
        let bytes = fact.bytes().len();
        if bytes > self.room && !self.facts.is_empty() {
            return Some(Done);
        }
        self.room = self.room.saturating_sub(bytes);
        self.facts.push(fact);
        self.next.seq = self.next.seq.next();
        (self.next.seq > self.upto).then_some(Done)
    }
}
