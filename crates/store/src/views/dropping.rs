//! What waits from and to an account that was deleted goes: a little at a time, where it is much.
//!
//! Somebody may have a million messages under way when they delete their account. Taken out in one go, those kept
//! everybody who logs in waiting for seconds, on all replicas at once. So the first few go with the deletion, and the
//! others in steps, between other things. Meanwhile nobody sees them: what is read leaves out who is deleted.

use std::collections::BTreeSet;

use lastword_facts::ids::AccountId;

use super::Views;
use super::batch::Writing;
use crate::error::StoreError;
use crate::log::is_full;
use crate::sql::Id;

/// Messages that go in one step.
const STEP: usize = 256;

impl Views {
    /// Whether there is something left of deleted accounts: then [`Views::drop_some`] is to be called.
    pub fn has_to_drop(&self) -> bool {
        !self.dropping.is_empty() && !self.full
    }

    /// Takes out some of what waits from and to deleted accounts.
    ///
    /// # Errors
    /// The views can't be read or written. A full disk is no error.
    pub fn drop_some(&mut self) -> Result<(), StoreError> {
        self.write()?;
        let Some(&account) = self.dropping.first().filter(|_| !self.full) else { return Ok(()) };
        if self.connection.is_autocommit() {
            self.connection.execute_batch("BEGIN")?;
        }
        let mut writing = Writing::new(&self.connection, &self.log, &self.deleted, &mut self.lasts);
        let done = writing.drop_pending(account, STEP);
        let more = writing.more;
        match done {
            Ok(done) => {
                self.pending = self.pending.saturating_add_signed(more);
                if done {
                    self.dropping.remove(&account);
                }
                // With changes in the transaction it ends when those are committed.
                if self.uncommitted.is_empty() {
                    self.end_transaction()?;
                    self.pending_committed = self.pending;
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

    pub(super) fn load_dropping(&self) -> Result<BTreeSet<AccountId>, StoreError> {
        let mut statement = self.connection.prepare("SELECT account FROM dropping")?;
        let dropping = statement.query_map([], |row| Ok(AccountId(row.get::<_, Id>(0)?.0)))?;
        Ok(dropping.collect::<rusqlite::Result<_>>()?)
    }
}
