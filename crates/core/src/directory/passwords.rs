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
//! Of each change its order and what it replaces is kept for ever, and of the one in force the hash. That is enough:
//! causes come first, so a change that another one names is there before it. What comes late can only take the place
//! of what was in force, and then it is in force itself. A password that lost, or was replaced, never comes back.

use lastword_facts::Fact;
use lastword_facts::fact::{Password, Rehash};
use lastword_facts::ids::Order;
use lastword_facts::views::{AccountRecord, ChangeRecord, PasswordRecord, RehashRecord};
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
        self.record.rehash.as_ref().map(|rehash| rehash.order).or(self.password_set())
    }

    /// The hash of the password in force.
    pub(crate) fn password_hash(&self) -> &str {
        match (&self.record.rehash, &self.record.password) {
            (Some(rehash), _) => &rehash.hash,
            (None, Some(password)) => &password.hash,
            (None, None) => &self.record.first_password,
        }
    }

    /// How many changes of the password there were, but for this one. The same change at two replicas is one.
    pub(crate) fn changes_besides(&self, key: lastword_facts::Key) -> u64 {
        let mut keys: Vec<_> =
            self.record.changes.iter().map(|change| change.key).filter(|&other| other != key).collect();
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

    /// Another password may be in force: how the one before was hashed anew is forgotten with it.
    pub(super) fn forget_rehash(&mut self) {
        let set = self.password_set();
        self.record.rehash.take_if(|rehash| Some(rehash.of) != set);
    }
}

/// The change that set the password in force; none if that is the first one.
fn in_force(record: &AccountRecord) -> Option<Order> {
    let changes = &record.changes;
    if planted(Bug::LatestPassword) {
        return changes.last().map(|change| change.order);
    }
    let is_first = |order: Order| record.claims.iter().any(|claim| claim.order == order);
    let is_there = |order: Order| changes.binary_search_by_key(&order, |change| change.order).is_ok();
    let mut at = None;
    // Those that replace a password come after it in this order, so the first that fits is the lowest.
    for change in changes {
        let follows = match change.replaces {
            Some(replaced) if is_first(replaced) => at.is_none(),
            Some(replaced) if is_there(replaced) => at == Some(replaced),
            Some(_) | None => true,
        };
        if follows {
            at = Some(change.order);
        }
    }
    at
}

impl Directory {
    pub(crate) fn password(&mut self, fact: &Fact, password: &Password) -> Option<Box<AccountRecord>> {
        let account = self.accounts.get_mut(&fact.author)?;
        let (order, key) = (fact.order(), fact.key);
        let changes = &mut account.record.changes;
        let place = changes.binary_search_by_key(&order, |change| change.order).err()?;
        changes.insert(place, ChangeRecord { order, key, replaces: password.replaces });
        if in_force(&account.record) == Some(order) {
            let (hash, keep, position) = (password.password.clone(), password.keep, fact.position);
            account.record.password = Some(PasswordRecord { order, key, hash, keep, position, known: password.known });
            account.forget_rehash();
        } else {
            hit("a password that lost");
        }
        self.changed(fact.author)
    }

    /// The password that this one names was there before it. If another one is in force, it was replaced or has lost,
    /// and does not come back: so what is passed over here is never missed.
    pub(crate) fn rehash(&mut self, fact: &Fact, rehash: &Rehash) -> Option<Box<AccountRecord>> {
        let account = self.accounts.get_mut(&fact.author)?;
        let order = fact.order();
        let newest = account.record.rehash.as_ref().map(|newest| newest.order);
        let stale = newest >= Some(order) && !planted(Bug::LatestHash);
        if Some(rehash.of) != account.password_set() || stale {
            return None;
        }
        let hash = rehash.password.clone();
        account.record.rehash = Some(RehashRecord { of: rehash.of, order, hash });
        self.changed(fact.author)
    }
}
