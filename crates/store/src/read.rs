//! Reading the log, beside the appending: its tail when the server starts, and ranges for peers.

use std::sync::Arc;

use lastword_facts::Fact;
use lastword_facts::ids::{LogIndex, Position, Seq};
use lastword_facts::views::Found;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use crate::dir::DataDir;
use crate::error::StoreError;
use crate::log::checksum;
use crate::sql::{Whole, small};

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
}

impl LogReader {
    /// Opens the log for reading. It must have been opened for appending before.
    ///
    /// # Errors
    /// SQLite can't open it.
    pub fn open(dir: &DataDir) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Self { connection: Connection::open_with_flags(dir.log(), flags)? })
    }

    /// Every record after a place, in log order.
    ///
    /// # Errors
    /// SQLite can't read on.
    pub fn tail(
        &self,
        after: LogIndex,
        mut take: impl FnMut(LogIndex, Result<Arc<Fact>, Damaged>),
    ) -> Result<(), StoreError> {
        let sql = "SELECT place, incarnation, seq, checksum, fact FROM log WHERE place > ?1 ORDER BY place";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![small(after.0)])?;
        while let Some(row) = rows.next()? {
            let record = record(row)?;
            take(record.0, record.1);
        }
        Ok(())
    }

    /// Facts of one incarnation, from a position on: as many as are there without a gap, up to and
    /// with `upto`, at least one, and otherwise at most so many bytes.
    ///
    /// # Errors
    /// SQLite can't read.
    pub fn facts(&self, from: Position, upto: Seq, limit_bytes: u32) -> Result<Found, StoreError> {
        let whole = Whole::from(from.incarnation);
        let mark: Option<i64> = self
            .connection
            .prepare_cached("SELECT place FROM marks WHERE incarnation = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1")?
            .query_row(params![whole, small(from.seq.0)], |row| row.get(0))
            .optional()?;
        let mut facts: Vec<Arc<Fact>> = Vec::new();
        let Some(mark) = mark else { return Ok(Found::Facts { facts, damaged: None }) };
        let sql = "SELECT place, incarnation, seq, checksum, fact FROM log
                   WHERE place >= ?1 AND incarnation = ?2 AND seq BETWEEN ?3 AND ?4 ORDER BY place";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![mark, whole, small(from.seq.0), small(upto.0)])?;
        let (mut next, mut bytes) = (from.seq, 0);
        while next <= upto
            && bytes < limit_bytes as usize
            && let Some(row) = rows.next()?
        {
            // A record that was mended is in the log a second time.
            if row.get::<_, i64>(2)? as u64 != next.0 {
                continue;
            }
            match record(row)?.1 {
                Ok(fact) => {
                    bytes += fact.bytes().len();
                    facts.push(fact);
                    next = next.next();
                }
                Err(damaged) => return Ok(Found::Facts { facts, damaged: Some(damaged.position) }),
            }
        }
        Ok(Found::Facts { facts, damaged: None })
    }
}

/// A record, with its checksum looked at.
fn record(row: &Row) -> rusqlite::Result<(LogIndex, Result<Arc<Fact>, Damaged>)> {
    let index = LogIndex(row.get::<_, i64>(0)? as u64);
    let incarnation = lastword_facts::Incarnation(row.get::<_, Whole>(1)?.0);
    let position = Position { incarnation, seq: Seq(row.get::<_, i64>(2)? as u64) };
    let bytes = row.get_ref(4)?.as_blob()?;
    let whole = row.get::<_, u32>(3)? == checksum(index.0, position, bytes);
    let fact = whole.then(|| Fact::decode(bytes).ok()).flatten().filter(|fact| fact.position == position);
    Ok((index, fact.map(Arc::new).ok_or(Damaged { index, position })))
}
