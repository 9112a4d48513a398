//! Who has written with whom, and since when: so that the conversations of an account are found without going through
//! all messages.

use std::collections::HashSet;

use lastword_facts::ids::{AccountId, LogIndex};
use rusqlite::Connection;

use super::entries::{self, CONVERSATION, HISTORY, PARTNERS};
use super::leaves::Edit;
use crate::error::StoreError;

/// So many partners of an account are looked at, the newest.
const LOOKED_AT: usize = 1000;
/// Pairs that are known in memory, at most: some megabytes.
const PAIRS: usize = 50_000;

/// Pairs that are in the file, or in the open transaction: of a message between such a pair nothing is written here, and
/// nothing is looked up.
#[derive(Default)]
pub(super) struct KnownPairs(HashSet<[u8; CONVERSATION]>);

impl KnownPairs {
    /// These pairs have messages at these places, which are *about* to be put into the histories: what has none there
    /// is new.
    ///
    /// A pair may be new twice, if its only message turned out to be for somebody else meanwhile. So it may stand here
    /// with two places, and whoever reads takes the later one.
    pub fn put(
        &mut self,
        connection: &Connection,
        mut pairs: Vec<([u8; CONVERSATION], LogIndex)>,
    ) -> Result<(), StoreError> {
        pairs.retain(|(pair, _)| {
            if self.0.len() >= PAIRS {
                self.0.clear();
            }
            self.0.insert(*pair)
        });
        pairs.sort_unstable();
        pairs.dedup_by_key(|(pair, _)| *pair);
        let last = HISTORY.find(connection, pairs.iter().map(|(pair, _)| *pair))?;
        let new = pairs.iter().zip(last).filter(|(_, last)| last.is_none());
        let edits = new.flat_map(|((pair, place), _)| entries::partners(*pair, *place)).map(|entry| (entry, Edit::Add));
        PARTNERS.edit(connection, edits.collect())?;
        Ok(())
    }

    /// The transaction has come to nothing.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

/// The newest partners of an account, [`LOOKED_AT`] at most.
///
/// # Errors
/// They can't be read.
pub(super) fn newest(connection: &Connection, account: AccountId) -> Result<HashSet<AccountId>, StoreError> {
    let mut accounts = HashSet::new();
    PARTNERS.down(connection, &entries::partners_end(account), |entry| {
        let other = entries::partner(account, entry);
        accounts.extend(other);
        other.is_some() && accounts.len() < LOOKED_AT
    })?;
    Ok(accounts)
}
