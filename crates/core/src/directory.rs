//! Who there is: accounts, the names they go by, their passwords and sessions.
//!
//! A pure function of the facts, whatever the order in which they come:
//!
//! 1. A name belongs to the account with the earliest claim among those that are confirmed and not
//!    withdrawn, of accounts that live. Any other with such a claim is called `name~xxxx`.
//! 2. A deleted account is deleted for ever.
//! 3. The password in force is found from the first one on (`passwords`).
//! 4. A session is good while it was not ended, and the account's password is the one that opened it, or the one that
//!    kept it (`sessions`).

#[cfg(test)]
mod any_order;
mod passwords;
mod sessions;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use lastword_facts::Fact;
use lastword_facts::fact::{Claim, Verdict};
use lastword_facts::ids::{AccountId, Order};
use lastword_facts::token::TokenHash;
use lastword_facts::views::{AccountRecord, ClaimRecord};

/// Accounts that a login by one name may mean: its owner, and others that claimed it in a split.
const LOGIN_CANDIDATES: usize = 4;

/// Who there is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    accounts: BTreeMap<AccountId, Account>,
    /// By folded name: who has claimed it, deleted ones left out.
    names: BTreeMap<Box<str>, Vec<AccountId>>,
    sessions: BTreeMap<TokenHash, AccountId>,
    /// How many of the accounts are deleted.
    deletions: usize,
}

/// An account, and what it is called now.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) record: AccountRecord,
    pub(crate) called: Arc<str>,
}

impl Account {
    /// The order of its earliest claim that holds; `None` if none does: then there is no such account.
    fn holds_since(&self) -> Option<Order> {
        if self.record.deleted {
            return None;
        }
        let holding = self.record.claims.iter().filter(|claim| claim.confirmed && !claim.withdrawn);
        holding.map(|claim| claim.order).min()
    }
}

impl Directory {
    pub(crate) fn new(records: Vec<AccountRecord>) -> Self {
        let mut directory = Self::default();
        for record in records {
            let folded = fold(&record.name);
            for session in &record.sessions {
                directory.sessions.insert(session.token, record.id);
            }
            if record.deleted {
                directory.deletions += 1;
            } else {
                directory.names.entry(folded).or_default().push(record.id);
            }
            directory.accounts.insert(record.id, Account { record, called: "".into() });
        }
        let names: Vec<Box<str>> = directory.names.keys().cloned().collect();
        for name in names {
            directory.rename(&name);
        }
        directory
    }

    /// How many accounts there are, and were.
    pub(crate) fn len(&self) -> usize {
        self.accounts.len()
    }

