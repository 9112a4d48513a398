//! The messages themselves. They stand in the log, and are read from there by place: kept once more, they would be
//! most of what the views write.

use lastword_facts::ids::LogIndex;
use lastword_facts::views::MessageRecord;
use lastword_facts::{Body, Fact};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;
use crate::read::LogReader;
use crate::sql::small;

/// From now on the message of a place is shown as this fact says, which is the same one at another position.
pub(super) fn show_as(connection: &Connection, place: LogIndex, fact: &Fact) -> Result<(), StoreError> {
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO shown_as VALUES (?1, ?2)")?;
    put.execute(params![small(place.0), &fact.bytes()[..]])?;
    Ok(())
}

/// Reads messages.
pub(super) struct Messages<'views> {
    connection: &'views Connection,
    log: &'views LogReader,
    /// Whether any message is shown as another position of it says, once that was asked.
    any_shown_as: Option<bool>,
}

impl<'views> Messages<'views> {
    pub fn new(connection: &'views Connection, log: &'views LogReader) -> Self {
        Self { connection, log, any_shown_as: None }
    }

    /// The message of a place.
    ///
    /// # Errors
    /// Its record is damaged, or is no message: then the views are to be made anew, without it.
    pub fn read(&mut self, place: LogIndex) -> Result<MessageRecord, StoreError> {
        let first = self.log.at(place)?.ok_or(StoreError::NoMessage(place.0))?;
        let shown = self.shown_as(place)?;
        let shown = shown.as_ref().unwrap_or(&first);
        let Body::Message(message) = &shown.body else { return Err(StoreError::NoMessage(place.0)) };
        Ok(MessageRecord {
            index: place,
            position: first.position,
            order: shown.order(),
            author: first.author,
            key: first.key,
            to: message.to,
            text: message.text.clone(),
            at_ms: message.at_ms,
            unwanted: message.unwanted == Some(true),
        })
    }

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
