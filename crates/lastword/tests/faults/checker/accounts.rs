//! Accounts: whose they are, and whether they live.

use std::collections::{HashMap, HashSet};

use super::Checker;

/// A client waits so long for an answer, and some.
const PATIENCE_MS: u32 = 60_000;

/// An account, by a short number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Account(u32);

/// Whether an account lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Nobody has said that it was made.
    Unknown,
    Living,
    /// Its deletion was asked for, and nobody knows what came of it.
    Doubtful,
    Deleted,
}

/// What opens an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// As the server gave it.
    pub id: String,
    /// As it was made.
    pub name: String,
    /// The password.
    pub password: String,
    /// Whose it is.
    pub owner: u16,
}

struct Known {
    credentials: Credentials,
    life: Life,
    made_ms: u32,
    /// On how many disks it was when that was told.
    stored: u32,
}

/// All accounts.
#[derive(Default)]
pub(super) struct Accounts {
    known: Vec<Known>,
    by_id: HashMap<String, Account>,
    /// Of creates that nobody answered.
    doubtful_names: Vec<String>,
    /// Creates that were refused as taken while there was trouble.
    refused: Vec<Credentials>,
}

impl Accounts {
    /// The number of an account's id.
    pub(super) fn known(&mut self, id: &str) -> Account {
        if let Some(account) = self.by_id.get(id) {
            return *account;
        }
        let account = Account(self.known.len() as u32);
        let credentials = Credentials { id: id.to_owned(), ..Credentials::default() };
        self.known.push(Known { credentials, life: Life::Unknown, made_ms: 0, stored: 0 });
        self.by_id.insert(id.to_owned(), account);
        account
    }

    fn entry(&self, account: Account) -> Option<&Known> {
        self.known.get(account.0 as usize)
    }

    pub(super) fn owner(&self, account: Account) -> Option<u16> {
        let known = self.entry(account).filter(|known| known.life != Life::Unknown)?;
        Some(known.credentials.owner)
    }

    pub(super) fn lives(&self, account: Account) -> bool {
        self.entry(account).is_some_and(|known| known.life == Life::Living)
    }

    fn with(&self, life: Life) -> Vec<Credentials> {
        let these = self.known.iter().filter(|known| known.life == life);
        these.map(|known| known.credentials.clone()).collect()
    }
}

impl Checker {
    /// An account was made, or logged in to for the first time. (Where nobody told how many disks it is on: on
    /// all.)
    pub fn on_account(&mut self, credentials: &Credentials, stored: u32) -> Account {
        let made_ms = self.now_ms();
        let account = self.accounts.known(&credentials.id);
        let Some(known) = self.accounts.known.get_mut(account.0 as usize) else { return account };
        if known.life == Life::Unknown {
            (known.life, known.made_ms, known.stored) = (Life::Living, made_ms, stored);
            known.credentials = credentials.clone();
        } else if known.credentials.owner != credentials.owner {
            let (one, other) = (known.credentials.owner, credentials.owner);
            self.violated(format!("p{one} and p{other} were both given the account {}", credentials.id));
        }
        account
    }

    /// It was answered that the account is deleted, on so many disks of so many (0 of 0: the client takes it from
    /// what the next replica says). Where the only disk that had it was destroyed, or a disk that did not have
    /// the account was taken for one that had forgotten it, nobody knows.
    pub fn on_deleted(&mut self, account: Account, stored: u32, of: u32) {
        let now = self.now_ms();
        let doubtful = match (stored, of) {
            (_, 0) => self.disks.is_any_away() || self.disks.was_any_away(now.saturating_sub(PATIENCE_MS)),
            (1, _) => self.disks.is_any_away() || self.disks.destroyed_after(now),
            _ => false,
        };
        self.set_life(account, if doubtful { Life::Doubtful } else { Life::Deleted });
    }

    /// The account may be deleted, or not.
    pub fn on_doubtful(&mut self, account: Account) {
        self.set_life(account, Life::Doubtful);
    }

    /// Somebody may have made an account of this name: nobody answered.
    pub fn on_doubtful_name(&mut self, name: &str) {
        self.accounts.doubtful_names.push(name.to_owned());
    }

    /// A name was refused as taken while there was trouble. It may be that person's after all (the design: one told
    /// `name_taken` whose replica then died may own the name, and can log in).
    pub fn on_refused_name(&mut self, name: &str, password: &str) {
        let credentials =
            Credentials { name: name.to_owned(), password: password.to_owned(), ..Credentials::default() };
        self.accounts.refused.push(credentials);
    }

    /// Those who were refused a name, and may own it after all: one of them can log in, then.
    pub fn refused_owners(&self, name: &str) -> Vec<Credentials> {
        let refused = self.accounts.refused.iter().filter(|refused| plain(&refused.name) == plain(name));
        refused.cloned().collect()
    }

    fn set_life(&mut self, account: Account, life: Life) {
        if let Some(known) = self.accounts.known.get_mut(account.0 as usize) {
            known.life = life;
        }
    }

    /// The accounts that must be there. (Not one that was on one disk alone, which was then destroyed.)
    pub fn living(&self) -> Vec<Credentials> {
        let gone = |known: &&Known| known.stored == 1 && self.disks.destroyed_after(known.made_ms);
        let living = self.accounts.known.iter().filter(|known| known.life == Life::Living && !gone(known));
        living.map(|known| known.credentials.clone()).collect()
    }

    /// The accounts that must not be there.
    pub fn deleted(&self) -> Vec<Credentials> {
        self.accounts.with(Life::Deleted)
    }

    /// The end: a replica lists these names. Each is that of an account that lives, or may: the others are returned.
    pub fn unexplained(&self, names: &[String]) -> Vec<String> {
        let may_live = |life| matches!(life, Life::Living | Life::Doubtful);
        let accounts = self.accounts.known.iter().filter(|known| may_live(known.life));
        let names_of_accounts = accounts.map(|known| &known.credentials.name);
        let all = names_of_accounts.chain(&self.accounts.doubtful_names);
        let may_be: HashSet<String> = all.map(|name| plain(name)).collect();
        names.iter().filter(|name| !may_be.contains(&plain(name))).cloned().collect()
    }
}

/// A name as it was asked for, without regard to case.
fn plain(name: &str) -> String {
    name.split('~').next().unwrap_or(name).to_ascii_lowercase()
}
