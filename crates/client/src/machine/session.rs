//! Who this client is, and how it logs in again at another replica.
//!
//! A replica that knows the session's token takes a `resume` at once. One that doesn't may lack the
//! fact still (then the `create` that was stored nowhere else is sent again, or the password is
//! used), or the session is gone: then a `logout` or `delete` that was under way was carried out.

use std::collections::BTreeSet;

use lastword_marks::{Bug, planted};
use lastword_protocol::answer::{Done, LoggedIn, Stored};
use lastword_protocol::{Code, Op, Refusal};

use super::Machine;
use super::io::{CommandId, Time};
use super::link::{Login, What};
use crate::error::Error;
use crate::event::{Event, LogoutReason};

/// A session. (Holds secrets: no `Debug`.)
pub(super) struct Session {
    pub account: String,
    pub name: String,
    pub password: String,
    pub token: String,
    /// The caller listens.
    pub listening: bool,
    /// The caller was told that no messages come, and not yet that they come again.
    pub told_deaf: bool,
    /// It was ended by a `logout` or `delete` that not every disk has yet: kept only to send that again.
    pub over: bool,
    /// Which replicas, one after the other, did not know it, nor its password.
    pub refused_by: BTreeSet<usize>,
    /// Which replicas have known the account: where one of these knows it no more, it was deleted.
    pub known_by: BTreeSet<usize>,
}

impl Session {
    pub fn new(account: String, name: String, password: String, token: String) -> Self {
        Self {
            account,
            name,
            password,
            token,
            listening: false,
            told_deaf: false,
            over: false,
            refused_by: BTreeSet::new(),
            known_by: BTreeSet::new(),
        }
    }

    /// Something was done that the next replica must be told in another way than by doing it again.
    pub fn on_done(&mut self, op: Op) {
        match op {
            Op::Password { new, .. } => self.password = new,
            Op::Listen => self.listening = true,
            _ => {}
        }
    }
}

/// A `delete` or `logout` that was carried out, nobody knows on how many disks.
const DONE_SOMEWHERE: Stored = Stored { stored: 0, of: 0 };

impl Machine {
    /// A login or create succeeded at the leader `r`; `number` is its place in the list.
    pub(super) fn open_session(&mut self, r: usize, number: u64, session: Session) {
        let old = self.session.take().filter(|old| old.account == session.account && !old.over);
        match old {
            // A `create` was sent again: the same account, and what it did since is still to be sent.
            Some(old) => {
                let (token, name, password) = (session.token, session.name, session.password);
                let (refused_by, over) = (BTreeSet::new(), false);
                self.session = Some(Session { token, name, password, refused_by, over, ..old });
            }
            None => {
                self.deeds.forget_answered(number);
                self.session = Some(session);
            }
        }
        self.note_known(r);
        self.go_on_logged_in(r);
        for other in (0..self.links.len()).filter(|other| *other != r) {
            self.resume_follower(other);
        }
    }

    /// The leader has logged this connection in by something else than `resume`. Only that hands in what
    /// was seen elsewhere, and what comes next must be ordered after it.
    fn go_on_logged_in(&mut self, r: usize) {
        if self.seen.is_some() {
            return self.log_in_leader(r);
        }
        self.set_login(r, Login::In);
        self.listen_again(r);
    }

    /// Logs a connection in that may become the leader's.
    pub(super) fn resume_follower(&mut self, r: usize) {
        let Some(op) = self.resume_op().filter(|_| self.session.as_ref().is_some_and(|session| !session.over)) else {
            return;
        };
        if self.links[r].live().is_some_and(|connection| connection.login != Login::In) {
            self.set_login(r, Login::Resuming);
            self.ask(r, What::Resume { leader: false }, op);
        }
    }

    fn resume_op(&self) -> Option<Op> {
        let token = self.session.as_ref()?.token.clone();
        let seen = self.seen.clone().filter(|_| !planted(Bug::KeepsSeenToItself));
        Some(Op::Resume { token, seen })
    }

