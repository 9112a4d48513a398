//! Sessions that nobody has used for long are ended.
//!
//! When a session was last used is known from facts: of the time when it was opened, and of one about every day while
//! it is in use, by the clock of the replica that wrote them. Nobody who comes is judged by a clock. But now and then
//! each replica goes through all sessions, a piece at a time, and ends those that were not used for a month, as if
//! their owners had logged out.
//!
//! Clocks may be wrong by years, and nobody is to be logged out by that:
//!
//! 1. A replica ends sessions only while every other one is connected and in sync, it has all that they had when they
//!    came, and all their clocks, which they tell with their signs of life, agree with its own to the hour.
//! 2. A time that nobody could compare is not written into a session. When that was last used is unknown then, and
//!    counts from the first time that somebody goes through it whose clock may be believed.
//! 3. Of several times the latest counts: a clock that is behind takes nothing away. (One that is ahead, with nobody to
//!    compare it with, keeps its sessions longer.)
//! 4. That a session is in use is noted always, by the clock in the middle of those that are known: else it would be
//!    old as soon as all clocks agree again.
//! 5. A replica that is alone in its group has only its own monotonic clock to compare with: it ends nothing after its
//!    clock was set by more than an hour.

use std::time::Duration;

use lastword_facts::Body;
use lastword_facts::fact::{Logout, Used};
use lastword_facts::ids::AccountId;
use lastword_facts::token::TokenHash;
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::config::Config;
use crate::io::{ReplicaId, Report};
use crate::time::{Mono, Now};

/// Accounts that are looked at before others have their turn: a million take a minute.
const ACCOUNTS_A_STEP: usize = 1000;
/// Facts that are made before others have their turn, but for those of one account.
const FACTS_A_STEP: usize = 50;

/// How far a replica is in going through all sessions.
#[derive(Debug, Clone)]
pub(crate) struct Sweep {
    /// When the next one begins, or this one goes on.
    due: Mono,
    /// The account that was looked at last, of one that is under way.
    last: Option<AccountId>,
    /// Both clocks when this replica started.
    started: Now,
}

/// What is known of the own wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    /// Those of the others agree with it, as far as they are connected.
    Compared,
    /// There is nobody to compare it with.
    Alone,
    /// It differs from this one's: one of the two is wrong.
    Differs(ReplicaId),
    /// It was set since this replica started.
    WasSet,
}

impl Sweep {
    /// Replicas that start together go through the sessions one after another: what the first has noted, the others
    /// don't.
    pub(crate) fn new(now: Now, config: &Config) -> Self {
        let every = config.settings.sweep_every;
        let turn = every * u32::from(config.own.0) / u32::from(config.replicas);
        Self { due: now.mono + every + turn, last: None, started: now }
    }

    /// After a pause others may know more: they have their time to say it.
    pub(crate) fn postpone(&mut self, now: Mono, every: Duration) {
        (self.due, self.last) = (now + every, None);
    }
}

impl Core {
    /// The time to be written into a session that is opened now; none if it may be wrong.
    pub(crate) fn session_time(&self, now: Now) -> Option<u64> {
        let tolerance = self.config.settings.clock_tolerance;
        // What it has seen others do, or has done before, was later than its clock says.
        let is_behind = self.ledger.stamp().0 > now.wall_us.saturating_add(tolerance.as_micros() as u64);
        (self.clock(now) == Clock::Compared && !is_behind || planted(Bug::BelievesClock)).then(|| now.wall_ms())
    }

    /// Somebody uses a session: that is noted, unless it was lately. Of one whose last use is unknown it is left to
    /// who can compare clocks: a clock that is behind would make it old.
    pub(crate) fn note_use(&mut self, now: Now, account: AccountId, token: TokenHash) {
        let Some(last_ms) = self.directory.last_used(account, token) else { return };
        let noted_ms = self.config.settings.use_noted.as_millis() as u64;
        let at_ms = self.middle_clock(now).wall_ms();
        if at_ms > last_ms.saturating_add(noted_ms) && self.room_for_people().is_ok() {
            hit("use of a session noted");
            self.make_used(now, account, token, at_ms);
        }
    }

    pub(crate) fn make_used(&mut self, now: Now, account: AccountId, token: TokenHash, at_ms: u64) {
        let used = Used { token, at_ms };
        let fact = self.ledger.make(now, account, None, Body::Used(used));
        self.admit(now, &fact, None);
    }

