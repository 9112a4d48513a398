//! The conversations of each account, by the last message of each: so that a page of them is found without looking at
//! more of them than it has.
//!
//! Only those with people who are not deleted: accounts that write once and delete themselves take no place from
//! anybody. What was written with them stays in the histories.

use std::collections::{BTreeMap, HashMap, HashSet};

use lastword_facts::ids::{AccountId, LogIndex};
use rusqlite::Connection;

use super::entries::{self, ASIDE, HISTORY, Last, RECENT, SHUT, Waiting};
use super::leaves::Edit;
use crate::error::StoreError;

/// Conversations whose last message is known in memory, at most: some megabytes.
const KNOWN: usize = 50_000;

/// A conversation as one of its people sees it: who sees it, and with whom.
pub(super) type Seen = (AccountId, AccountId);

/// The last message of conversations, as it stands in the file or in the open transaction: it need not be looked up.
#[derive(Default)]
pub(super) struct KnownLasts(HashMap<Seen, Last>);

impl KnownLasts {
    /// These messages are *about* to be put into the histories: conversations of people who are not deleted move up.
    ///
    /// # Errors
    /// The file can't be read or written.
    pub fn put(
        &mut self,
        connection: &Connection,
        deleted: &HashSet<AccountId>,
        news: impl Iterator<Item = (Seen, Last)>,
    ) -> Result<(), StoreError> {
        let mut lasts: BTreeMap<Seen, Last> = BTreeMap::new();
        for (seen, new) in news.filter(|((one, other), _)| !deleted.contains(one) && !deleted.contains(other)) {
            let last = lasts.entry(seen).or_insert(new);
            if new > *last {
                *last = new;
            }
        }
        let before = self.look_up(connection, lasts.keys().copied())?;
        let mut edits = Vec::with_capacity(2 * lasts.len());
        for (((one, other), new), before) in lasts.into_iter().zip(before) {
            if before.is_none_or(|before| new > before) {
                edits.extend(before.map(|before| (before.entry(one, other), Edit::Remove)));
                edits.push((new.entry(one, other), Edit::Add));
                self.know((one, other), new);
            }
        }
        RECENT.edit(connection, edits)?;
        Ok(())
    }

    /// The last messages of these conversations, which are sorted.
    pub fn look_up(
        &mut self,
        connection: &Connection,
        all: impl Iterator<Item = Seen> + Clone,
    ) -> Result<Vec<Option<Last>>, StoreError> {
        let unknown: Vec<Seen> = all.clone().filter(|seen| !self.0.contains_key(seen)).collect();
        let mut pairs: Vec<_> = unknown.iter().map(|&(one, other)| entries::conversation(one, other)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let both: HashMap<_, _> = pairs.iter().copied().zip(HISTORY.find(connection, pairs.iter().copied())?).collect();
        let own = ASIDE.find(connection, unknown.iter().map(|&(one, other)| entries::aside(one, other)))?;
        let own: HashMap<Seen, _> = unknown.into_iter().zip(own).collect();
        let last = |seen: Seen| {
            let known = self.0.get(&seen).copied();
            let both = || both.get(&entries::conversation(seen.0, seen.1))?.as_ref().map(Last::of);
            let own = || own.get(&seen)?.as_ref().map(Last::of);
            known.or_else(|| both().into_iter().chain(own()).max())
        };
        Ok(all.map(last).collect())
    }

    /// Something in the histories of these conversations is changed otherwise: they stand where they belong afterwards.
    ///
    /// # Errors
    /// The file can't be read or written.
    pub fn around(
        &mut self,
        connection: &Connection,
        deleted: &HashSet<AccountId>,
        mut all: Vec<Seen>,
        change: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        all.retain(|(one, other)| !deleted.contains(one) && !deleted.contains(other));
        all.sort_unstable();
        all.dedup();
        let before = self.look_up(connection, all.iter().copied())?;
        change()?;
        for seen in &all {
            self.0.remove(seen);
        }
        let after = self.look_up(connection, all.iter().copied())?;
        let mut edits = Vec::new();
        for ((&(one, other), before), after) in all.iter().zip(before).zip(after) {
            edits.extend(before.map(|last| (last.entry(one, other), Edit::Remove)));
            edits.extend(after.map(|last| (last.entry(one, other), Edit::Add)));
        }
        RECENT.edit(connection, edits)?;
        Ok(())
    }

    /// An account is deleted: it goes from everybody's list, and its own is not needed any more.
    ///
    /// # Errors
    /// The file can't be read or written.
    pub fn drop_account(&mut self, connection: &Connection, account: AccountId) -> Result<(), StoreError> {
        let (mut partners, mut edits) = (Vec::new(), Vec::new());
        RECENT.up(connection, &account.0.to_be_bytes(), |entry| {
            let partner = entries::partner(account, entry);
            partners.extend(partner);
            edits.extend(partner.map(|_| (*entry, Edit::Remove)));
            partner.is_some()
        })?;
        // Those of whom it wanted nothing have it in their lists, and are not in its own.
        SHUT.up(connection, &account.0.to_be_bytes(), |entry| {
            let waiting = Waiting::read(entry, true);
            let is_theirs = waiting.receiver == account;
            partners.extend(is_theirs.then_some(waiting.author));
            is_theirs
        })?;
        partners.sort_unstable();
        partners.dedup();
        let lasts = self.look_up(connection, partners.iter().map(|&partner| (partner, account)))?;
        for (partner, last) in partners.into_iter().zip(lasts) {
            edits.extend(last.map(|last| (last.entry(partner, account), Edit::Remove)));
            self.0.remove(&(partner, account));
            self.0.remove(&(account, partner));
        }
        RECENT.edit(connection, edits)?;
        Ok(())
    }

    fn know(&mut self, seen: Seen, last: Last) {
        if self.0.len() >= KNOWN {
            self.0.clear();
        }
        self.0.insert(seen, last);
    }

    /// The transaction has come to nothing.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

/// Where the last messages of an account's conversations are, newest first, until it is told to stop.
///
/// # Errors
/// They can't be read.
pub(super) fn newest_first(
    connection: &Connection,
    account: AccountId,
    before: Option<lastword_facts::ids::Order>,
    mut take: impl FnMut(bool, LogIndex) -> bool,
) -> Result<(), StoreError> {
    RECENT.down(connection, &entries::recent_before(account, before), |entry| {
        take(entries::partner(account, entry).is_some(), entries::place_of(entry))
    })
}
