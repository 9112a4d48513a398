//! Pages of messages that people read: a few at a time for each account, and so many bytes a second for all.
//!
//! A page costs the views a hundred times what a login or a retry costs them, and they answer one question after the
//! other; its bytes then cost the network's thread. Without a bound one account could have a thousand pages before
//! everybody's login, and a few accounts the whole processor. So an account has [`AT_ONCE`] of them looked up at a time,
//! whatever it asks for on how many connections, all have [`ALL_AT_ONCE`], and beyond [`RATE`] the others wait here. The
//! next turn has the account that was given the fewest bytes: start-time fair queueing, as for messages
//! ([`crate::turns`]), but a page is charged when it is known how long it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use lastword_facts::ids::AccountId;
use lastword_facts::views::{Found, Query};
use lastword_marks::hit;

use crate::Core;
use crate::io::{ConnectionId, Refusal};
use crate::jobs::{Job, Owner};
use crate::time::{Mono, Now};

/// Pages of one account that are looked up at a time, and of all accounts.
const AT_ONCE: usize = 2;
const ALL_AT_ONCE: usize = 8;
/// Pages of one account that may wait for that, before its connections wait with what they ask for behind these; and
/// before more are refused, where it has that many connections.
const WAITING: usize = 16;
const WAITING_MOST: usize = 1000;
/// Bytes of pages in a second, and how long what is given at once may last.
const RATE: u64 = 32 * 1024 * 1024;
const BURST: Duration = Duration::from_millis(30);
/// What a message of a page costs besides its text, in bytes.
const MESSAGE_BYTES: usize = 200;

/// The pages that were asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages {
    accounts: BTreeMap<AccountId, OfAccount>,
    /// Accounts that wait for their turn, by what they were given.
    ready: BTreeSet<(u64, AccountId)>,
    virtual_time: u64,
    under_way: usize,
    /// Until when what was given lasts at [`RATE`].
    given_until: Option<Mono>,
}

#[derive(Debug, Clone, Default)]
struct OfAccount {
    under_way: usize,
    waiting: VecDeque<(Job, Query)>,
    /// Connections that wait until fewer wait.
    held: VecDeque<ConnectionId>,
    /// What it was given, in bytes of virtual time.
    given: u64,
}

impl Pages {
    /// When the next one that waits has its turn, if it waits for the time.
    pub(crate) fn due(&self) -> Option<Mono> {
        let waits = !self.ready.is_empty() && self.under_way < ALL_AT_ONCE;
        self.given_until.filter(|_| waits).map(|until| until - BURST)
    }

    fn has_room(&self, now: Mono) -> bool {
        self.under_way < ALL_AT_ONCE && self.given_until.is_none_or(|until| until <= now + BURST)
    }

    fn ask(&mut self, account: AccountId, job: Job, query: Query) {
        let of = self.accounts.entry(account).or_default();
        of.waiting.push_back((job, query));
        // With others waiting it has its place already.
        if of.under_way < AT_ONCE && of.waiting.len() == 1 {
            of.given = of.given.max(self.virtual_time);
            self.ready.insert((of.given, account));
        }
    }

    /// The next one that may be looked up.
    fn next(&mut self) -> Option<(AccountId, Job, Query)> {
        let (given, account) = self.ready.pop_first()?;
        self.virtual_time = self.virtual_time.max(given);
        let of = self.accounts.get_mut(&account)?;
        let (job, query) = of.waiting.pop_front()?;
        of.under_way += 1;
        self.under_way += 1;
        if of.under_way < AT_ONCE && !of.waiting.is_empty() {
            self.ready.insert((of.given, account));
        }
        Some((account, job, query))
    }

    /// A page was looked up. Connections that need not wait any more.
    fn done(&mut self, now: Mono, account: AccountId, bytes: u64) -> VecDeque<ConnectionId> {
        let until = self.given_until.filter(|&until| until > now).unwrap_or(now);
        self.given_until = Some(until + Duration::from_nanos(bytes * 1_000_000_000 / RATE));
        self.under_way -= 1;
        let Some(of) = self.accounts.get_mut(&account) else { return VecDeque::new() };
        of.under_way -= 1;
        self.ready.remove(&(of.given, account));
        of.given = of.given.max(self.virtual_time) + bytes;
        if !of.waiting.is_empty() {
            self.ready.insert((of.given, account));
        }
        let free = if of.waiting.len() < WAITING { std::mem::take(&mut of.held) } else { VecDeque::new() };
        if self.under_way == 0 && self.ready.is_empty() {
            // Nobody is behind anybody any more.
            self.accounts.clear();
        }
        free
    }
}

impl Core {
    /// Looks a page up when its turn comes.
    ///
    /// # Errors
    /// Too many wait, for this account or in all.
    pub(crate) fn look_up_page(&mut self, now: Now, account: AccountId, job: Job, query: Query) -> Result<(), Refusal> {
        if let Some(connection) = job.connection() {
            self.room_for_jobs(connection)?;
            let waiting = self.pages.accounts.get(&account).map_or(0, |of| of.waiting.len());
            if waiting >= WAITING_MOST {
                return Err(Refusal::TooMany { retry_ms: 100 });
            }
            if waiting >= WAITING {
                hit("a connection waits for pages");
                self.wait(connection);
                self.pages.accounts.entry(account).or_default().held.push_back(connection);
            }
        }
        self.look_up_page_in_turn(now, account, job, query);
        Ok(())
    }

    /// The same for what goes on with a page before, and for what a connection that listens is shown: these are few.
    pub(crate) fn look_up_page_in_turn(&mut self, now: Now, account: AccountId, job: Job, query: Query) {
        self.pages.ask(account, job, query);
        self.give_pages(now);
    }

    /// Looks up what has its turn. What connections asked for that have gone is passed over.
    pub(crate) fn give_pages(&mut self, now: Now) {
        while self.pages.has_room(now.mono)
            && let Some((account, job, query)) = self.pages.next()
        {
            let login = job.connection().and_then(|id| self.connections.login(id));
            if login.is_some_and(|login| login.account == account) {
                self.query(job, query);
            } else {
                let free = self.pages.done(now.mono, account, 0);
                self.telling.going_on.extend(free);
            }
        }
        if !self.pages.ready.is_empty() {
            hit("a page waits for others");
        }
    }

    /// A page was looked up.
    pub(crate) fn on_page_done(&mut self, now: Now, owner: Option<Owner>, bytes: u64) {
        let Some(Owner::Account(account)) = owner else { return };
        let free = self.pages.done(now.mono, account, bytes);
        self.telling.going_on.extend(free);
        self.give_pages(now);
    }
}

/// What a page is charged with.
pub(crate) fn bytes_of_page(found: &Found) -> u64 {
    let Found::Messages { messages, .. } = found else { return 0 };
    messages.iter().map(|message| (message.text.len() + MESSAGE_BYTES) as u64).sum()
}
