//! What the client does when: a state machine without sockets, clock, threads or randomness.
//!
//! The caller (the driver of this crate, or a simulator) hands in what happens with
//! [`handle`](Machine::handle), then does everything that [`poll_output`](Machine::poll_output) hands
//! out, in that order, then calls [`handle`](Machine::handle) with [`Input::Timer`] no later than
//! [`poll_timeout`](Machine::poll_timeout) says. The first `poll_timeout` is zero: then it dials.
//!
//! The rooms:
//! * `link`: one replica: dialled, connected, silent, lost.
//! * `leader`: who is spoken to, and what the next one is told when that one is lost.
//! * `rest`: no connections while there is nothing to do.
//! * `session`: logging in again, and what to do where that is refused.
//! * `listening`: asking for messages, and what to do while the leader refuses.
//! * `deeds`: what the caller asked for, in one list, until every disk has it.
//! * `answers`: what each answer means for that list.
//! * `shown`: which messages came before, and which may be confirmed.
//!
//! Invariants:
//! 1. Deeds are sent to the leader only, and in the order given. After a change of leader all of the
//!    list is sent again, in that order, before anything new.
//! 2. A replica that stops being the leader loses its connection, if it has not lost it already. So
//!    answers to deeds come from the leader, and messages from one replica at a time.
//! 3. Each command is answered once.

mod answers;
mod config;
mod deeds;
mod io;
mod leader;
mod link;
mod listening;
mod rest;
mod session;
mod shown;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use lastword_protocol::request::Receiver;
use lastword_protocol::{Code, LINE_BYTES, Op, Refusal, Request, RequestId};

use crate::error::Error;
use crate::event::Event;
pub use config::Config;
use deeds::Deeds;
pub use io::{CommandId, Epoch, EventNumber, Input, Output, ReplicaIndex, Time};
use leader::Leadership;
use link::{Connection, Link, Login, State, What};
use session::Session;
use shown::Stream;

/// When a timer comes later than this, the process was frozen, and nobody is to blame for silence.
const FROZEN: Duration = Duration::from_millis(500);

/// The client as a state machine. See the [module](self).
pub struct Machine {
    config: Config,
    addresses: Vec<String>,
    now: Time,
    /// By [`ReplicaIndex`].
    links: Vec<Link>,
    leadership: Leadership,
    session: Option<Session>,
    deeds: Deeds,
    stream: Stream,
    /// The latest `seen` token that any replica gave.
    seen: Option<String>,
    /// Since when the leader does not know somebody to whom a message was acknowledged before.
    held_up_since: Option<Time>,
    next_request: u64,
    next_epoch: u64,
    outputs: VecDeque<Output>,
}

impl Machine {
    /// A client of these replicas. Its time begins at zero, now.
    pub fn new(config: Config, addresses: Vec<String>) -> Self {
        Self {
            now: Time::default(),
            links: addresses.iter().map(|_| Link::new()).collect(),
            leadership: Leadership::new(&config),
            session: None,
            deeds: Deeds::new(addresses.len(), config.uncovered_most),
            stream: Stream::new(config.remembered_most, config.events_most),
            seen: None,
            held_up_since: None,
            next_request: 1,
            next_epoch: 1,
            outputs: VecDeque::new(),
            config,
            addresses,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Connected { replica, epoch } => self.on_connected(replica.0, epoch),
            Input::Lost { replica, epoch } => {
                if self.is_current(replica.0, epoch) {
                    self.on_lost(replica.0);
                }
            }
            Input::Line { replica, epoch, line } => {
                if self.is_current(replica.0, epoch) {
                    self.on_line(replica.0, line);
                }
            }
            Input::Command { id, op } => self.on_command(id, op),
            Input::Shown { upto } => self.stream.on_shown(upto),
            Input::Timer => self.on_timer(),
        }
        self.choose_leader();
        self.send_deeds();
        self.confirm();
    }

