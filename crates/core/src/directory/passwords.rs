//! Which password is in force.
//!
//! Each change names the password that it replaces. The one in force is found from the first one on, that of the
//! account's earliest claim: of several changes that replace the same password the one with the lowest order counts,
//! and then of those that replace that one, and so on. So somebody who knows only an old password can't win against
//! the owner, who has changed it before.
//!
//! A change that names none (of an older version), or one that is lost everywhere, comes after whichever is in force
//! before it in the order of display. So the rule is total.
//!
//! A change that was sent once more, to another replica, is the same change: its key says so. Whatever replaces one of the
//! two follows the other as well, and sessions that either opened are good.
//!
//! All changes are kept, with their hashes: one that has lost may count again when a copy of it comes that is earlier.

use std::collections::BTreeSet;

use lastword_facts::fact::{Password, Rehash};
use lastword_facts::ids::{Order, Position};
use lastword_facts::views::{AccountRecord, ChangeRecord, PasswordRecord, RehashRecord};
use lastword_facts::{Fact, Key};
use lastword_marks::{Bug, hit, planted};

use super::{Account, Directory};

impl Account {
    /// Which password is in force: what a session must have been opened with. None: that of the claim.
    pub(crate) fn password_order(&self) -> Option<Order> {
        self.record.password.as_ref().map(|password| password.order)
    }

    /// The order of the fact that set the password in force: of its first claim, if there was no other since.
    pub(crate) fn password_set(&self) -> Option<Order> {
        let first = self.record.claims.first().map(|claim| claim.order);
        self.password_order().or(first)
    }

    /// The order of the fact that the hash of the password in force stands in.
    pub(crate) fn hash_order(&self) -> Option<Order> {
        self.rehash_in_force().map(|rehash| rehash.order).or(self.password_set())
    }

    /// How the password in force was hashed again, if it was.
    fn rehash_in_force(&self) -> Option<&RehashRecord> {
        let set = self.password_set()?;
        let place = self.record.rehashes.binary_search_by_key(&set, |rehash| rehash.of).ok()?;
        self.record.rehashes.get(place)
    }

    /// The hash of the password in force.
    pub(crate) fn password_hash(&self) -> &str {
        match (self.rehash_in_force(), &self.record.password) {
            (Some(rehash), _) => &rehash.hash,
            (None, Some(password)) => &password.hash,
            (None, None) => &self.record.first_password,
        }
    }

    /// How many changes of the password there were, but for this one. The same change at two replicas is one.
    pub(crate) fn changes_besides(&self, key: Key) -> u64 {
        let mut keys: Vec<_> =
            self.record.changes.iter().map(|change| change.set.key).filter(|&other| other != key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.len() as u64
    }

    /// Whether the password was changed elsewhere at the same time: where the one in force was set, not all changes
    /// were known.
    pub(crate) fn password_was_changed_twice(&self) -> bool {
        let of = |password: &PasswordRecord| Some((password.known?, self.changes_besides(password.key)));
        self.record.password.as_ref().and_then(of).is_some_and(|(known, all)| all > known)
    }

    /// Whether a session that names this password was opened with the one in force: with any copy of that change.
    pub(crate) fn is_in_force(&self, opened: Option<Order>) -> bool {
        let key = self.record.password.as_ref().map(|password| password.key);
        opened == self.password_order()
            || opened.is_some_and(|order| key.is_some() && key_of(&self.record, order) == key)
    }

    /// Whether this fact has set the password in force, or another copy of it: of a change, or of the create.
    pub(crate) fn is_set_by(&self, set: Option<Order>) -> bool {
        if set.is_some_and(|order| self.record.claims.iter().any(|claim| claim.order == order)) {
            return self.record.password.is_none();
        }
        self.is_in_force(set)
    }

    /// Where the change with this key was written, whether it is in force or not.
    pub(crate) fn changed_with(&self, key: Key) -> Option<Position> {
        let change = self.record.changes.iter().find(|change| change.set.key == key);
        change.map(|change| change.set.position)
    }
}

/// The change that set the password in force; none if that is the first one. Of one change at two replicas, the earlier.
fn in_force(record: &AccountRecord) -> Option<&ChangeRecord> {
    let changes = &record.changes;
    if planted(Bug::LatestPassword) {
        return changes.last();
    }
    let is_first = |order: Order| record.claims.iter().any(|claim| claim.order == order);
    let (mut at, mut passed) = (None::<&ChangeRecord>, BTreeSet::new());
    // Those that replace a password come after it in this order, so the first that fits is the lowest.
    for change in changes {
        let follows = match change.replaces {
            Some(replaced) if is_first(replaced) => at.is_none(),
            Some(replaced) => match key_of(record, replaced) {
                Some(key) => at.is_some_and(|at| at.set.key == key),
                None => true,
            },
            None => true,
        };
        if follows && passed.insert(change.set.key) {
            at = Some(change);
        }
    }
    at
}

/// The key of the change that has this order.
fn key_of(record: &AccountRecord, order: Order) -> Option<Key> {
    let place = record.changes.binary_search_by_key(&order, |change| change.set.order).ok()?;
    record.changes.get(place).map(|change| change.set.key)
}

impl Directory {
    pub(crate) fn password(&mut self, fact: &Fact, password: &Password) -> Option<Box<AccountRecord>> {
        let account = self.accounts.get_mut(&fact.author)?;
        let Password { password: hash, keep, replaces, known } = password.clone();
        let order = fact.order();
        let changes = &mut account.record.changes;
        let place = changes.binary_search_by_key(&order, |change| change.set.order).err()?;
        let set = PasswordRecord { order, key: fact.key, hash, keep, position: fact.position, known };
        changes.insert(place, ChangeRecord { set, replaces });
        let now = in_force(&account.record).map(|change| change.set.clone());
        if now.as_ref().is_none_or(|now| now.order != order) {
            hit("a password that lost");
        }
        account.record.password = now;
        self.changed(fact.author)
    }

    /// Kept by the password that it names, whether that one is in force or not: it may be, once others have come.
    pub(crate) fn rehash(&mut self, fact: &Fact, rehash: &Rehash) -> Option<Box<AccountRecord>> {
        let rehashes = &mut self.accounts.get_mut(&fact.author)?.record.rehashes;
        let record = RehashRecord { of: rehash.of, order: fact.order(), hash: rehash.password.clone() };
        match rehashes.binary_search_by_key(&record.of, |known| known.of) {
            Ok(place) => {
                let known = rehashes.get_mut(place)?;
                if known.order >= record.order && !planted(Bug::LatestHash) {
                    return None;
                }
                *known = record;
            }
            Err(place) => rehashes.insert(place, record),
        }
        self.changed(fact.author)
    }
}
