//! Who has written with whom, and since when: so that the conversations of an account are found without going through
//! all messages.

use std::collections::HashSet;

use lastword_facts::ids::{AccountId, LogIndex};
use rusqlite::{Connection, params};

use super::entries;
use crate::error::StoreError;
use crate::sql::{Id, small};

/// So many partners of an account are looked at, the newest.
const LOOKED_AT: usize = 1000;
/// Pairs that are known in memory, at most: some megabytes.
const PAIRS: usize = 50_000;

/// Pairs that are in the file, or in the open transaction: of a message between such a pair nothing is written here, and
/// nothing is looked up.
#[derive(Default)]
pub(super) struct KnownPairs(HashSet<[u8; 32]>);

impl KnownPairs {
    /// These two have written with each other, as the message of this place says.
    pub fn put(
        &mut self,
        connection: &Connection,
        one: AccountId,
        other: AccountId,
        place: LogIndex,
    ) -> Result<(), StoreError> {
        if self.0.len() >= PAIRS {
            self.0.clear();
        }
        if self.0.insert(entries::conversation(one, other)) {
            let mut put = connection.prepare_cached("INSERT OR IGNORE INTO partners VALUES (?1, ?2, ?3)")?;
            for (account, other) in [(one, other), (other, one)] {
                put.execute(params![Id::from(account), Id::from(other), small(place.0)])?;
            }
        }
        Ok(())
    }

    /// The transaction has come to nothing.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

/// With whom an account has written.
pub(super) struct Partners {
    /// The newest first, at most [`LOOKED_AT`].
    pub accounts: Vec<AccountId>,
    /// There are more.
    pub more: bool,
}

/// The newest partners of an account.
///
/// # Errors
/// They can't be read.
pub(super) fn newest(connection: &Connection, account: AccountId) -> Result<Partners, StoreError> {
    let sql = "SELECT other FROM partners WHERE account = ?1 ORDER BY since DESC LIMIT ?2";
    let mut newest = connection.prepare_cached(sql)?;
    let mut rows = newest.query(params![Id::from(account), small(LOOKED_AT as u64 + 1)])?;
    let mut accounts = Vec::new();
    while let Some(row) = rows.next()? {
        accounts.push(AccountId(row.get::<_, Id>(0)?.0));
    }
    let more = accounts.len() > LOOKED_AT;
    accounts.truncate(LOOKED_AT);
    Ok(Partners { accounts, more })
}
