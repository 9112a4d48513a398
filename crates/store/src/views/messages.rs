//! The messages themselves, by place, several to a row.

use std::sync::Arc;

use lastword_facts::ids::LogIndex;
use lastword_facts::views::MessageRecord;
use lastword_facts::{Body, Fact};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;
use crate::sql::small;

/// A row has at most so many bytes, unless one fact is larger: with pages of 16 KiB it fills one.
const ROW_BYTES: usize = 16_300;
/// Before the bytes of each fact: its place, and how many they are.
const HEAD: usize = 8 + 4;

/// Writes messages down, which must be in the order of their places, and after all that are there.
pub(super) fn put(connection: &Connection, messages: &[(LogIndex, &Arc<Fact>)]) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached("INSERT INTO messages VALUES (?1, ?2)")?;
    let mut row = Vec::with_capacity(ROW_BYTES);
    let mut first = LogIndex::NONE;
    for (place, fact) in messages {
        let bytes = fact.bytes();
        if row.len() + HEAD + bytes.len() > ROW_BYTES && !row.is_empty() {
            insert.execute(params![small(first.0), row])?;
            row.clear();
        }
        if row.is_empty() {
            first = *place;
        }
        let length = u32::try_from(bytes.len()).expect("facts are far smaller");
        row.extend_from_slice(&place.0.to_be_bytes());
        row.extend_from_slice(&length.to_be_bytes());
        row.extend_from_slice(bytes);
    }
    if !row.is_empty() {
        insert.execute(params![small(first.0), row])?;
    }
    Ok(())
}

/// From now on the message of a place is shown as this fact says, which is the same one at another position.
pub(super) fn show_as(connection: &Connection, place: LogIndex, fact: &Fact) -> Result<(), StoreError> {
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO shown_as VALUES (?1, ?2)")?;
    put.execute(params![small(place.0), &fact.bytes()[..]])?;
    Ok(())
}

/// Reads messages. Those of one row are read at once.
pub(super) struct Messages<'views> {
    connection: &'views Connection,
    row: Vec<u8>,
    /// Whether any message is shown as another position of it says, once that was asked.
    any_shown_as: Option<bool>,
}

impl<'views> Messages<'views> {
    pub fn new(connection: &'views Connection) -> Self {
        Self { connection, row: Vec::new(), any_shown_as: None }
    }

    /// The message of a place.
    ///
    /// # Errors
    /// It can't be read, or is not there: the views are damaged.
    pub fn read(&mut self, place: LogIndex) -> Result<MessageRecord, StoreError> {
        if find(&self.row, place).is_none() {
            let sql = "SELECT facts FROM messages WHERE first <= ?1 ORDER BY first DESC LIMIT 1";
            let mut covering = self.connection.prepare_cached(sql)?;
            self.row = covering.query_row([small(place.0)], |row| row.get(0)).optional()?.unwrap_or_default();
        }
        let first = Fact::decode(find(&self.row, place).unwrap_or_default())?;
        let shown = self.shown_as(place)?;
        let position = first.position;
        let Fact { author, key, .. } = first;
        let shown = shown.unwrap_or(first);
        let order = shown.order();
        let Body::Message(message) = shown.body else { return Err(StoreError::NoMessage(place.0)) };
        let lastword_facts::fact::Message { to, text, at_ms } = message;
        Ok(MessageRecord { index: place, position, order, author, key, to, text, at_ms })
    }
}

impl Messages<'_> {
    fn shown_as(&mut self, place: LogIndex) -> Result<Option<Fact>, StoreError> {
        let any = match self.any_shown_as {
            Some(any) => any,
            None => self
                .connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM shown_as)")?
                .query_row([], |row| row.get(0))?,
        };
        self.any_shown_as = Some(any);
        if !any {
            return Ok(None);
        }
        let mut shown_as = self.connection.prepare_cached("SELECT fact FROM shown_as WHERE place = ?1")?;
        let fact: Option<Vec<u8>> = shown_as.query_row([small(place.0)], |row| row.get(0)).optional()?;
        Ok(fact.map(Fact::decode).transpose()?)
    }
}

/// The fact of a place in a row.
fn find(mut row: &[u8], place: LogIndex) -> Option<&[u8]> {
    while let Some((head, rest)) = row.split_at_checked(HEAD) {
        let (found, length) = head.split_first_chunk::<8>()?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        let (fact, rest) = rest.split_at_checked(length)?;
        if u64::from_be_bytes(*found) == place.0 {
            return Some(fact);
        }
        row = rest;
    }
    None
}
