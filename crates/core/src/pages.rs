//! Pages of messages that people read: a few at a time for each account, and a number of bytes a second for all.
//!
//! A page costs the views a hundred times what a login or a retry costs them, and they answer one question after the
//! other; its bytes then cost the network's thread. Without a bound one account could have a thousand pages before
//! everybody's login, and a few accounts the whole processor. So an account has [`AT_ONCE`] of them looked up at a time,
//! whatever it asks for on how many connections, all have [`ALL_AT_ONCE`], and beyond [`RATE`] the others wait here. The
//! next turn has the account that was given least ([`crate::fair`]).
//!
//! Pages of an inbox have no place among those [`AT_ONCE`]: on a full disk the views keep them until there is room. There
//! is one for each connection at most.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use lastword_facts::ids::AccountId;
use lastword_facts::views::{Found, Query};
use lastword_marks::hit;

use crate::Core;
use crate::fair::{Rate, VirtualTime};
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
const RATE: Rate = Rate::new(32 * 1024 * 1024, Duration::from_millis(30));
/// What looking a page up costs, in bytes of a long one. It is charged when it begins; its messages when they are known.
const PAGE_BYTES: u64 = 8 * 1024;
/// What a message of a page costs besides its text, in bytes.
const MESSAGE_BYTES: usize = 200;

/// The pages that were asked for.
#[derive(Debug, Clone)]
pub(crate) struct Pages {
    accounts: BTreeMap<AccountId, OfAccount>,
    /// Accounts that wait for their turn, by the tag of their next page.
    ready: BTreeSet<(u64, AccountId)>,
    virtual_time: VirtualTime,
    rate: Rate,
    under_way: usize,
}

#[derive(Debug, Clone, Default)]
struct OfAccount {
    under_way: usize,
    waiting: VecDeque<(Job, Query)>,
    /// Connections that wait until fewer wait.
    held: VecDeque<ConnectionId>,
    /// Where what it was given ended, in virtual time.
    end: u64,
    /// Its place in [`Pages::ready`], if it has one.
    place: Option<u64>,
}

impl OfAccount {
    fn may_go_on(&self) -> bool {
        let is_inbox = matches!(self.waiting.front(), Some((Job::Inbox { .. }, _)));
        is_inbox || (!self.waiting.is_empty() && self.under_way < AT_ONCE)
    }
}

impl Pages {
    pub(crate) fn new() -> Self {
        Self {
            accounts: BTreeMap::new(),
            ready: BTreeSet::new(),
            virtual_time: VirtualTime::default(),
            rate: RATE,
            under_way: 0,
        }
    }

    /// When the next one that waits has its turn, if it waits for the time.
    pub(crate) fn due(&self) -> Option<Mono> {
        let waits = !self.ready.is_empty() && self.under_way < ALL_AT_ONCE;
        waits.then(|| self.rate.free_from())
    }

    fn has_room(&self, now: Mono) -> bool {
        self.under_way < ALL_AT_ONCE && self.rate.free_from() <= now
    }

    /// Gives an account its place among those that wait, or takes it away.
    fn queue(&mut self, account: AccountId) {
        let Some(of) = self.accounts.get_mut(&account) else { return };
        if let Some(place) = of.place.take() {
            self.ready.remove(&(place, account));
        }
        if of.may_go_on() {
            let place = self.virtual_time.tag(of.end);
            of.place = Some(place);
            self.ready.insert((place, account));
        } else if of.waiting.is_empty() && of.held.is_empty() && of.under_way == 0 && self.virtual_time.is_first(of.end)
        {
            // It stands where a new one would.
            self.accounts.remove(&account);
        }
    }

    fn ask(&mut self, account: AccountId, job: Job, query: Query) {
        let of = self.accounts.entry(account).or_default();
        of.waiting.push_back((job, query));
        if of.place.is_none() {
            self.queue(account);
        }
    }

    /// The next one that may be looked up.
    fn next(&mut self) -> Option<(AccountId, Job, Query)> {
        let (place, account) = self.ready.pop_first()?;
        let of = self.accounts.get_mut(&account)?;
        of.place = None;
        let (job, query) = of.waiting.pop_front()?;
        self.virtual_time.begin(place);
        of.end = place + PAGE_BYTES;
        Some((account, job, query))
    }

    /// A page is looked up.
    fn begin(&mut self, now: Mono, account: AccountId, is_inbox: bool) {
        self.rate.give(now, PAGE_BYTES);
        if let Some(of) = self.accounts.get_mut(&account).filter(|_| !is_inbox) {
            of.under_way += 1;
            self.under_way += 1;
        }
        self.queue(account);
    }

    /// A page was looked up.
    fn done(&mut self, now: Mono, account: AccountId, is_inbox: bool, bytes: u64) {
        self.rate.give(now, bytes);
        let of = self.accounts.entry(account).or_default();
        if !is_inbox {
            of.under_way -= 1;
            self.under_way -= 1;
        }
        of.end = self.virtual_time.tag(of.end) + bytes;
        self.queue(account);
        if self.under_way == 0 && self.ready.is_empty() {
            // Nobody is behind anybody any more.
            self.accounts.retain(|_, of| !of.held.is_empty());
        }
    }

