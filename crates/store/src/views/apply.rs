//! Writing changes down, in log order.

use lastword_facts::ids::{AccountId, LogIndex, Position};
use lastword_facts::views::{AccountRecord, Applied, Change};
use lastword_facts::{Body, Fact};
use rusqlite::{OptionalExtension, params};

use super::Views;
use crate::error::StoreError;
use crate::sql::{Id, Whole, small};

impl Views {
    /// Writes changes down, in log order, from the place after the one that the views stand for on.
    /// What is asked afterwards sees them; on disk they are after [`Views::commit`].
    ///
    /// # Errors
    /// They could not be written. The views then are to be closed and opened again.
    pub fn apply(&mut self, all: &[Applied]) -> Result<(), StoreError> {
        for applied in all {
            if applied.index != self.stand.next() {
                return Err(StoreError::Gap { stand: self.stand.0, given: applied.index.0 });
            }
            if !self.open {
                self.connection.execute_batch("BEGIN")?;
                self.open = true;
            }
            match &applied.change {
                Change::None => {}
                Change::Account(record) => self.put_account(record)?,
                Change::Message(fact) => self.put_message(applied.index, fact)?,
                Change::Delivered { account, upto } => self.deliver(*account, upto)?,
                Change::Deleted(record) => {
                    self.put_account(record)?;
                    self.drop_pending(record.id)?;
                }
            }
            self.stand = applied.index;
            self.vector.raise(applied.position);
            self.stamp = self.stamp.max(applied.stamp);
        }
        Ok(())
    }

    /// Ends the transaction, with the place that the views stand for now.
    ///
    /// # Errors
    /// It could not be written: the views stand for what they stood for at the last commit.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if !self.open {
            return Ok(());
        }
        {
            let mut state = self.connection.prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2)")?;
            state.execute(params!["place", small(self.stand.0)])?;
            state.execute(params!["stamp", small(self.stamp.0)])?;
            let mut vector = self.connection.prepare_cached("INSERT OR REPLACE INTO vector VALUES (?1, ?2)")?;
            for Position { incarnation, seq } in self.vector.iter() {
                vector.execute(params![Whole::from(incarnation), small(seq.0)])?;
            }
        }
        self.connection.execute_batch("COMMIT")?;
        self.open = false;
        Ok(())
    }

    fn put_account(&self, record: &AccountRecord) -> Result<(), StoreError> {
        let bytes = minicbor::to_vec(record).expect("writing to a vector never fails");
        let mut put = self.connection.prepare_cached("INSERT OR REPLACE INTO accounts VALUES (?1, ?2, ?3)")?;
        put.execute(params![Id::from(record.id), bytes, record.deleted])?;
        Ok(())
    }

    fn put_message(&self, index: LogIndex, fact: &Fact) -> Result<(), StoreError> {
        let Body::Message(message) = &fact.body else { return Ok(()) };
        let pending = !self.is_delivered(message.to, fact.position)?
            && !self.is_deleted(message.to)?
            && !self.is_deleted(fact.author)?;
        let (key, author, order) = (Id::from(fact.key), Id::from(fact.author), fact.order());
        let inserted = self
            .connection
            .prepare_cached("INSERT OR IGNORE INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?
            .execute(params![
                small(index.0),
                key,
                author,
                Id::from(message.to),
                Whole::from(fact.position.incarnation),
                small(fact.position.seq.0),
                small(order.stamp.0),
                Whole::from(order.incarnation),
                small(message.at_ms),
                pending,
                message.text,
            ])?;
        if inserted == 0 { self.put_copy(fact, pending) } else { Ok(()) }
    }

    /// The same message at a second position: the smallest order counts, with what is said there, and
    /// it is delivered when either is.
    fn put_copy(&self, fact: &Fact, pending: bool) -> Result<(), StoreError> {
        let Body::Message(message) = &fact.body else { return Ok(()) };
        let (key, author, order) = (Id::from(fact.key), Id::from(fact.author), fact.order());
        let sql = "SELECT place, stamp, stamped_by, receiver FROM messages WHERE key = ?1 AND author = ?2";
        let (place, stamp, stamped_by, receiver): (i64, i64, Whole, Id) =
            self.connection.prepare_cached(sql)?.query_row(params![key, author], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
        self.connection.prepare_cached("INSERT OR IGNORE INTO copies VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            receiver,
            Whole::from(fact.position.incarnation),
            small(fact.position.seq.0),
            place
        ])?;
        if !pending {
            self.connection.prepare_cached("UPDATE messages SET pending = 0 WHERE place = ?1")?.execute([place])?;
        }
        if (small(order.stamp.0), Whole::from(order.incarnation)) < (stamp, stamped_by) {
            let sql = "UPDATE messages SET stamp = ?2, stamped_by = ?3, at_ms = ?4, text = ?5 WHERE place = ?1";
            self.connection.prepare_cached(sql)?.execute(params![
                place,
                small(order.stamp.0),
                Whole::from(order.incarnation),
                small(message.at_ms),
                message.text
            ])?;
        }
        Ok(())
    }

    fn is_delivered(&self, account: AccountId, position: Position) -> Result<bool, StoreError> {
        let sql = "SELECT seq FROM delivered WHERE account = ?1 AND incarnation = ?2";
        let seq: Option<i64> = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![Id::from(account), Whole::from(position.incarnation)], |row| row.get(0))
            .optional()?;
        Ok(seq.is_some_and(|seq| seq >= small(position.seq.0)))
    }

    fn is_deleted(&self, account: AccountId) -> Result<bool, StoreError> {
        let sql = "SELECT deleted FROM accounts WHERE id = ?1";
        let deleted: Option<bool> =
            self.connection.prepare_cached(sql)?.query_row([Id::from(account)], |row| row.get(0)).optional()?;
        Ok(deleted.unwrap_or(false))
    }

    fn deliver(&self, account: AccountId, upto: &[Position]) -> Result<(), StoreError> {
        let account = Id::from(account);
        for position in upto {
            let (incarnation, seq) = (Whole::from(position.incarnation), small(position.seq.0));
            self.connection
                .prepare_cached(
                    "INSERT INTO delivered VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
                )?
                .execute(params![account, incarnation, seq])?;
            // Only what is pending is looked at: all else is in no inbox any more.
            self.connection
                .prepare_cached(
                    "UPDATE messages INDEXED BY message_inbox SET pending = 0
                     WHERE pending AND receiver = ?1 AND incarnation = ?2 AND seq <= ?3",
                )?
                .execute(params![account, incarnation, seq])?;
            self.connection
                .prepare_cached(
                    "UPDATE messages SET pending = 0 WHERE pending AND place IN
                     (SELECT place FROM copies WHERE receiver = ?1 AND incarnation = ?2 AND seq <= ?3)",
                )?
                .execute(params![account, incarnation, seq])?;
        }
        Ok(())
    }

    fn drop_pending(&self, account: AccountId) -> Result<(), StoreError> {
        for column in ["receiver", "author"] {
            let sql = format!("UPDATE messages SET pending = 0 WHERE pending AND {column} = ?1");
            self.connection.prepare_cached(&sql)?.execute([Id::from(account)])?;
        }
        Ok(())
    }
}