    /// Logs the leader in, and listens; what follows may follow at once.
    pub(super) fn log_in_leader(&mut self, r: usize) {
        match self.resume_op() {
            None => self.set_login(r, Login::Out),
            Some(op) => {
                self.set_login(r, Login::Resuming);
                self.ask(r, What::Resume { leader: true }, op);
                self.listen_again(r);
            }
        }
    }

    fn set_login(&mut self, r: usize, login: Login) {
        if let Some(connection) = self.links[r].connection() {
            connection.login = login;
        }
    }

    pub(super) fn on_resumed(&mut self, r: usize, as_leader: bool, result: Result<LoggedIn, Refusal>) {
        let is_leader = self.leadership.leader == Some(r);
        match result.map_err(|refusal| (refusal.code, refusal.retry_ms)) {
            // A follower that has become the leader is asked again: that answer counts.
            _ if is_leader && !as_leader => {}
            Ok(_) | Err((Code::AlreadyLoggedIn, _)) => self.on_session_known(r),
            Err(_) if !is_leader => self.set_login(r, Login::Refused),
            Err((Code::WrongLogin | Code::NotLoggedIn, _)) => self.on_session_unknown(r),
            Err((Code::TooMany, retry_ms)) => self.log_in_later(r, retry_ms),
            Err((Code::Unavailable, _)) => self.on_session_not_here(r),
            Err(_) => self.close(r),
        }
    }

    fn note_known(&mut self, r: usize) {
        if let Some(session) = &mut self.session {
            session.known_by.insert(r);
        }
    }

    fn on_session_known(&mut self, r: usize) {
        self.set_login(r, Login::In);
        self.note_known(r);
        if self.leadership.leader == Some(r) {
            if let Some(session) = &mut self.session {
                session.refused_by.clear();
            }
            // Where it was created itself, that it is known says nothing of the others.
            if let Some(create) = self.deeds.uncovered_create()
                && !self.deeds.is_uncovered_by(create, r)
            {
                self.deeds.remove(create);
            }
        }
    }

    fn log_in_later(&mut self, r: usize, retry_ms: Option<u64>) {
        self.take_back(r);
        self.set_login(r, Login::Later(self.now + super::answers::retry_after(retry_ms)));
    }

    /// What was sent after a `resume` that was refused was refused as well; but a `create` needs no login, and
    /// is answered.
    fn take_back(&mut self, r: usize) {
        let create = self.deeds.create_in_flight();
        if let Some(connection) = self.links[r].connection() {
            connection.forget_deeds(create);
        }
        self.deeds.take_back(create);
    }

    /// The leader does not know the session, and may lack what others know: it may know the password, or be given the
    /// `create` again. That it does not know the session says nothing of a logout.
    fn on_session_not_here(&mut self, r: usize) {
        let logout = self.deeds.find_sent_before(|op| matches!(op, Op::Logout { .. }));
        if logout.is_some() || self.session.as_ref().is_none_or(|session| session.over) {
            return self.close(r);
        }
        self.on_session_unknown(r);
    }

    /// The leader does not know the session.
    fn on_session_unknown(&mut self, r: usize) {
        self.take_back(r);
        let Some(session) = &self.session else { return self.set_login(r, Login::Out) };
        if session.over {
            return self.end_session(None);
        }
        let logout = self.deeds.find_sent_before(|op| matches!(op, Op::Logout { .. }));
        if let Some(logout) = logout.filter(|number| self.deeds.is_first(*number)) {
            self.deed_was_done(logout);
            return self.end_session(None);
        }
        if let Some(create) = self.deeds.uncovered_create() {
            self.deeds.send_create_again(create);
            return self.set_login(r, Login::Out);
        }
        let op = Op::Login { name: session.name.clone(), password: session.password.clone() };
        self.set_login(r, Login::Again);
        self.ask(r, What::Again, op);
    }

