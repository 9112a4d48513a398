//! Answering questions to the views.

use lastword_facts::ids::{AccountId, Incarnation, Key, LogIndex, Order, Position, Seq, Stamp};
use lastword_facts::views::{Found, MessageRecord, Query};
use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::Views;
use crate::error::StoreError;
use crate::sql::{Id, Whole, small};

/// What a [`MessageRecord`] is made of.
const COLUMNS: &str = "place, key, author, receiver, incarnation, seq, stamp, stamped_by, at_ms, text";

impl Views {
    /// Answers a question: any but [`Query::Facts`], which is for [`crate::LogReader`].
    ///
    /// # Errors
    /// The views can't be read.
    pub fn query(&self, query: &Query) -> Result<Found, StoreError> {
        match *query {
            Query::PendingCount(account) => {
                let sql = "SELECT count(*) FROM messages WHERE pending AND receiver = ?1";
                let count: i64 =
                    self.connection.prepare_cached(sql)?.query_row([Id::from(account)], |row| row.get(0))?;
                Ok(Found::Count(count as u64))
            }
            Query::Inbox { account, after, limit } => self.page(
                "WHERE pending AND receiver = ?2 AND place > ?3 ORDER BY place LIMIT ?1",
                limit,
                &[&Id::from(account), &small(after.0)],
            ),
            Query::Outbox { account, after, limit } => {
                let after = match after {
                    Some(key) => self.known(account, key)?.map(|message| message.order),
                    None => None,
                };
                let (stamp, by) =
                    after.map_or((-1, Whole(0)), |order| (small(order.stamp.0), order.incarnation.into()));
                self.page(
                    "WHERE pending AND author = ?2 AND (stamp, stamped_by) > (?3, ?4)
                     ORDER BY stamp, stamped_by LIMIT ?1",
                    limit,
                    &[&Id::from(account), &stamp, &by],
                )
            }
            Query::History { one, other, before, limit } => {
                let (stamp, by) =
                    before.map_or((i64::MAX, Whole(0)), |order| (small(order.stamp.0), order.incarnation.into()));
                self.page(
                    "WHERE min(author, receiver) = ?2 AND max(author, receiver) = ?3
                     AND (stamp, stamped_by) < (?4, ?5) ORDER BY stamp DESC, stamped_by DESC LIMIT ?1",
                    limit,
                    &[&Id::from(one.min(other)), &Id::from(one.max(other)), &stamp, &by],
                )
            }
            Query::Known { author, key } => Ok(Found::Known(self.known(author, key)?)),
            Query::Facts { .. } => Ok(Found::Facts { facts: Vec::new(), damaged: None }),
        }
    }

    pub(super) fn known(&self, author: AccountId, key: Key) -> Result<Option<MessageRecord>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM messages WHERE version_7 = ?3 AND key = ?1 AND author = ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement
            .query_row(params![Id::from(key), Id::from(author), key.time_ms().is_some()], message)
            .optional()?)
    }

    /// A page of messages: one more than asked for is read, to know whether there are more.
    fn page(&self, rest: &str, limit: u32, parameters: &[&dyn ToSql]) -> Result<Found, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM messages {rest}");
        let one_more = i64::from(limit) + 1;
        let mut all: Vec<&dyn ToSql> = vec![&one_more];
        all.extend_from_slice(parameters);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut messages = statement.query_map(&all[..], message)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let more = messages.len() > limit as usize;
        messages.truncate(limit as usize);
        Ok(Found::Messages { messages, more })
    }

    /// Messages with version 7 keys, the latest keys first: at most so many.
    pub(super) fn latest_keys(&self, from: Key, limit: u64) -> Result<Vec<MessageRecord>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM messages INDEXED BY message_identity
             WHERE version_7 = 1 AND key >= ?1 ORDER BY key DESC, author DESC LIMIT ?2"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let latest = statement.query_map(params![Id::from(from), small(limit)], message)?;
        Ok(latest.collect::<rusqlite::Result<_>>()?)
    }
}

fn message(row: &Row) -> rusqlite::Result<MessageRecord> {
    let position =
        Position { incarnation: Incarnation(row.get::<_, Whole>(4)?.0), seq: Seq(row.get::<_, i64>(5)? as u64) };
    let order =
        Order { stamp: Stamp(row.get::<_, i64>(6)? as u64), incarnation: Incarnation(row.get::<_, Whole>(7)?.0) };
    Ok(MessageRecord {
        index: LogIndex(row.get::<_, i64>(0)? as u64),
        position,
        order,
        key: Key(row.get::<_, Id>(1)?.0),
        author: AccountId(row.get::<_, Id>(2)?.0),
        to: AccountId(row.get::<_, Id>(3)?.0),
        at_ms: row.get::<_, i64>(8)? as u64,
        text: row.get(9)?,
    })
}
