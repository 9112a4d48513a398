//! A record of the log: a fact with its place and a checksum.
//!
//! The checksum is over all of it (place, position, bytes), so that a record can't be taken for
//! another's either. The position stands twice, in columns and in the fact's own bytes: when only the
//! columns are damaged, the bytes still tell what the record is.

use std::sync::Arc;

use lastword_facts::Fact;
use lastword_facts::ids::{Incarnation, LogIndex, Position, Seq};
use rusqlite::Row;
use rusqlite::types::{FromSql, ValueRef};

use crate::sql::Whole;

/// The columns that [`read`] expects, in their order.
pub(crate) const COLUMNS: &str = "place, incarnation, seq, checksum, fact";

/// A record as it was found.
pub(crate) struct Record {
    pub(crate) index: LogIndex,
    /// By the columns; by the fact's own bytes, if those fit the checksum and the columns do not.
    pub(crate) position: Position,
    /// None: damaged.
    pub(crate) fact: Option<Arc<Fact>>,
    /// All of it is as it was written, the columns too.
    pub(crate) whole: bool,
}

/// CRC-32 over all that a record says.
pub(crate) fn checksum(index: LogIndex, position: Position, fact: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for number in [index.0, position.incarnation.0, position.seq.0] {
        hasher.update(&number.to_be_bytes());
    }
    hasher.update(fact);
    hasher.finalize()
}

/// The position that a row's columns name.
pub(crate) fn position(row: &Row) -> rusqlite::Result<Position> {
    let incarnation = Whole::column_result(row.get_ref(1)?).map_or(0, |whole| whole.0);
    Ok(Position { incarnation: Incarnation(incarnation), seq: Seq(integer(row, 2)? as u64) })
}

/// Reads a row. Whatever stands in it, this is no error: a damaged row can hold anything.
pub(crate) fn read(row: &Row) -> rusqlite::Result<Record> {
    let index = LogIndex(integer(row, 0)? as u64);
    let position = position(row)?;
    let written = integer(row, 3)?;
    let bytes = match row.get_ref(4)? {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => bytes,
        _ => &[],
    };
    let fits = |fact: &Fact| i64::from(checksum(index, fact.position, bytes)) == written;
    Ok(match Fact::decode(bytes).ok().filter(fits) {
        Some(fact) => {
            Record { index, position: fact.position, whole: fact.position == position, fact: Some(Arc::new(fact)) }
        }
        None => Record { index, position, fact: None, whole: false },
    })
}

fn integer(row: &Row, column: usize) -> rusqlite::Result<i64> {
    Ok(row.get_ref(column)?.as_i64().unwrap_or(0))
}
