//! Which of a connection's requests have their turn now, which wait, and which are refused: the limits of
//! [`crate::limits`], as one connection meets them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use lastword_core::io::{Answer, Refusal, Tag};
use lastword_facts::ids::Key;
use lastword_protocol::{Op, Refusal as WireRefusal, Request};

use super::lengths;
use crate::limits::{self, Address, Attempt, Go, Meter, Outcome};
use crate::listen::Shared;

/// Where too many try one name from one address at once: when it is worth another try, in milliseconds.
const CROWD_RETRY_MS: u64 = 1000;

/// What one connection has asked for, as far as limits are concerned.
pub(super) struct Admission<'a> {
    shared: &'a Shared,
    from: Address,
    meter: Meter,
    /// Whom the connection is logged in as.
    name: Option<String>,
    /// An attempt to log in, or to make an account, that has to wait, and until when.
    held: Option<Box<(Instant, Turn)>>,
    /// What was asked behind it.
    behind: VecDeque<Request>,
    /// What all of those that wait weigh, in bytes.
    waiting_bytes: usize,
    /// Attempts of which the core has not said what came of them.
    under_way: Vec<(Tag, Attempt)>,
}

/// A request that has its turn.
pub(super) struct Turn {
    pub(super) request: Request,
    /// It is an attempt to log in: what comes of it is to be told.
    pub(super) attempt: Option<Attempt>,
}

/// What is to be done with a request that has come.
pub(super) enum Admitted {
    Now(Turn),
    Later,
    /// With `too_many`: it is worth another try after so many milliseconds.
    Refused(Request, u64),
    /// Something in it is too long.
    Bad(Request, WireRefusal),
}

impl<'a> Admission<'a> {
    pub(super) fn new(shared: &'a Shared, from: Address) -> Self {
        let meter = Meter::new(&shared.limits, from, Instant::now());
        Self {
            shared,
            from,
            meter,
            name: None,
            held: None,
            behind: VecDeque::new(),
            waiting_bytes: 0,
            under_way: Vec::new(),
        }
    }

    /// A request has come, in a line of this length.
    pub(super) fn admit(&mut self, mut request: Request, bytes: usize, now: Instant) -> Admitted {
        let message = match &request.op {
            Op::Send { key, .. } => Some(Key(key.as_u128())),
            _ => None,
        };
        if let Err(retry_ms) = self.meter.take(limits::cost(&request.op, bytes), message, now) {
            return Admitted::Refused(request, retry_ms);
        }
        // Before it waits anywhere.
        if let Err(refusal) = lengths::check(&mut request.op) {
            return Admitted::Bad(request, refusal);
        }
        // Whether the server is there can be asked at any time.
        if self.held.is_some() && !matches!(request.op, Op::Ping) {
            self.waiting_bytes += lengths::weight(&request.op);
            self.behind.push_back(request);
            return Admitted::Later;
        }
        self.turn(request, now)
    }

    /// Whoever has tried many wrong passwords waits before they may try the next, or make an account.
    fn turn(&mut self, request: Request, now: Instant) -> Admitted {
        let logins = &self.shared.logins;
        let (attempt, wait) = match (&request.op, &self.name) {
            (Op::Login { name, .. }, _) | (Op::Password { .. }, Some(name)) => {
                match logins.begin(name, self.from, now) {
                    Some((attempt, wait)) => (Some(attempt), wait),
                    None => return Admitted::Refused(request, CROWD_RETRY_MS),
                }
            }
            (Op::Create { .. }, _) => match logins.begin_create(self.from, now) {
                Ok(attempt) => (Some(attempt), Duration::ZERO),
                Err(retry_ms) => return Admitted::Refused(request, retry_ms),
            },
            _ => (None, Duration::ZERO),
        };
        let wait = match attempt.filter(|_| wait.is_zero()).map(|attempt| (attempt, logins.turn(attempt, now))) {
            None | Some((_, Go::Now)) => wait,
            Some((_, Go::After(wait))) => wait,
            Some((attempt, Go::Crowded)) => {
                logins.end(attempt, Outcome::NotJudged);
                return Admitted::Refused(request, CROWD_RETRY_MS);
            }
        };
        let turn = Turn { request, attempt };
        if wait.is_zero() {
            return Admitted::Now(turn);
        }
        self.waiting_bytes += lengths::weight(&turn.request.op);
        self.held = Some(Box::new((now + wait, turn)));
        Admitted::Later
    }

