//! What a replica said, and what it means for the list of deeds.

use std::time::Duration;

use lastword_marks::{Bug, planted};
use lastword_protocol::answer::{Done, Message};
use lastword_protocol::event::CloseReason;
use lastword_protocol::line::Reply;
use lastword_protocol::{Code, Op, Refusal, RequestId, ServerLine, event};

use super::Machine;
use super::deeds::Deed;
use super::io::{CommandId, Output};
use super::link::What;
use super::session::Session;
use super::shown::Verdict;
use crate::event::{Event, LogoutReason};

/// How often a deed is tried again that a replica refused for now.
const RETRIES: u32 = 5;
/// For how long, in all, a replica is given messages that were acknowledged before, and whose receivers it does
/// not know or has no room for: what comes after them waits as long. They come with the replica that has them.
const KEPT_PATIENCE: Duration = Duration::from_secs(10);
/// After how long a message that holds up all others is tried again.
const HOLD_UP: Duration = Duration::from_millis(500);

/// How long to wait where a server says `too_many`, and perhaps for how long.
pub(super) fn retry_after(retry_ms: Option<u64>) -> Duration {
    Duration::from_millis(retry_ms.unwrap_or(500).min(60_000))
}

/// Reads the `ok` object that belongs to the operation.
fn read(op: &Op, reply: Reply) -> Result<Done, Refusal> {
    Ok(match op {
        Op::Hello { .. } => Done::Hello(reply.read()?),
        Op::Create { .. } => Done::Create(reply.read()?),
        Op::Login { .. } | Op::Resume { .. } => Done::Login(reply.read()?),
        Op::Logout { .. } | Op::Delete { .. } | Op::Password { .. } | Op::Block { .. } | Op::Unblock { .. } => {
            Done::Stored(reply.read()?)
        }
        Op::Blocked { .. } => Done::Blocked(reply.read()?),
        Op::Status => Done::Status(reply.read()?),
        Op::List { .. } => Done::List(reply.read()?),
        Op::Send { .. } => Done::Send(reply.read()?),
        Op::Pending { .. } => Done::Pending(reply.read()?),
        Op::Listen => Done::Listen(reply.read()?),
        Op::History { .. } => Done::History(reply.read()?),
        Op::Conversations { .. } => Done::Conversations(reply.read()?),
        Op::Delivered { .. } | Op::Ping => Done::Nothing(reply.read()?),
    })
}

/// On how many disks it is, of how many; `None` where nothing was changed.
fn copies(done: &Done) -> Option<(u32, u32)> {
    match done {
        Done::Create(created) => Some((created.stored, created.of)),
        Done::Stored(stored) => Some((stored.stored, stored.of)),
        Done::Send(sent) => Some((sent.stored, sent.of)),
        _ => None,
    }
}

impl Machine {
    pub(super) fn on_line(&mut self, r: usize, line: ServerLine) {
        let now = self.now;
        let Some(connection) = self.links[r].connection() else { return };
        connection.on_heard(now);
        match line {
            ServerLine::Event(event) => self.on_event(r, event),
            ServerLine::Reply(reply) => {
                // Without an id: the server could not read something. Nothing of ours is like that.
                let Some(RequestId::Number(id)) = reply.id else { return };
                if let Some(what) = connection.on_answer(id) {
                    self.on_reply(r, what, reply);
                }
            }
        }
    }

    fn on_reply(&mut self, r: usize, what: What, reply: Reply) {
        match what {
            What::Hello => self.on_hello(r, reply),
            What::Resume { leader } => self.on_resumed(r, leader, reply.read()),
            What::Again => self.on_logged_in_again(r, reply.read()),
            What::Deed { number, .. } => self.on_deed_answered(r, number, reply),
            What::Listen => self.on_listen_answered(r, reply.read()),
            What::Ping | What::Delivered => {}
        }
    }