    /// Goes through the sessions, a piece at a time, if it is time.
    pub(crate) fn sweep(&mut self, now: Now) {
        if now.mono < self.sweep.due || self.room_for_facts().is_err() {
            return;
        }
        let may_end = self.may_end_sessions(now);
        let after = self.sweep.last.take();
        let accounts: Vec<AccountId> = self.directory.ids_after(after).take(ACCOUNTS_A_STEP).collect();
        let mut facts = 0;
        for &account in &accounts {
            self.sweep.last = Some(account);
            facts += self.sweep_account(now, account, may_end);
            if facts >= FACTS_A_STEP {
                return;
            }
        }
        if accounts.len() < ACCOUNTS_A_STEP {
            self.sweep.postpone(now.mono, self.config.settings.sweep_every);
        }
    }

    /// Looks at the sessions of an account. Says how many facts that made.
    fn sweep_account(&mut self, now: Now, account: AccountId, may_end: bool) -> usize {
        let unused_ms = self.config.settings.session_unused.as_millis() as u64;
        let made = self.ledger.last.0;
        let void = self.directory.void_sessions(account);
        for token in self.directory.good_sessions(account).into_iter().chain(void) {
            if self.connections.is_used(token) {
                self.note_use(now, account, token);
            }
            match self.directory.last_used(account, token) {
                _ if !may_end => {}
                None => self.make_used(now, account, token, now.wall_ms()),
                Some(last_ms) if last_ms.saturating_add(unused_ms) < now.wall_ms() => {
                    hit("unused session ended");
                    let fact = self.ledger.make(now, account, None, Body::Logout(Logout { token }));
                    self.admit(now, &fact, None);
                }
                Some(_) => {}
            }
        }
        (self.ledger.last.0 - made) as usize
    }

    /// Whether this replica knows enough, and its clock may be believed. If it is the clock, that is reported when it
    /// begins to go through the sessions.
    fn may_end_sessions(&mut self, now: Now) -> bool {
        if planted(Bug::BelievesClock) {
            return true;
        }
        let clock = self.clock(now);
        let report = match clock {
            Clock::Differs(peer) => Some(Report::ClocksDiffer(peer)),
            Clock::WasSet => Some(Report::ClockWasSet),
            Clock::Compared | Clock::Alone => None,
        };
        if let Some(report) = report.filter(|_| self.sweep.last.is_none()) {
            self.report(report);
        }
        clock == Clock::Compared && self.knows_all_uses()
    }

    /// Whether every other replica is there, with a clock, and this one has all that it had when it came.
    fn knows_all_uses(&self) -> bool {
        let others = usize::from(self.config.replicas) - 1;
        let mut linked = 0;
        let all = self.peers.links().all(|(_, link)| {
            linked += 1;
            let has_all = link.had.as_ref().is_some_and(|had| self.ledger.durable.covers_all(had));
            link.in_sync_since.is_some() && link.clock.is_some() && has_all
        });
        all && linked == others && !self.damage.leaves_gaps()
    }

    /// The clocks of those who are connected and have told, as they go on from there.
    fn told_clocks(&self, now: Now) -> impl Iterator<Item = (ReplicaId, Now)> {
        self.peers.links().filter_map(move |(peer, link)| Some((peer, link.clock?.at(now.mono))))
    }

    /// The one in the middle of all that are known, the own one among them; of two, the later one.
    pub(crate) fn middle_clock(&self, now: Now) -> Now {
        let mut clocks_us: Vec<u64> = self.told_clocks(now).map(|(_, clock)| clock.wall_us).collect();
        clocks_us.push(now.wall_us);
        clocks_us.sort_unstable();
        Now { wall_us: clocks_us[clocks_us.len() / 2], ..now }
    }

    fn clock(&self, now: Now) -> Clock {
        let tolerance_us = self.config.settings.clock_tolerance.as_micros() as u64;
        let agrees = |clock: Now| clock.wall_us.abs_diff(now.wall_us) <= tolerance_us;
        if self.config.replicas == 1 {
            return if agrees(self.sweep.started.at(now.mono)) { Clock::Compared } else { Clock::WasSet };
        }
        let mut known = Clock::Alone;
        for (peer, clock) in self.told_clocks(now) {
            if !agrees(clock) {
                return Clock::Differs(peer);
            }
            known = Clock::Compared;
        }
        known
    }
}
