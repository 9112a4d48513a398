//! Writing changes down, in log order.

use lastword_facts::fact::Message;
use lastword_facts::ids::{AccountId, Incarnation, LogIndex, Position, Seq};
use lastword_facts::views::{AccountRecord, Applied, Change};
use lastword_facts::{Body, Fact};
use rusqlite::{OptionalExtension, params};

use super::Views;
use crate::error::StoreError;
use crate::log::is_full;
use crate::sql::{Id, Whole, small};

impl Views {
    /// Takes in changes, in log order, from the place after the one that the views stand for on. What is
    /// asked afterwards sees them; on disk they are after [`Views::commit`], until then they are also
    /// held in memory.
    ///
    /// A full disk is no error: then they are held in memory, and what is asked may not see them yet.
    ///
    /// # Errors
    /// They could not be written, or are not the next ones. The views then are to be closed and opened
    /// again.
    pub fn apply(&mut self, all: &[Applied]) -> Result<(), StoreError> {
        for applied in all {
            if applied.index != self.stand.next() {
                return Err(StoreError::Gap { stand: self.stand.0, given: applied.index.0 });
            }
            self.stand = applied.index;
            self.vector.raise(applied.position);
            self.stamp = self.stamp.max(applied.stamp);
            self.uncommitted.push(applied.change.clone());
        }
        if self.full { Ok(()) } else { self.write() }
    }

