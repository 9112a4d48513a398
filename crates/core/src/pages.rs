//! Pages of messages that people read: a few at a time for each account.
//!
//! A page costs the views a hundred times what a login or a retry costs them, and they answer one question after the
//! other. Without a bound one account could have a thousand pages before everybody's login. So an account has
//! [`AT_ONCE`] of them looked up at a time, whatever it asks for on how many connections, and the others wait here.

use std::collections::{BTreeMap, VecDeque};

use lastword_facts::ids::AccountId;
use lastword_facts::views::Query;
use lastword_marks::hit;

use crate::Core;
use crate::io::Refusal;
use crate::jobs::{Job, Owner};

/// Pages of one account that are looked up at a time.
const AT_ONCE: usize = 2;
/// Pages of one account that may wait for that.
const WAITING: usize = 1000;

/// The pages that were asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages(BTreeMap<AccountId, OfAccount>);

#[derive(Debug, Clone, Default)]
struct OfAccount {
    under_way: usize,
    waiting: VecDeque<(Job, Query)>,
}

impl Core {
    /// Looks a page up, or notes that it is to be looked up when others of the account were.
    ///
    /// # Errors
    /// Too many wait, for this account or in all.
    pub(crate) fn look_up_page(&mut self, account: AccountId, job: Job, query: Query) -> Result<(), Refusal> {
        if let Some(connection) = job.connection() {
            self.room_for_jobs(connection)?;
        }
        let pages = self.pages.0.entry(account).or_default();
        if pages.under_way < AT_ONCE {
            pages.under_way += 1;
            self.query(job, query);
            return Ok(());
        }
        if pages.waiting.len() >= WAITING {
            return Err(Refusal::TooMany { retry_ms: 100 });
        }
        hit("a page waits for others of its account");
        pages.waiting.push_back((job, query));
        Ok(())
    }

    /// A page was looked up: the next one of its account has its turn. Those of connections that have gone have none.
    pub(crate) fn on_page_done(&mut self, owner: Option<Owner>) {
        let Some(Owner::Account(account)) = owner else { return };
        let Some(pages) = self.pages.0.get_mut(&account) else { return };
        let waits = |job: &Job| {
            job.connection().and_then(|id| self.connections.login(id)).is_some_and(|login| login.account == account)
        };
        while let Some((job, query)) = pages.waiting.pop_front() {
            if waits(&job) {
                return self.query(job, query);
            }
        }
        pages.under_way -= 1;
        if pages.under_way == 0 {
            self.pages.0.remove(&account);
        }
    }
}
