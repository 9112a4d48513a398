//! How ids and numbers stand in SQLite, whose integers are signed and of 64 bits.

use lastword_facts::ids::{AccountId, Incarnation, Key};
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// A number of all 64 bits, so that the order is kept: the sign bit is turned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Whole(pub u64);

impl From<Incarnation> for Whole {
    fn from(incarnation: Incarnation) -> Self {
        Self(incarnation.0)
    }
}

impl ToSql for Whole {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from((self.0 ^ (1 << 63)) as i64))
    }
}

impl FromSql for Whole {
    fn column_result(value: ValueRef) -> FromSqlResult<Self> {
        Ok(Self((i64::column_result(value)? as u64) ^ (1 << 63)))
    }
}

/// A number that fits: places, seqs and the stamps that can be.
pub(crate) fn small(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An id of 128 bits: a blob, whose order is that of the numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(pub u128);

impl From<AccountId> for Id {
    fn from(account: AccountId) -> Self {
        Self(account.0)
    }
}

impl From<Key> for Id {
    fn from(key: Key) -> Self {
        Self(key.0)
    }
}

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.to_be_bytes().to_vec()))
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(|bytes| Self(u128::from_be_bytes(bytes)))
    }
}