    /// When something that was held has its turn.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held.as_ref().map(|held| held.0)
    }

    /// The next of what waited, if its time has come: never [`Admitted::Later`].
    pub(super) fn next_due(&mut self, now: Instant) -> Option<Admitted> {
        if let Some(held) = self.held.as_mut().filter(|held| held.0 <= now)
            && let Some(attempt) = held.1.attempt
        {
            match self.shared.logins.turn(attempt, now) {
                Go::Now => {}
                Go::After(wait) => held.0 = now + wait,
                Go::Crowded => held.0 = now + Duration::from_millis(CROWD_RETRY_MS),
            }
        }
        match &self.held {
            Some(held) if held.0 > now => None,
            Some(_) => {
                let (_, turn) = *self.held.take()?;
                self.waiting_bytes -= lengths::weight(&turn.request.op);
                Some(Admitted::Now(turn))
            }
            None => {
                let request = self.behind.pop_front()?;
                self.waiting_bytes -= lengths::weight(&request.op);
                Some(self.turn(request, now)).filter(|admitted| !matches!(admitted, Admitted::Later))
            }
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.behind.len() + usize::from(self.held.is_some())
    }

    /// About how many bytes those are.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// What waits will not have its turn.
    pub(super) fn give_up(&mut self) -> impl Iterator<Item = Request> + use<> {
        self.waiting_bytes = 0;
        let held = self.held.take().map(|held| held.1);
        if let Some(attempt) = held.as_ref().and_then(|held| held.attempt) {
            self.shared.logins.end(attempt, Outcome::NotJudged);
        }
        held.map(|held| held.request).into_iter().chain(std::mem::take(&mut self.behind))
    }

    /// An attempt went to the core, by this tag; or it was refused before that.
    pub(super) fn on_attempt(&mut self, attempt: Option<Attempt>, tag: Option<Tag>) {
        match (attempt, tag) {
            (None, _) => {}
            (Some(attempt), Some(tag)) => self.under_way.push((tag, attempt)),
            (Some(attempt), None) => self.shared.logins.end(attempt, Outcome::NotJudged),
        }
    }

    /// The core has answered.
    pub(super) fn on_answer(&mut self, tag: Tag, result: &Result<Answer, Refusal>) {
        if let Some(place) = self.under_way.iter().position(|(of, _)| *of == tag) {
            let (_, attempt) = self.under_way.swap_remove(place);
            let outcome = match result {
                Ok(_) => Outcome::Right,
                Err(Refusal::WrongLogin | Refusal::NotKnownHere | Refusal::BadPassword(_)) => Outcome::Wrong,
                Err(_) => Outcome::NotJudged,
            };
            self.shared.logins.end(attempt, outcome);
        }
        if let Ok(Answer::Created { account, name, .. } | Answer::LoggedIn { account, name, .. }) = result {
            self.name = Some(name.clone());
            self.shared.logins.is_there(name, self.from, Instant::now());
            self.meter.log_in(&self.shared.accounts, *account, Instant::now());
        }
    }
}

impl Drop for Admission<'_> {
    /// Whoever goes before he knows what came of his attempt has had one all the same.
    fn drop(&mut self) {
        let held = self.held.take().and_then(|held| held.1.attempt);
        for attempt in held.into_iter().chain(self.under_way.drain(..).map(|(_, attempt)| attempt)) {
            self.shared.logins.end(attempt, Outcome::Wrong);
        }
    }
}