    fn on_hello(&mut self, r: usize, reply: Reply) {
        let Ok(hello) = reply.read::<lastword_protocol::answer::Hello>() else { return self.close(r) };
        self.links[r].name = Some(hello.replica);
        self.links[r].failures = 0;
        if let Some(connection) = self.links[r].connection() {
            connection.live = true;
        }
        if self.leadership.leader.is_some() {
            self.resume_follower(r);
        }
    }

    fn on_event(&mut self, r: usize, event: event::Event) {
        match event {
            event::Event::Message(message) => self.on_message(r, message),
            event::Event::Receipt(receipt) => self.tell(Event::Receipt(receipt)),
            event::Event::Replicas { replicas, stale, .. } if self.leadership.leader == Some(r) => {
                self.tell(Event::Replicas { replicas, stale });
            }
            event::Event::Presence(presence) if self.leadership.leader == Some(r) => {
                self.tell(Event::Presence(presence))
            }
            event::Event::Closed { reason: CloseReason::Deleted } => self.on_session_closed(r, LogoutReason::Deleted),
            event::Event::Closed { reason: CloseReason::LoggedOut } => {
                self.on_session_closed(r, LogoutReason::LoggedOut);
            }
            event::Event::Closed { reason: CloseReason::Idle } => self.on_idle(r),
            event::Event::Closed { .. } => self.close(r),
            event::Event::Replicas { .. } | event::Event::Presence(_) | event::Event::Unknown => {}
        }
    }

    fn on_message(&mut self, r: usize, message: Message) {
        let Some(connection) = self.links[r].connection().filter(|connection| !connection.inbox.deaf) else { return };
        match self.stream.on_message(&message) {
            Verdict::NoRoom => connection.inbox.deaf = true,
            Verdict::Known(number) => connection.inbox.push(number, message.pos),
            Verdict::New(number) => {
                self.seen = Some(message.seen.clone());
                connection.inbox.push(number, message.pos.clone());
                self.outputs.push_back(Output::Event { number, event: Event::Message(message) });
                if planted(Bug::ConfirmsUnseen) {
                    self.stream.on_shown(number);
                }
            }
        }
    }

    fn on_deed_answered(&mut self, r: usize, number: u64, reply: Reply) {
        let Some(deed) = self.deeds.deed(number) else { return }; // Its time was up.
        match read(&deed.op, reply) {
            Ok(done) => self.on_deed_done(r, number, done),
            Err(refusal) => self.on_deed_refused(r, number, refusal),
        }
    }

    fn on_deed_done(&mut self, r: usize, number: u64, done: Done) {
        if let Done::Send(sent) = &done {
            self.seen = Some(sent.seen.clone());
            self.deeds.note_receiver(number);
            let command = self.settle(r, number, &done);
            return self.done(command, Ok(done));
        }
        let Some(op) = self.deeds.deed(number).map(|deed| deed.op.clone()) else { return };
        self.on_listening(&done);
        let command = self.settle(r, number, &done);
        match (&done, op) {
            (Done::Create(created), Op::Create { password, .. }) => {
                let (account, name, token) = (&created.account, created.name.clone(), created.token.clone());
                self.open_session(r, number, Session::new(account.clone(), name, password, token));
            }
            (Done::Login(answer), Op::Login { name, password }) => {
                let token = answer.token.clone().unwrap_or_default();
                self.open_session(r, number, Session::new(answer.account.clone(), name, password, token));
            }
            (_, Op::Logout { .. } | Op::Delete { .. }) => self.on_session_ended_here(r),
            (_, op) => {
                if let Some(session) = &mut self.session {
                    session.on_done(op);
                }
            }
        }
        self.done(command, Ok(done));
    }

    /// Takes an answered deed out of the list, or keeps it for the next replica. Gives back whom to
    /// answer.
    fn settle(&mut self, r: usize, number: u64, done: &Done) -> Option<CommandId> {
        let to_account = if let Done::Send(sent) = done { Some(sent.to_account.clone()) } else { None };
        match copies(done) {
            Some((stored, of)) if stored < of && !planted(Bug::ForgetsLonely) => {
                return self.deeds.keep(number, r, to_account);
            }
            Some(_) => self.deeds.cover(r),
            None => {}
        }
        self.deeds.remove(number).and_then(|deed| deed.command)
    }

