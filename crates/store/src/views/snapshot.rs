//! What the core holds in memory when it starts.

use std::collections::HashSet;

use lastword_facts::VersionVector;
use lastword_facts::ids::{AccountId, Incarnation, Key, LogIndex, Position, Seq};
use lastword_facts::views::{AccountRecord, BlockRecord, Snapshot};

use super::Views;
use crate::error::StoreError;
use crate::sql::{Id, Whole, small};

impl Views {
    /// What the core holds in memory: all accounts, and the keys drawn from a time on (in milliseconds
    /// since 1970), at most so many. [`Snapshot::alone`] is for the log to say.
    ///
    /// # Errors
    /// The views can't be read, or not be written before.
    pub fn snapshot(&mut self, keys_from_ms: u64, limit: u32) -> Result<Snapshot, StoreError> {
        self.write()?;
        let mut from = Key(u128::from(keys_from_ms) << 80);
        let mut recent = self.latest_keys(from, u64::from(limit) + 1)?;
        if recent.len() > limit as usize
            && let Some(oldest) = recent.last().map(|message| message.key)
        {
            // Another author's message may have the same key as the one that does not fit.
            recent.retain(|message| message.key > oldest);
            from = Key(oldest.0.saturating_add(1));
        }
        recent.reverse();
        // Of no message at all everything is known.
        let keys_from = (self.stand > LogIndex::NONE).then_some(from);
        Ok(Snapshot {
            index: self.stand,
            vector: self.vector.clone(),
            stamp: self.stamp,
            unreadable: self.positions("SELECT incarnation, seq FROM unreadable")?,
            accounts: self.accounts()?,
            blocks: self.blocks()?,
            recent,
            keys_from,
            ahead: self.ahead(from)?,
            alone: false,
        })
    }

    /// Whose keys ran ahead, as far as any of those stands behind this key: what stands before it is asked for anyway.
    fn ahead(&self, from: Key) -> Result<Vec<(AccountId, u64)>, StoreError> {
        let mut statement = self.connection.prepare("SELECT author, until FROM ahead WHERE until >= ?1")?;
        let rows = statement.query_map([small(from.time_ms().unwrap_or_default())], |row| {
            Ok((AccountId(row.get::<_, Id>(0)?.0), row.get::<_, i64>(1)? as u64))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn accounts(&self) -> Result<Vec<AccountRecord>, StoreError> {
        let mut statement = self.connection.prepare("SELECT record FROM accounts")?;
        let mut rows = statement.query([])?;
        let mut accounts = Vec::new();
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            accounts.push(minicbor::decode(bytes)?);
        }
        Ok(accounts)
    }

    fn blocks(&self) -> Result<Vec<BlockRecord>, StoreError> {
        let mut statement = self.connection.prepare("SELECT record FROM blocks")?;
        let mut rows = statement.query([])?;
        let mut blocks = Vec::new();
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            blocks.push(minicbor::decode(bytes)?);
        }
        Ok(blocks)
    }

    pub(super) fn load_vector(&self) -> Result<VersionVector, StoreError> {
        self.positions("SELECT incarnation, seq FROM vector")
    }

    pub(super) fn load_deleted(&self) -> Result<HashSet<AccountId>, StoreError> {
        let mut statement = self.connection.prepare("SELECT id FROM accounts WHERE deleted")?;
        let deleted = statement.query_map([], |row| Ok(AccountId(row.get::<_, Id>(0)?.0)))?;
        Ok(deleted.collect::<rusqlite::Result<_>>()?)
    }

    fn positions<T: FromIterator<Position>>(&self, sql: &str) -> Result<T, StoreError> {
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let incarnation = Incarnation(row.get::<_, Whole>(0)?.0);
            Ok(Position { incarnation, seq: Seq(row.get::<_, i64>(1)? as u64) })
        })?;
        Ok(rows.collect::<rusqlite::Result<T>>()?)
    }
}