    /// The answer to the `login` that stood in for a `resume`.
    pub(super) fn on_logged_in_again(&mut self, r: usize, result: Result<LoggedIn, Refusal>) {
        match (result, &mut self.session) {
            (_, None) => self.set_login(r, Login::Out),
            // In a split somebody else has got the name there, and has the same password.
            (Ok(answer), Some(session)) if answer.account != session.account => self.on_session_refused(r),
            (Ok(answer), Some(session)) => {
                session.token = answer.token.unwrap_or_else(|| session.token.clone());
                session.refused_by.clear();
                self.go_on_logged_in(r);
            }
            (Err(refusal), Some(_)) => match refusal.code {
                Code::TooMany => self.log_in_later(r, refusal.retry_ms),
                Code::WrongLogin | Code::NoSuchUser => self.on_session_refused(r),
                _ => self.close(r),
            },
        }
    }

    /// The leader knows neither the session nor the password.
    pub(super) fn on_session_refused(&mut self, r: usize) {
        let Some(session) = &mut self.session else { return };
        let knew = session.known_by.contains(&r);
        session.refused_by.insert(r);
        let refused_by = session.refused_by.clone();
        let delete = self.deeds.find_sent_before(|op| matches!(op, Op::Delete { .. }));
        // It knew the account, or nobody does: so it was deleted.
        if let Some(delete) = delete.filter(|_| knew || refused_by.len() == self.links.len()) {
            self.deed_was_done(delete);
            return self.end_session(None);
        }
        if self.move_on(|other| refused_by.contains(&other)) {
            return;
        }
        match delete {
            None => self.end_session(Some(LogoutReason::Refused)),
            // One that can't be asked now may know the account.
            Some(_) => self.log_in_later(r, None),
        }
    }

    /// A `logout` or `delete` that was sent to a replica that is gone was carried out there.
    pub(super) fn deed_was_done(&mut self, number: u64) {
        let command = self.deeds.remove(number).and_then(|deed| deed.command);
        self.done(command, Ok(Done::Stored(DONE_SOMEWHERE)));
    }

    pub(super) fn done(&mut self, command: Option<CommandId>, result: Result<Done, Error>) {
        if let Some(id) = command {
            self.outputs.push_back(super::Output::Done { id, result });
        }
    }

    /// The session is over: connections that are logged in are replaced by fresh ones.
    pub(super) fn end_session(&mut self, reason: Option<LogoutReason>) {
        self.session = None;
        self.deeds.forget_answered(u64::MAX);
        if let Some(reason) = reason {
            self.tell(Event::LoggedOut { reason });
        }
        for r in 0..self.links.len() {
            let login = self.links[r].live().map(|connection| connection.login);
            if login.is_some_and(|login| login != Login::Out) {
                self.reconnect(r);
            }
        }
    }

    /// A `logout` or `delete` was answered by the leader `r`. If not every disk has it, the session is
    /// kept, to send it again should this leader be lost.
    pub(super) fn on_session_ended_here(&mut self, r: usize) {
        self.set_login(r, Login::Out);
        if let Some(connection) = self.links[r].connection() {
            connection.inbox = super::shown::Inbox::default();
        }
        if self.deeds.keeps_any()
            && let Some(session) = &mut self.session
        {
            session.over = true;
        } else {
            self.session = None;
        }
        for other in (0..self.links.len()).filter(|other| *other != r) {
            if self.links[other].live().is_some_and(|connection| connection.login != Login::Out) {
                self.reconnect(other);
            }
        }
    }

    /// Whether the caller has a session that a connection can be logged in to.
    pub(super) fn has_session(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.over)
    }

    /// The server ended the session.
    pub(super) fn on_session_closed(&mut self, r: usize, reason: LogoutReason) {
        let ending = |op: &Op| matches!(op, Op::Logout { .. } | Op::Delete { .. });
        if self.has_session() && !self.deeds.is_under_way(ending) {
            // Requests on their way are asked again, and refused by the server.
            self.end_session(Some(reason));
        }
        if self.links[r].live().is_some() {
            self.reconnect(r);
        }
    }

    /// The leader says that this connection is not logged in, but it should be: it is logged in again.
    pub(super) fn log_in_again_at(&mut self, number: u64) {
        self.deeds.wait(number, Time::default());
        let Some(r) = self.leadership.leader else { return };
        if self.links[r].live().is_some_and(|connection| connection.login == Login::In) {
            self.log_in_leader(r);
        }
    }
}