    /// Hands out what is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call with [`Input::Timer`], if nothing else happens. Changes with every call of
    /// [`handle`](Self::handle). `None`: only a command gives it something to do.
    pub fn poll_timeout(&mut self) -> Option<Time> {
        let leader = self.leadership.leader;
        let links = self.links.iter().enumerate().map(|(r, link)| link.timeout(&self.config, leader == Some(r)));
        let links = links.min();
        let deadline = self.deeds.deadline();
        let due = leader.and_then(|_| self.deeds.due(self.now)).filter(|_| self.may_send());
        let times = [links, deadline, due, self.leadership.timeout(self.now)];
        times.into_iter().flatten().min().filter(|due| *due < Time::NEVER)
    }

    /// Who commands go to now, by the name that it gave itself.
    pub fn leader(&self) -> Option<&str> {
        self.leadership.leader.map(|r| self.name(r))
    }

    fn name(&self, r: usize) -> &str {
        self.links[r].name.as_deref().unwrap_or(&self.addresses[r])
    }

    fn is_current(&self, r: usize, epoch: Epoch) -> bool {
        self.links.get(r).is_some_and(|link| link.epoch() == Some(epoch))
    }

    fn on_command(&mut self, id: CommandId, op: Op) {
        let refuse = |code, text: &str| Error::Refused(Refusal::new(code, text));
        let error = if matches!(op, Op::Hello { .. } | Op::Resume { .. } | Op::Delivered { .. }) {
            refuse(Code::BadRequest, "The client does this by itself.")
        } else if is_too_long(&op) {
            // The server would close the connection, and so would the next one.
            refuse(Code::TooLong, "This is too long for one line of the protocol (64 KiB).")
        } else if self.deeds.unanswered() >= self.config.unanswered_most {
            Error::TooMany { limit: self.config.unanswered_most }
        } else {
            self.deeds.push(id, op, self.now + self.config.request_timeout);
            return self.wake();
        };
        self.outputs.push_back(Output::Done { id, result: Err(error) });
    }

    fn on_timer(&mut self) {
        let due = self.poll_timeout().unwrap_or(self.now);
        if self.now > due + FROZEN {
            self.links.iter_mut().filter_map(Link::connection).for_each(|connection| connection.excuse(self.now));
        }
        for r in 0..self.links.len() {
            self.on_link_timer(r);
        }
        while let Some(deed) = self.deeds.pop_overdue(self.now) {
            let (waited, tried) = (self.config.request_timeout, self.addresses.join(", "));
            let error = if deed.sent { Error::NoAnswer { waited, tried } } else { Error::NoReplica { waited, tried } };
            self.done(deed.command, Err(error));
        }
    }

    fn on_link_timer(&mut self, r: usize) {
        let (now, is_leader) = (self.now, self.leadership.leader == Some(r));
        let due = |time: Option<Time>| time.is_some_and(|time| time <= now);
        match &self.links[r].state {
            State::Down(at) if *at <= now => self.dial(r),
            State::Dialling(_, until) if *until <= now => self.close(r),
            State::Up(connection) => {
                let (lost, ping) = (connection.lost_at(&self.config), connection.ping_at(&self.config, is_leader));
                let (login, listen_at) = (connection.login, connection.listen_at);
                if due(lost) {
                    return self.close(r);
                }
                if due(ping) {
                    self.ask(r, What::Ping, Op::Ping);
                }
                if matches!(login, Login::Later(at) if at <= now) {
                    self.log_in_leader(r);
                }
                if due(listen_at) {
                    self.on_listen_due(r);
                }
            }
            State::Down(_) | State::Dialling(..) => {}
        }
    }

    fn dial(&mut self, r: usize) {
        let epoch = Epoch(self.next_epoch);
        self.next_epoch += 1;
        self.links[r].state = State::Dialling(epoch, self.now + self.config.dial_limit);
        self.outputs.push_back(Output::Dial { replica: ReplicaIndex(r), epoch });
    }

