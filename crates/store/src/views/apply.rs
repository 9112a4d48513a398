//! Taking changes in: first into memory, in log order; then into the file, many at a time (`batch`).

use lastword_facts::Body;
use lastword_facts::ids::{LogIndex, Position};
use lastword_facts::views::{Applied, Change};
use rusqlite::params;

use super::Views;
use super::batch::Batch;
use crate::error::StoreError;
use crate::log::is_full;
use crate::sql::{Whole, small};

impl Views {
    /// Takes in changes, in log order, from the place after the one that the views stand for on. They are
    /// held in memory until they are asked for, or committed: what comes together is written together.
    ///
    /// # Errors
    /// They are not the next ones. The views then are to be closed and opened again.
    pub fn apply(&mut self, all: &[Applied]) -> Result<(), StoreError> {
        for applied in all {
            if applied.index != self.stand.next() {
                return Err(StoreError::Gap { stand: self.stand.0, given: applied.index.0 });
            }
            self.stand = applied.index;
            self.vector.raise(applied.position);
            self.stamp = self.stamp.max(applied.stamp);
            if let Change::Message(fact) = &applied.change
                && let Body::Message(message) = &fact.body
            {
                self.latest_ms = self.latest_ms.max(message.at_ms);
            }
            self.uncommitted.push(applied.change.clone());
        }
        Ok(())
    }

    /// Ends the transaction, with the place that the views stand for now.
    ///
    /// A full disk is no error: what was taken in stays in memory, what is asked may not see it, and the next
    /// commit tries again.
    ///
    /// # Errors
    /// It could not be written: the views stand for what they stood for at the last commit.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if self.uncommitted.is_empty() {
            return Ok(());
        }
        self.full = false;
        self.write()?;
        if self.full {
            return Ok(());
        }
        match self.end_transaction() {
            Ok(()) => {
                self.uncommitted.clear();
                self.written = 0;
                self.pending_committed = self.pending;
                Ok(())
            }
            Err(error) if is_full(&error) => {
                // What is asked sees it all the same, as long as memory has it.
                self.roll_back()?;
                self.write()
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes what is not written yet into the open transaction, unless the disk was full at the last try.
    pub(super) fn write(&mut self) -> Result<(), StoreError> {
        if self.full || self.written == self.uncommitted.len() {
            return Ok(());
        }
        if self.connection.is_autocommit() {
            self.connection.execute_batch("BEGIN")?;
        }
        // The changes are those of the last places up to where the views stand.
        let first = self.stand.0 + 1 - self.uncommitted.len() as u64;
        let changes = self.uncommitted.iter().enumerate().skip(self.written);
        let batch = Batch::of(changes.map(|(n, change)| (LogIndex(first + n as u64), change)));
        let deletes = batch.deletes();
        match batch.write(&self.connection, &self.log, &mut self.deleted, &mut self.lasts) {
            Ok(more) => {
                self.written = self.uncommitted.len();
                self.pending = self.pending.saturating_add_signed(more);
                if deletes {
                    self.dropping = self.load_dropping()?;
                }
                Ok(())
            }
            Err(StoreError::Sqlite(error)) if is_full(&error) => {
                self.full = true;
                self.roll_back()
            }
            Err(error) => Err(error),
        }
    }

    /// Back to the last commit, in the file; in memory nothing is forgotten.
    pub(super) fn roll_back(&mut self) -> Result<(), StoreError> {
        self.written = 0;
        self.pending = self.pending_committed;
        self.lasts.forget();
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    pub(super) fn end_transaction(&self) -> rusqlite::Result<()> {
        {
            let mut state = self.connection.prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2)")?;
            state.execute(params!["place", small(self.stand.0)])?;
            state.execute(params!["stamp", small(self.stamp.0)])?;
            state.execute(params!["latest_ms", small(self.latest_ms)])?;
            state.execute(params!["pending", small(self.pending)])?;
            state.execute(params!["pending_place", small(self.stand.0)])?;
            let mut vector = self.connection.prepare_cached("INSERT OR REPLACE INTO vector VALUES (?1, ?2)")?;
            for Position { incarnation, seq } in self.vector.iter() {
                vector.execute(params![Whole::from(incarnation), small(seq.0)])?;
            }
        }
        self.connection.execute_batch("COMMIT")
    }
}