    /// Ends the transaction, with the place that the views stand for now.
    ///
    /// A full disk is no error: what was taken in stays in memory, and the next commit tries again.
    ///
    /// # Errors
    /// It could not be written: the views stand for what they stood for at the last commit.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if self.uncommitted.is_empty() {
            return Ok(());
        }
        self.write()?;
        if self.full {
            return Ok(());
        }
        match self.end_transaction() {
            Ok(()) => {
                self.uncommitted.clear();
                self.written = 0;
                Ok(())
            }
            Err(error) if is_full(&error) => {
                self.roll_back()?;
                self.write()
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes what is not written yet into the open transaction.
    fn write(&mut self) -> Result<(), StoreError> {
        self.full = false;
        if self.written == 0 && !self.uncommitted.is_empty() && self.connection.is_autocommit() {
            self.connection.execute_batch("BEGIN")?;
        }
        // The changes are those of the last places up to where the views stand.
        let first = self.stand.0 + 1 - self.uncommitted.len() as u64;
        for (n, change) in self.uncommitted.iter().enumerate().skip(self.written) {
            match self.write_change(LogIndex(first + n as u64), change) {
                Err(StoreError::Sqlite(error)) if is_full(&error) => {
                    self.full = true;
                    return self.roll_back();
                }
                result => result?,
            }
        }
        self.written = self.uncommitted.len();
        Ok(())
    }

    /// Back to the last commit, in the file; in memory nothing is forgotten.
    fn roll_back(&mut self) -> Result<(), StoreError> {
        self.written = 0;
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    fn end_transaction(&self) -> rusqlite::Result<()> {
        {
            let mut state = self.connection.prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2)")?;
            state.execute(params!["place", small(self.stand.0)])?;
            state.execute(params!["stamp", small(self.stamp.0)])?;
            let mut vector = self.connection.prepare_cached("INSERT OR REPLACE INTO vector VALUES (?1, ?2)")?;
            for Position { incarnation, seq } in self.vector.iter() {
                vector.execute(params![Whole::from(incarnation), small(seq.0)])?;
            }
        }
        self.connection.execute_batch("COMMIT")
    }

    fn write_change(&self, index: LogIndex, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::None => Ok(()),
            Change::Unreadable(position) => {
                let mut put = self.connection.prepare_cached("INSERT INTO unreadable VALUES (?1, ?2)")?;
                put.execute(params![Whole::from(position.incarnation), small(position.seq.0)])?;
                Ok(())
            }
            Change::Account(record) => self.put_account(record),
            Change::Message(fact) => self.put_message(index, fact),
            Change::Delivered { account, upto } => self.deliver(*account, upto),
            Change::Deleted(record) => {
                self.put_account(record)?;
                self.drop_pending(record.id)
            }
        }
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
            .prepare_cached(
                "INSERT OR IGNORE INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
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
                fact.key.time_ms().is_some(),
                message.text,
            ])?;
        if inserted == 0 { self.put_copy(fact, message) } else { Ok(()) }
    }

    /// The same message at another position: the smallest order counts, with all that is said there, and
    /// it is delivered when any of its positions is.
    fn put_copy(&self, fact: &Fact, message: &Message) -> Result<(), StoreError> {
        let Some(first) = self.known(fact.author, fact.key)? else { return Ok(()) };
        if first.position == fact.position {
            return Ok(());
        }
        let place = small(first.index.0);
        self.connection.prepare_cached("INSERT OR IGNORE INTO copies VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            Id::from(first.to),
            Whole::from(fact.position.incarnation),
            small(fact.position.seq.0),
            place
        ])?;
        let mut to = first.to;
        if fact.order() < first.order {
            to = message.to;
            let sql = "UPDATE messages SET stamp = ?2, stamped_by = ?3, receiver = ?4, at_ms = ?5, text = ?6
                       WHERE place = ?1";
            self.connection.prepare_cached(sql)?.execute(params![
                place,
                small(fact.stamp.0),
                Whole::from(fact.position.incarnation),
                Id::from(to),
                small(message.at_ms),
                message.text
            ])?;
            let sql = "UPDATE copies SET receiver = ?2 WHERE place = ?1";
            self.connection.prepare_cached(sql)?.execute(params![place, Id::from(to)])?;
        }
        let pending = !self.is_deleted(to)? && !self.is_deleted(fact.author)? && {
            let mut positions = self.copies(place)?;
            positions.push(first.position);
            !self.is_any_delivered(to, &positions)?
        };
        let sql = "UPDATE messages SET pending = ?2 WHERE place = ?1 AND pending <> ?2";
        self.connection.prepare_cached(sql)?.execute(params![place, pending])?;
        Ok(())
    }

    /// The other positions of the message at a place.
    fn copies(&self, place: i64) -> Result<Vec<Position>, StoreError> {
        let mut copies = self.connection.prepare_cached("SELECT incarnation, seq FROM copies WHERE place = ?1")?;
        let copies = copies.query_map([place], |row| {
            let incarnation = Incarnation(row.get::<_, Whole>(0)?.0);
            Ok(Position { incarnation, seq: Seq(row.get::<_, i64>(1)? as u64) })
        })?;
        Ok(copies.collect::<rusqlite::Result<_>>()?)
    }

    fn is_any_delivered(&self, account: AccountId, positions: &[Position]) -> Result<bool, StoreError> {
        for &position in positions {
            if self.is_delivered(account, position)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_delivered(&self, account: AccountId, position: Position) -> Result<bool, StoreError> {
        Ok(self.delivered_upto(account, position.incarnation)? >= small(position.seq.0))
    }

    fn delivered_upto(&self, account: AccountId, incarnation: Incarnation) -> Result<i64, StoreError> {
        let sql = "SELECT seq FROM delivered WHERE account = ?1 AND incarnation = ?2";
        let seq: Option<i64> = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![Id::from(account), Whole::from(incarnation)], |row| row.get(0))
            .optional()?;
        Ok(seq.unwrap_or(0))
    }

    fn is_deleted(&self, account: AccountId) -> Result<bool, StoreError> {
        let sql = "SELECT deleted FROM accounts WHERE id = ?1";
        let deleted: Option<bool> =
            self.connection.prepare_cached(sql)?.query_row([Id::from(account)], |row| row.get(0)).optional()?;
        Ok(deleted.unwrap_or(false))
    }

    fn deliver(&self, account: AccountId, upto: &[Position]) -> Result<(), StoreError> {
        for position in upto {
            let (incarnation, seq) = (Whole::from(position.incarnation), small(position.seq.0));
            let before = self.delivered_upto(account, position.incarnation)?;
            if seq <= before {
                continue;
            }
            let account = Id::from(account);
            self.connection
                .prepare_cached("INSERT OR REPLACE INTO delivered VALUES (?1, ?2, ?3)")?
                .execute(params![account, incarnation, seq])?;
            // Only what is pending is looked at: all else is in no inbox any more.
            self.connection
                .prepare_cached(
                    "UPDATE messages INDEXED BY message_inbox SET pending = 0
                     WHERE pending AND receiver = ?1 AND incarnation = ?2 AND seq <= ?3",
                )?
                .execute(params![account, incarnation, seq])?;
            // What was copied up to `before` was delivered then.
            self.connection
                .prepare_cached(
                    "UPDATE messages SET pending = 0 WHERE pending AND place IN
                     (SELECT place FROM copies WHERE receiver = ?1 AND incarnation = ?2 AND seq > ?3 AND seq <= ?4)",
                )?
                .execute(params![account, incarnation, before, seq])?;
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
