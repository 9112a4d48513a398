//! One replica as the client sees it: dialled, connected, silent, lost.

use std::collections::BTreeMap;

use super::config::Config;
use super::io::{Epoch, Time};
use super::shown::Inbox;

/// One replica as the client sees it.
pub(super) struct Link {
    pub state: State,
    /// What it calls itself, once it said so.
    pub name: Option<String>,
    /// How many dials and connections in a row came to nothing.
    pub failures: u32,
}

/// How far the connection is.
pub(super) enum State {
    /// To be dialled at this time.
    Down(Time),
    /// Being dialled, until this time.
    Dialling(Epoch, Time),
    /// Connected.
    Up(Box<Connection>),
}

/// A connection that stands.
pub(super) struct Connection {
    pub epoch: Epoch,
    /// It has answered `hello`: there is a server behind the socket, not only a kernel.
    pub live: bool,
    pub login: Login,
    pub inbox: Inbox,
    /// When to ask again whether it lets this client listen, where it does not now.
    pub listen_at: Option<Time>,
    heard: Time,
    asked: BTreeMap<u64, Asked>,
    /// A `ping` of the machine's own is under way.
    pinged: bool,
    /// A `delivered` is under way.
    confirming: bool,
}

/// Whether the connection is logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Login {
    /// No.
    Out,
    /// A `resume` is on its way, and most likely succeeds: requests may follow at once.
    Resuming,
    /// A `login` is on its way: nothing may follow before its answer.
    Again,
    /// The server wants the login to be tried later.
    Later(Time),
    /// Yes.
    In,
    /// It does not know the session.
    Refused,
}

/// What an answer will be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Hello,
    /// As the leader, or only to be ready.
    Resume {
        leader: bool,
    },
    Again,
    Listen,
    Ping,
    Delivered,
    Deed {
        number: u64,
        slow: bool,
    },
}

struct Asked {
    what: What,
    at: Time,
}

impl What {
    fn is_slow(self) -> bool {
        matches!(self, What::Again | What::Deed { slow: true, .. })
    }
}

impl Link {
    pub fn new() -> Self {
        Self { state: State::Down(Time::default()), name: None, failures: 0 }
    }

    pub fn connection(&mut self) -> Option<&mut Connection> {
        match &mut self.state {
            State::Up(connection) => Some(connection),
            _ => None,
        }
    }

    pub fn live(&self) -> Option<&Connection> {
        match &self.state {
            State::Up(connection) if connection.live => Some(connection),
            _ => None,
        }
    }

    /// It may become live any moment: nothing has failed yet.
    pub fn is_hopeful(&self) -> bool {
        self.failures == 0 && self.live().is_none()
    }

    pub fn epoch(&self) -> Option<Epoch> {
        match &self.state {
            State::Down(_) => None,
            State::Dialling(epoch, _) => Some(*epoch),
            State::Up(connection) => Some(connection.epoch),
        }
    }

    /// The dial failed, or the connection is gone; it is dialled again after a while.
    pub fn on_lost(&mut self, now: Time, config: &Config) {
        self.failures = if self.live().is_some() { 1 } else { self.failures.saturating_add(1) };
        self.state = State::Down(now + config.redial_wait(self.failures));
    }

    /// When something is to be done about it, if nothing comes.
    pub fn timeout(&self, config: &Config, leader: bool) -> Time {
        match &self.state {
            State::Down(at) | State::Dialling(_, at) => *at,
            State::Up(connection) => connection.timeout(config, leader),
        }
    }
}

impl Connection {
    pub fn new(epoch: Epoch, now: Time) -> Self {
        let (asked, inbox) = (BTreeMap::new(), Inbox::default());
        let (login, listen_at) = (Login::Out, None);
        Self { epoch, live: false, login, inbox, listen_at, heard: now, asked, pinged: false, confirming: false }
    }

    pub fn on_heard(&mut self, now: Time) {
        self.heard = now;
    }

    pub fn ask(&mut self, id: u64, what: What, now: Time) {
        self.asked.insert(id, Asked { what, at: now });
        self.note(what, true);
    }

    fn note(&mut self, what: What, under_way: bool) {
        match what {
            What::Ping => self.pinged = under_way,
            What::Delivered => self.confirming = under_way,
            What::Listen => self.listen_at = None,
            _ => {}
        }
    }

    pub fn on_answer(&mut self, id: u64) -> Option<What> {
        let what = self.asked.remove(&id)?.what;
        self.note(what, false);
        Some(what)
    }

    pub fn is_confirming(&self) -> bool {
        self.confirming
    }

    /// Forgets what it was asked for the caller, but for one: that will be asked again.
    pub fn forget_deeds(&mut self, but: Option<u64>) {
        self.asked.retain(|_, asked| match asked.what {
            What::Deed { number, .. } => Some(number) == but,
            What::Listen => false,
            _ => true,
        });
    }

    /// Since when it owes an answer that costs no more than a sync, and has said nothing at all.
    /// (At most two slow requests are under way at a time, so this looks at three at most.)
    fn owing_since(&self) -> Option<Time> {
        let quick = self.asked.values().find(|asked| !asked.what.is_slow())?;
        Some(quick.at.max(self.heard))
    }

    /// When it must be given up, if nothing comes.
    pub fn lost_at(&self, config: &Config) -> Option<Time> {
        let silent = self.owing_since().map(|since| since + config.silence);
        let stuck = self.asked.values().next().map(|oldest| oldest.at + config.stuck);
        [silent, stuck].into_iter().flatten().min()
    }

    /// When it must be asked whether it is there, if nothing comes.
    pub fn ping_at(&self, config: &Config, leader: bool) -> Option<Time> {
        if !self.live || self.pinged {
            return None;
        }
        let quiet = if leader { config.ping_leader } else { config.ping_follower };
        Some(self.owing_since().map_or(self.heard + quiet, |since| since + config.ping_owing))
    }

    fn timeout(&self, config: &Config, leader: bool) -> Time {
        let later = match self.login {
            Login::Later(at) => Some(at),
            _ => None,
        };
        let times = [later, self.listen_at, self.lost_at(config), self.ping_at(config, leader)];
        times.into_iter().flatten().min().unwrap_or(Time::NEVER)
    }

    /// This machine was frozen: nobody can be blamed for the time that passed.
    pub fn excuse(&mut self, now: Time) {
        self.heard = now;
        for asked in self.asked.values_mut() {
            asked.at = now;
        }
    }
}