    /// Connections that need not wait any more.
    fn free(&mut self, account: AccountId) -> VecDeque<ConnectionId> {
        match self.accounts.get_mut(&account) {
            Some(of) if of.waiting.len() < WAITING => std::mem::take(&mut of.held),
            _ => VecDeque::new(),
        }
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

    /// Looks up what has its turn.
    pub(crate) fn give_pages(&mut self, now: Now) {
        for _ in 0..self.config.settings.step {
            if !self.pages.has_room(now.mono) {
                break;
            }
            let Some((account, job, query)) = self.pages.next() else { break };
            let is_inbox = matches!(job, Job::Inbox { .. });
            let login = job.connection().and_then(|id| self.connections.login(id));
            if login.is_none_or(|login| login.account != account) {
                self.pages.queue(account);
                self.pass_over(now, job);
            } else {
                self.pages.begin(now.mono, account, is_inbox);
                let query = match job {
                    Job::Inbox { connection } => self.begin_page(connection, account),
                    _ => query,
                };
                self.query(job, query);
            }
            let free = self.pages.free(account);
            self.telling.going_on.extend(free);
        }
        if !self.pages.ready.is_empty() {
            hit("a page waits for others");
        }
    }

    /// Whoever asked for this is not logged in any more.
    fn pass_over(&mut self, now: Now, job: Job) {
        match job {
            Job::Inbox { connection } => self.on_inbox_passed_over(now, connection),
            Job::Outbox { connection, tag } | Job::History { connection, tag, .. } => {
                self.answer(connection, tag, Err(Refusal::NotLoggedIn));
            }
            Job::Conversations { connection, tag, .. } => self.answer(connection, tag, Err(Refusal::NotLoggedIn)),
            _ => {}
        }
    }

    /// A page was looked up.
    pub(crate) fn on_page_done(&mut self, now: Now, owner: Option<Owner>, is_inbox: bool, bytes: u64) {
        let Some(Owner::Account(account)) = owner else { return };
        self.pages.done(now.mono, account, is_inbox, bytes);
        let free = self.pages.free(account);
        self.telling.going_on.extend(free);
        self.give_pages(now);
    }
}

/// What a page is charged with.
pub(crate) fn bytes_of_page(found: &Found) -> u64 {
    let Found::Messages { messages, .. } = found else { return 0 };
    messages.iter().map(|message| (message.text.len() + MESSAGE_BYTES) as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Tag;

    fn of_inbox(n: u64) -> (AccountId, Job, Query) {
        let (account, connection) = (AccountId(n.into()), ConnectionId(n));
        (account, Job::Inbox { connection }, Query::PendingCount(account))
    }

    fn history(n: u64) -> (AccountId, Job, Query) {
        let (account, connection) = (AccountId(n.into()), ConnectionId(n));
        (account, Job::History { connection, tag: Tag(1), with: account }, Query::PendingCount(account))
    }

    /// On a full disk the views answer them when there is room.
    #[test]
    fn pages_of_inboxes_that_are_not_answered_keep_nobody_from_reading() {
        let (mut pages, now) = (Pages::new(), Mono(Duration::from_secs(1)));
        for n in 0..100 {
            let (account, job, query) = of_inbox(n % 10);
            pages.ask(account, job, query);
            let (account, ..) = pages.next().expect("has its turn");
            pages.begin(now, account, true);
        }
        let (account, job, query) = history(3);
        pages.ask(account, job, query);
        assert!(pages.has_room(now + Duration::from_secs(1)));
        assert!(matches!(pages.next(), Some((AccountId(3), Job::History { .. }, _))));
    }

    /// A page on which nothing stands is work, too.
    #[test]
    fn empty_pages_keep_nobody_from_theirs() {
        let (mut pages, mut now) = (Pages::new(), Mono(Duration::from_secs(1)));
        let ask = |pages: &mut Pages, n| {
            let (account, job, query) = history(n);
            pages.ask(account, job, query);
        };
        // The last one was given a long page.
        ask(&mut pages, 99);
        let (account, ..) = pages.next().expect("has its turn");
        pages.begin(now, account, false);
        pages.done(now, account, false, 64 * 1024);
        (0..10).for_each(|n| (0..3).for_each(|_| ask(&mut pages, n)));
        ask(&mut pages, 99);
        let mut under_way = VecDeque::new();
        for turn in 0.. {
            now = now + Duration::from_millis(1);
            while pages.has_room(now)
                && let Some((account, ..)) = pages.next()
            {
                if account == AccountId(99) {
                    return;
                }
                pages.begin(now, account, false);
                under_way.push_back(account);
                ask(&mut pages, account.0 as u64);
            }
            if let Some(account) = under_way.pop_front() {
                pages.done(now, account, false, 0);
            }
            assert!(turn < 200, "it never has its turn");
        }
    }

    #[test]
    fn what_is_done_leaves_nothing_behind() {
        let (mut pages, mut now) = (Pages::new(), Mono(Duration::from_secs(1)));
        for n in 0..1000 {
            let (account, job, query) = if n % 3 == 0 { of_inbox(n % 50) } else { history(n % 50) };
            pages.ask(account, job, query);
        }
        let mut under_way = VecDeque::new();
        loop {
            now = now + Duration::from_millis(1);
            while pages.has_room(now)
                && let Some((account, job, _)) = pages.next()
            {
                let is_inbox = matches!(job, Job::Inbox { .. });
                pages.begin(now, account, is_inbox);
                under_way.push_back((account, is_inbox));
            }
            let Some((account, is_inbox)) = under_way.pop_front() else { break };
            pages.done(now, account, is_inbox, 1000);
        }
        assert!(pages.accounts.is_empty() && pages.ready.is_empty() && pages.under_way == 0, "{pages:?}");
    }
}