    fn on_connected(&mut self, r: usize, epoch: Epoch) {
        if self.is_current(r, epoch) && matches!(self.links[r].state, State::Dialling(..)) {
            self.links[r].state = State::Up(Box::new(Connection::new(epoch, self.now)));
            self.ask(r, What::Hello, Op::Hello { version: lastword_protocol::VERSION });
        }
    }

    /// Gives a connection up: it is silent, or of no use.
    fn close(&mut self, r: usize) {
        if let Some(epoch) = self.links[r].epoch() {
            self.outputs.push_back(Output::Close { replica: ReplicaIndex(r), epoch });
            self.on_lost(r);
        }
    }

    fn on_lost(&mut self, r: usize) {
        self.links[r].on_lost(self.now, &self.config);
        self.leadership.on_lost(r);
    }

    /// Closes a connection only to have a fresh one, at once; the leader stays if it comes back soon.
    fn reconnect(&mut self, r: usize) {
        let was_leader = self.leadership.leader == Some(r);
        self.close(r);
        self.links[r].failures = 0;
        if was_leader {
            self.leadership.wait_for(r, self.now + self.config.settle);
        }
        self.dial(r);
    }

    /// Sends a request, and notes what its answer will be for.
    fn ask(&mut self, r: usize, what: What, op: Op) {
        let id = self.next_request;
        if let Some(connection) = self.links[r].connection() {
            self.next_request += 1;
            connection.ask(id, what, self.now);
            let request = Request { id: RequestId::Number(id), op };
            let (replica, epoch) = (ReplicaIndex(r), connection.epoch);
            self.outputs.push_back(Output::Send { replica, epoch, request });
        }
    }

    /// Tells the caller. What is only advice is dropped when the caller is too far behind.
    fn tell(&mut self, event: Event) {
        let advice = matches!(event, Event::Receipt(_) | Event::Presence(_) | Event::Replicas { .. });
        if !advice || self.stream.has_room() {
            let number = self.stream.next();
            self.outputs.push_back(Output::Event { number, event });
        }
    }

    /// Confirms to each replica what came from it and the caller is done with. One `delivered` is
    /// under way at a time: under load, one stands for many.
    fn confirm(&mut self) {
        for r in 0..self.links.len() {
            let Some(connection) = self.links[r].connection() else { continue };
            if connection.inbox.deaf && self.stream.has_caught_up() {
                self.reconnect(r);
            } else if !connection.is_confirming() {
                self.confirm_to(r);
            }
        }
    }

    fn confirm_to(&mut self, r: usize) {
        let shown = self.stream.shown();
        if let Some(upto) = self.links[r].connection().and_then(|connection| connection.inbox.confirmable(shown)) {
            self.ask(r, What::Delivered, Op::Delivered { upto });
        }
    }
}

/// Whether the request would be longer than a line may be.
fn is_too_long(op: &Op) -> bool {
    /// What is not the caller's: field names, key, and a `to_account` in place of a name.
    const REST: usize = 512;
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let strings = match op {
        Op::Send { to: Receiver::Name(to) | Receiver::Account(to), text, .. } => to.len() + text.len(),
        Op::Create { name, password, .. } | Op::Login { name, password } => name.len() + password.len(),
        Op::Password { old, new, .. } => old.len() + new.len(),
        Op::List { pattern, after, .. } => pattern.len() + length(after),
        Op::Pending { after, .. } | Op::Blocked { after, .. } => length(after),
        Op::Block { who: Receiver::Name(who) | Receiver::Account(who), .. }
        | Op::Unblock { who: Receiver::Name(who) | Receiver::Account(who), .. } => who.len(),
        Op::History { with: Receiver::Name(with) | Receiver::Account(with), before, .. } => with.len() + length(before),
        _ => 0,
    };
    // A byte becomes six at most (`\u0000`): nearly always that is little enough.
    if strings * 6 + REST <= LINE_BYTES {
        return false;
    }
    let mut line = Vec::new();
    Request { id: RequestId::Number(u64::MAX), op: op.clone() }.write_json(&mut line);
    line.len() + REST > LINE_BYTES
}