    /// An account with a claim that holds.
    pub(crate) fn living(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id).filter(|account| account.holds_since().is_some())
    }

    /// Any account of which there is a fact.
    pub(crate) fn any(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// How many accounts were deleted.
    pub(crate) fn deletions(&self) -> usize {
        self.deletions
    }

    pub(crate) fn is_deleted(&self, id: AccountId) -> bool {
        self.accounts.get(&id).is_some_and(|account| account.record.deleted)
    }

    /// What an account is called: its id's first digits if nobody knows it.
    pub(crate) fn called(&self, id: AccountId) -> Arc<str> {
        match self.accounts.get(&id) {
            Some(account) => account.called.clone(),
            None => format!("~{}", id.short()).into(),
        }
    }

    /// Whom a name means now.
    pub(crate) fn resolve(&self, name: &str) -> Option<AccountId> {
        match name.split_once('~') {
            None => self.owner(&fold(name)),
            Some((name, short)) => {
                let claimants = self.names.get(&fold(name))?;
                let owner = self.owner(&fold(name));
                let displaced = claimants.iter().filter(|&&id| Some(id) != owner && self.living(id).is_some());
                displaced.copied().find(|id| id.short().eq_ignore_ascii_case(short))
            }
        }
    }

    /// The accounts that a login by this name may mean, the owner first.
    pub(crate) fn login_candidates(&self, name: &str) -> Vec<AccountId> {
        if name.contains('~') {
            return self.resolve(name).into_iter().collect();
        }
        let claimants = self.names.get(&fold(name)).map(Vec::as_slice).unwrap_or_default();
        let mut holders: Vec<(Order, AccountId)> =
            claimants.iter().filter_map(|&id| Some((self.accounts.get(&id)?.holds_since()?, id))).collect();
        holders.sort_unstable();
        holders.into_iter().map(|(_, id)| id).take(LOGIN_CANDIDATES).collect()
    }

    /// Everybody who has claimed a name and is not deleted.
    pub(crate) fn claimants(&self, folded: &str) -> impl Iterator<Item = &Account> {
        self.names.get(folded).into_iter().flatten().filter_map(|id| self.accounts.get(id))
    }

    /// All accounts after this one, in the order of their ids.
    pub(crate) fn ids_after(&self, after: Option<AccountId>) -> impl Iterator<Item = AccountId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.accounts.range((from, Bound::Unbounded)).map(|(&id, _)| id)
    }

    /// Folded names from after this one on, in their order, each with what those are called who have it.
    pub(crate) fn names_after(
        &self,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&str, impl Iterator<Item = Arc<str>>)> {
        let from = match after {
            Some(after) => Bound::Excluded(after),
            None => Bound::Unbounded,
        };
        self.names.range::<str, _>((from, Bound::Unbounded)).map(|(folded, ids)| {
            let living = ids.iter().filter_map(|&id| self.living(id));
            (&**folded, living.map(|account| account.called.clone()))
        })
    }

    pub(crate) fn all_living(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().filter(|account| account.holds_since().is_some())
    }

    fn owner(&self, folded: &str) -> Option<AccountId> {
        let claimants = self.names.get(folded)?;
        let holders = claimants.iter().filter_map(|&id| Some((self.accounts.get(&id)?.holds_since()?, id)));
        holders.min().map(|(_, id)| id)
    }

    /// Says anew what everybody is called who has claimed this name.
    fn rename(&mut self, folded: &str) {
        let owner = self.owner(folded);
        let Some(claimants) = self.names.get_mut(folded) else { return };
        // In this order they are listed: alphabetical, and so the same on every replica.
        claimants.sort_unstable_by_key(|&id| (owner != Some(id), id));
        for &id in &*claimants {
            if let Some(account) = self.accounts.get_mut(&id) {
                let name = &account.record.name;
                let called = if owner == Some(id) { name.clone() } else { format!("{name}~{}", id.short()) };
                if *account.called != *called {
                    account.called = called.into();
                }
            }
        }
    }

    /// The record, as it is after a change.
    fn changed(&self, id: AccountId) -> Option<Box<AccountRecord>> {
        self.accounts.get(&id).map(|account| Box::new(account.record.clone()))
    }

    // What follows takes facts in. Each says what the account's record is after it, if it matters.

    pub(crate) fn claim(&mut self, fact: &Fact, claim: &Claim) -> Option<Box<AccountRecord>> {
        let (id, folded) = (fact.author, fold(&claim.name));
        let made = ClaimRecord { position: fact.position, order: fact.order(), confirmed: false, withdrawn: false };
        let account = self.accounts.entry(id).or_insert_with(|| Account {
            record: AccountRecord {
                id,
                name: claim.name.clone(),
                claims: Vec::new(),
                first_password: claim.password.clone(),
                password: None,
                sessions: Vec::new(),
                deleted: false,
                rehashes: Vec::new(),
                changes: Vec::new(),
                ended: Vec::new(),
            },
            called: claim.name.as_str().into(),
        });
        let record = &mut account.record;
        if record.claims.iter().any(|claim| claim.position == fact.position) {
            return None;
        }
        if record.claims.first().is_none_or(|first| made.order < first.order) {
            record.first_password.clone_from(&claim.password);
        }
        let place = record.claims.partition_point(|other| other.order < made.order);
        record.claims.insert(place, made);
        if !account.record.deleted {
            let claimants = self.names.entry(folded.clone()).or_default();
            if !claimants.contains(&id) {
                claimants.push(id);
            }
        }
        self.rename(&folded);
        self.changed(id)
    }

    /// Sets a mark on a claim: confirmed or withdrawn.
    pub(crate) fn mark(&mut self, fact: &Fact, verdict: &Verdict, confirm: bool) -> Option<Box<AccountRecord>> {
        let account = self.accounts.get_mut(&fact.author)?;
        let claim = account.record.claims.iter_mut().find(|claim| claim.position == verdict.claim)?;
        if confirm {
            claim.confirmed = true;
        } else {
            claim.withdrawn = true;
        }
        let folded = fold(&account.record.name);
        self.rename(&folded);
        self.changed(fact.author)
    }

    pub(crate) fn delete(&mut self, fact: &Fact) -> Option<Box<AccountRecord>> {
        let account = self.accounts.get_mut(&fact.author)?;
        self.deletions += usize::from(!account.record.deleted);
        account.record.deleted = true;
        for session in account.record.sessions.drain(..) {
            self.sessions.remove(&session.token);
        }
        account.record.ended.clear();
        let folded = fold(&account.record.name);
        if let Some(claimants) = self.names.get_mut(&folded) {
            claimants.retain(|&id| id != fact.author);
            if claimants.is_empty() {
                self.names.remove(&folded);
            }
        }
        self.rename(&folded);
        self.changed(fact.author)
    }
}

/// A name without regard to case.
pub(crate) fn fold(name: &str) -> Box<str> {
    name.to_ascii_lowercase().into()
}

#[cfg(test)]
mod tests {
    use lastword_facts::ids::{Incarnation, Position, Seq, Stamp};
    use lastword_facts::{Body, Key};

    use super::*;

    /// Claimed and confirmed by these accounts, in this order of arrival.
    fn listed(arrival: &[u64]) -> Vec<String> {
        let mut directory = Directory::default();
        for &n in arrival {
            let (author, key) = (AccountId(u128::from(n) << 120), Key(u128::from(n)));
            let at = |seq| Position { incarnation: Incarnation(n), seq: Seq(seq) };
            let claim = Claim { name: "alice".into(), password: String::new(), at_ms: 0 };
            let fact = Fact::new(at(1), Vec::new(), Stamp(10 - n), author, key, Body::Claim(claim.clone()));
            directory.claim(&fact, &claim);
            let verdict = Verdict { claim: at(1), name: claim.name };
            let fact = Fact::new(at(2), Vec::new(), Stamp(10), author, key, Body::Confirm(verdict.clone()));
            directory.mark(&fact, &verdict, true);
        }
        directory.names_after(None).flat_map(|(_, names)| names).map(|name| name.to_string()).collect()
    }

    /// Found by real processes: the lists of two replicas had the names of a split in different orders.
    #[test]
    fn owners_of_one_name_are_listed_in_one_order_however_they_came() {
        for arrival in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
            assert_eq!(listed(&arrival), ["alice", "alice~0100", "alice~0200"], "{arrival:?}");
        }
    }
}
