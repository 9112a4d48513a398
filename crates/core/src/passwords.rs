//! New passwords. A change names the password that was checked for it (`directory::passwords` says which counts).

use std::collections::BTreeMap;
use std::time::Duration;

use lastword_facts::Body;
use lastword_facts::fact::Password as Change;
use lastword_facts::ids::{AccountId, Key, Order};
use lastword_marks::hit;

use crate::Core;
use crate::io::{ConnectionId, Password, Refusal, Tag};
use crate::jobs::Job;
use crate::release::Reply;
use crate::time::{Mono, Now};

/// Changes of one account's password on one replica, at most, in each [`PERIOD`]: each is kept for ever.
const CHANGES: u32 = 20;
const PERIOD: Duration = Duration::from_secs(24 * 3600);
/// Accounts of which changes are counted. With more, those longest ago are forgotten.
const COUNTED: usize = 10_000;

/// How often passwords were changed here lately.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    /// When the first one of this period was made, and how many there were since.
    counted: BTreeMap<AccountId, (Mono, u32)>,
}

impl Changes {
    fn has_room(&self, now: Mono, account: AccountId) -> bool {
        self.counted.get(&account).is_none_or(|&(since, count)| count < CHANGES || now.since(since) >= PERIOD)
    }

    fn count(&mut self, now: Mono, account: AccountId) {
        if self.counted.len() >= COUNTED && !self.counted.contains_key(&account) {
            self.counted.retain(|_, &mut (since, _)| now.since(since) < PERIOD);
            let oldest = self.counted.iter().min_by_key(|(_, counted)| counted.0).map(|(&account, _)| account);
            if let Some(oldest) = oldest.filter(|_| self.counted.len() >= COUNTED) {
                self.counted.remove(&oldest);
            }
        }
        let counted = self.counted.entry(account).or_insert((now, 0));
        if now.since(counted.0) >= PERIOD {
            *counted = (now, 0);
        }
        counted.1 += 1;
    }
}

impl Core {
    pub(crate) fn change_password(
        &mut self,
        now: Now,
        id: ConnectionId,
        tag: Tag,
        old: Password,
        new: Password,
        key: Key,
    ) -> Result<(), Refusal> {
        let login = self.logged_in(id)?;
        self.check_new_password(&new)?;
        let account = self.directory.living(login.account).ok_or(Refusal::NotLoggedIn)?;
        if let Some(position) = account.changed_with(key) {
            self.answer_again(now, position, self.ledger.end, Reply::Stored(id, tag));
            return Ok(());
        }
        let (hash, replaces) = (account.password_hash().to_owned(), account.password_set());
        if !self.password_changes.has_room(now.mono, login.account) {
            let text = "This password was changed 20 times within a day. Please try again tomorrow.";
            return Err(Refusal::BadPassword(text));
        }
        self.room_for_people()?;
        self.room_for_jobs(id)?;
        self.wait(id);
        self.check(id, Job::OldPassword { connection: id, tag, new, key, replaces }, old, vec![hash]);
        Ok(())
    }

    /// A new password is hashed: it takes the place of the one that was checked, if that is still the one in force.
    pub(crate) fn set_password(
        &mut self,
        now: Now,
        connection: ConnectionId,
        tag: Tag,
        key: Key,
        replaces: Option<Order>,
        hash: String,
    ) -> Result<(), Refusal> {
        let login = self.logged_in(connection)?;
        let account = self.directory.living(login.account).ok_or(Refusal::NotLoggedIn)?;
        if let Some(position) = account.changed_with(key) {
            hit("two tries of one change at once");
            self.answer_again(now, position, self.ledger.end, Reply::Stored(connection, tag));
            return Ok(());
        }
        if !account.is_set_by(replaces) {
            return Err(Refusal::BadPassword("The password was changed by somebody else meanwhile."));
        }
        let known = Some(account.changes_besides(key));
        self.password_changes.count(now.mono, login.account);
        let change = Change { password: hash, keep: Some(login.token), replaces, known };
        // The other sessions end with it.
        self.confirm_delivered(now, login.account);
        let fact = self.ledger.make(now, login.account, Some(key), Body::Password(change));
        self.admit(now, &fact, Some(Reply::Stored(connection, tag)));
        Ok(())
    }
}