    fn on_deed_refused(&mut self, r: usize, number: u64, refusal: Refusal) {
        let (has_session, has_any_session) = (self.has_session(), self.session.is_some());
        let may_hold_up = self.held_up_since.is_none_or(|since| self.now < since + KEPT_PATIENCE);
        let is_kept_message = self.deeds.is_kept(number);
        let is_listen = self.deeds.deed(number).is_some_and(|deed| matches!(deed.op, Op::Listen));
        if is_listen && self.is_listening_later(r, &refusal) {
            let command = self.deeds.remove(number).and_then(|deed| deed.command);
            return self.done(command, Err(refusal.into()));
        }
        let Some(deed) = self.deeds.deed(number) else { return };
        match refusal.code {
            // Another replica may have room, or be able to.
            Code::Unavailable | Code::StorageFull => {
                deed.refused_by.insert(r);
                let refused_by = deed.refused_by.clone();
                if self.move_on(|other| refused_by.contains(&other)) {
                    return;
                }
                if is_kept_message {
                    return self.hold_up(number, &refusal);
                }
                // A kept `create` says nothing of the account here: it is tried again in a while.
                let is_create = self.deeds.deed(number).is_some_and(is_kept_create);
                if is_create && may_hold_up {
                    self.held_up_since = self.held_up_since.or(Some(self.now));
                    return self.deeds.wait(number, self.now + HOLD_UP);
                }
            }
            // One that was emptied, and has not caught up yet, may not know the receiver.
            Code::NoSuchUser if deed.command.is_none() && may_hold_up => {
                self.held_up_since = self.held_up_since.or(Some(self.now));
                return self.deeds.wait(number, self.now + HOLD_UP);
            }
            // Given up: those that follow to the same receiver need not be asked about one by one.
            Code::NoSuchUser if deed.command.is_none() => self.deeds.note_receiver(number),
            Code::TooMany if is_kept_message && may_hold_up => {
                self.held_up_since = self.held_up_since.or(Some(self.now));
                return self.deeds.wait(number, self.now + retry_after(refusal.retry_ms));
            }
            // Without the account of a kept `create` nothing else can be done.
            Code::TooMany if !is_kept_message && (deed.command.is_none() || deed.retries < RETRIES) => {
                return self.deeds.wait(number, self.now + retry_after(refusal.retry_ms));
            }
            // It was carried out by a replica that is gone, and the news came here before us.
            // (Without a session it says nothing of the account.)
            Code::NotLoggedIn | Code::NoSuchUser | Code::WrongLogin
                if is_ending(deed) && deed.sent_before && has_any_session =>
            {
                self.deed_was_done(number);
                return self.end_session(None);
            }
            Code::NotLoggedIn if has_session && deed.retries < RETRIES && needs_login(&deed.op) => {
                return self.log_in_again_at(number);
            }
            _ => {}
        }
        let Some(deed) = self.deeds.remove(number) else { return };
        if deed.command.is_none() && matches!(deed.op, Op::Create { .. }) && has_session {
            return self.on_session_refused(r);
        }
        self.done(deed.command, Err(refusal.into()));
    }
}

impl Machine {
    /// A message that only a lost replica has can't be given to this one now. Nothing may overtake it: it
    /// is tried again in a while, and what waits behind it is refused in the same way.
    fn hold_up(&mut self, number: u64, refusal: &Refusal) {
        self.deeds.wait(number, self.now + HOLD_UP);
        for command in self.deeds.drop_behind(number) {
            self.done(Some(command), Err(refusal.clone().into()));
        }
    }
}

fn is_kept_create(deed: &mut Deed) -> bool {
    deed.command.is_none() && matches!(deed.op, Op::Create { .. })
}

fn is_ending(deed: &Deed) -> bool {
    matches!(deed.op, Op::Logout { .. } | Op::Delete { .. })
}

fn needs_login(op: &Op) -> bool {
    !matches!(op, Op::Create { .. } | Op::Login { .. })
}
