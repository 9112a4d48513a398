//! Who is spoken to, and what the next one is told when that one is lost.
//!
//! The first live replica in the order given becomes the leader, and stays it as long as it lives:
//! an earlier one that comes back does not take over. At the start an earlier one that is still being
//! dialled is waited for a little.

use std::time::Duration;

use super::Machine;
use super::config::Config;
use super::io::Time;
use super::link::{Link, Login, What};
use crate::event::Event;
use lastword_marks::{Bug, planted};
use lastword_protocol::Op;

/// When at the start, or after a rest, nobody has answered by then, the caller is told that nobody answers.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Who is the leader, was it, or may become it.
pub(super) struct Leadership {
    pub leader: Option<usize>,
    /// Who was the leader last, by its name.
    last: Option<(usize, String)>,
    /// Who is preferred, whatever the order.
    home: Option<usize>,
    /// No connection is needed, and none is kept; `home` led.
    resting: bool,
    /// Until when a better one that may still come is waited for.
    settle_until: Time,
    /// The caller was told that nobody can be reached.
    pub alone: bool,
}

impl Leadership {
    pub fn new(config: &Config) -> Self {
        let settle_until = Time::default() + config.settle;
        Self { leader: None, last: None, home: None, resting: false, settle_until, alone: false }
    }

    pub fn on_lost(&mut self, r: usize) {
        if self.leader == Some(r) {
            self.leader = None;
        }
    }

    /// The leader was closed only to be dialled again.
    pub fn wait_for(&mut self, r: usize, until: Time) {
        (self.home, self.settle_until) = (Some(r), until);
    }

    /// The leader rests, and all others, too.
    pub fn rest(&mut self) {
        (self.home, self.resting) = (self.leader.take(), true);
    }

    /// The rest is over; the one that led is waited for. `false`: there was none.
    pub fn wake(&mut self, until: Time) -> bool {
        if self.resting {
            self.settle_until = until;
        }
        std::mem::take(&mut self.resting)
    }

    pub fn timeout(&self, now: Time) -> Option<Time> {
        let patience = Time(PATIENCE);
        let settle = Some(self.settle_until).filter(|until| self.leader.is_none() && now < *until);
        let start = Some(patience).filter(|until| self.last.is_none() && !self.alone && now < *until);
        [settle, start].into_iter().flatten().min()
    }
}

impl Machine {
    /// If there is no leader, makes the best one that can be had the leader.
    pub(super) fn choose_leader(&mut self) {
        if self.leadership.leader.is_some() || self.leadership.resting {
            return;
        }
        let settling = self.now < self.leadership.settle_until;
        let home = self.leadership.home.filter(|_| settling);
        let rest = (0..self.links.len()).filter(|r| home != Some(*r));
        let order: Vec<usize> = home.into_iter().chain(rest).collect();
        let refused = |r: &usize| self.session.as_ref().is_some_and(|session| session.refused_by.contains(r));
        for r in order.iter().filter(|r| !refused(r)).chain(order.iter().filter(|r| refused(r))) {
            if self.links[*r].live().is_some() {
                return self.promote(*r);
            }
            if settling && self.links[*r].is_hopeful() {
                return;
            }
        }
        let starting = self.leadership.last.is_none() && self.now < Time(PATIENCE);
        let hoping = starting && self.links.iter().any(Link::is_hopeful);
        if !hoping && !self.leadership.alone {
            self.leadership.alone = true;
            let tried = self.addresses.join(", ");
            self.tell(Event::NoReplica { tried });
        }
    }

    /// Tells the new leader everything, in one go: who this is, that it listens, and what may not
    /// have arrived anywhere.
    fn promote(&mut self, r: usize) {
        let to = self.name(r).to_owned();
        let leadership = &mut self.leadership;
        (leadership.leader, leadership.home) = (Some(r), None);
        let moved = leadership.last.as_ref().is_none_or(|(last, _)| *last != r);
        let from = leadership.last.replace((r, to.clone())).map(|(_, name)| name);
        if moved || leadership.alone {
            tracing::debug!(?from, to, "another leader");
            leadership.alone = false;
            self.tell(Event::Moved { from, to });
        }
        if !moved
            && planted(Bug::ForgetsToListen)
            && let Some(session) = &mut self.session
        {
            session.listening = false;
        }
        self.held_up_since = None;
        self.deeds.restart();
        self.log_in_leader(r);
        // A leader is asked more often whether it is there than it was asked as a follower.
        let ping_at = self.links[r].live().and_then(|connection| connection.ping_at(&self.config, true));
        if ping_at.is_some_and(|at| at <= self.now) {
            self.ask(r, What::Ping, Op::Ping);
        }
    }

    /// Gives the leader up if another live replica is left that has not refused this deed or session.
    pub(super) fn move_on(&mut self, refused: impl Fn(usize) -> bool) -> bool {
        let Some(leader) = self.leadership.leader else { return false };
        let other = (0..self.links.len()).find(|r| *r != leader && !refused(*r) && self.links[*r].live().is_some());
        let Some(other) = other else { return false };
        self.close(leader);
        self.promote(other);
        true
    }

    /// Whether requests of the caller may go to the leader now.
    pub(super) fn may_send(&self) -> bool {
        let connection = self.leadership.leader.and_then(|r| self.links[r].live());
        connection.is_some_and(|connection| matches!(connection.login, Login::Out | Login::Resuming | Login::In))
    }

    /// Sends what is waiting to be sent, as far as it may be.
    pub(super) fn send_deeds(&mut self) {
        let Some(leader) = self.leadership.leader.filter(|_| self.may_send()) else { return };
        while let Some(number) = self.deeds.next_to_send(self.now) {
            if let Some(op) = self.deeds.sent(number) {
                if matches!(op, Op::Logout { .. }) {
                    // Afterwards nothing can be confirmed, and what was shown would come again.
                    self.confirm_to(leader);
                }
                let slow = super::deeds::is_slow(&op);
                self.ask(leader, What::Deed { number, slow }, op);
            }
        }
    }
}
