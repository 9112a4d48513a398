//! That messages come here: only the leader is asked to `listen`.
//!
//! A replica lets 16 connections of an account listen. One more is refused, and told when to ask again. It stays
//! connected meanwhile: all else works, and a new connection would be refused in the same way.

use std::time::Duration;

use lastword_protocol::answer::{Done, Listening};
use lastword_protocol::{Code, Op, Refusal};

use super::Machine;
use super::answers::retry_after;
use super::link::{Login, What};
use crate::event::Event;

/// Up to this long, the caller waits for the answer to a `listen` that was refused for now; what follows waits, too.
/// A wait that is longer is told.
const SHORT: Duration = Duration::from_secs(1);

/// For how long a `listen` was refused, if that is worth a word.
fn long_wait(refusal: &Refusal) -> Option<Duration> {
    let wait = retry_after(refusal.retry_ms);
    (refusal.code == Code::TooMany && wait > SHORT).then_some(wait)
}

impl Machine {
    /// The leader has the session: it is told that this client listens.
    pub(super) fn listen_again(&mut self, r: usize) {
        if self.session.as_ref().is_some_and(|session| session.listening && !session.over) {
            self.ask(r, What::Listen, Op::Listen);
        }
    }

    /// The time has come to ask again on a connection where it was refused. (Logging in asks by itself.)
    pub(super) fn on_listen_due(&mut self, r: usize) {
        let Some(connection) = self.links[r].connection() else { return };
        connection.listen_at = None;
        if matches!(connection.login, Login::Resuming | Login::In) && self.leadership.leader == Some(r) {
            self.listen_again(r);
        }
    }

    /// The answer to a `listen` of the machine's own.
    pub(super) fn on_listen_answered(&mut self, r: usize, result: Result<Listening, Refusal>) {
        match result {
            Ok(Listening { pending }) => {
                if let Some(session) = &mut self.session
                    && std::mem::take(&mut session.told_deaf)
                {
                    self.tell(Event::Listening { pending });
                }
            }
            Err(refusal) if refusal.code == Code::TooMany => {
                self.listen_later(r, retry_after(refusal.retry_ms));
                if long_wait(&refusal).is_some() && self.note_deaf() {
                    self.tell(Event::NotListening { refusal });
                }
            }
            // It is asked again after the login.
            Err(refusal) if refusal.code == Code::NotLoggedIn => {}
            Err(_) => self.close(r),
        }
    }

    /// The caller's own `listen` was refused. Says whether that is for long: then the caller is told by the answer, and
    /// the machine asks again by itself.
    pub(super) fn is_listening_later(&mut self, r: usize, refusal: &Refusal) -> bool {
        let Some(wait) = long_wait(refusal).filter(|_| self.has_session()) else { return false };
        self.note_deaf();
        if let Some(session) = &mut self.session {
            session.on_done(Op::Listen);
        }
        self.listen_later(r, wait);
        true
    }

    /// Notes that the caller knows that no messages come. Says whether they did not know it before.
    fn note_deaf(&mut self) -> bool {
        self.session.as_mut().is_some_and(|session| !std::mem::replace(&mut session.told_deaf, true))
    }

    fn listen_later(&mut self, r: usize, wait: Duration) {
        let at = self.now + wait;
        if let Some(connection) = self.links[r].connection() {
            connection.listen_at = Some(at);
        }
    }

    /// The caller's own `listen` was answered: nothing is left to be told.
    pub(super) fn on_listening(&mut self, done: &Done) {
        if let (Done::Listen(_), Some(session)) = (done, &mut self.session) {
            session.told_deaf = false;
        }
    }
}
