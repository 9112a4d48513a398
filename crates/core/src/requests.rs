//! What clients ask, in the order in which each connection asks it.

use std::time::Duration;

use lastword_facts::fact::Message;
use lastword_facts::ids::{AccountId, Key, Order};
use lastword_facts::views::Query;
use lastword_facts::{Body, limits};
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::connections::Refused;
use crate::io::{Answer, CloseReason, ConnectionId, DiskRoom, Output, Receiver, Refusal, Request, Tag};
use crate::jobs::{Job, Owner};
use crate::keys::{Known, Lookup};
use crate::later::Why;
use crate::release::{Login, Reply, SentDraft};
use crate::time::Now;

/// After a message was refused for want of room, those behind it on the same connection are, until none came for so
/// long: by then its client knows. One that has not paused, so long after there is room again, is disconnected.
const REFUSED_FOR: Duration = Duration::from_secs(3);
/// When messages that were told to come later are worth another try.
const LATER_RETRY_MS: u64 = 1000;
/// No more messages are read for an answer once they have this many bytes: a line, which is what they have to fit into.
pub(crate) const ANSWER_BYTES: u32 = 64 * 1024;
/// Jobs under way at a time, over all connections, and of one account or of one connection without a login.
const JOBS: usize = 20_000;
const JOBS_OF_ONE: usize = 1000;
/// What a fact takes on the disk besides a text that it has, in bytes, roughly.
const FACT_BYTES: usize = 100;
/// One account may have this part of the facts in flight.
const IN_FLIGHT_PART: usize = 4;
/// Of the requests that waited in a connection's queue this part of a step is carried out in one turn: each of them does
/// more than telling one connection something.
const QUEUE_PART: usize = 16;
/// Bytes of what clients sent that those may hold; beyond it each owner may have an equal part.
const JOBS_BYTES: usize = 32 * 1024 * 1024;

impl Core {
    pub(crate) fn on_closed(&mut self, now: Now, connection: ConnectionId) {
        if let Some(login) = self.connections.login(connection) {
            self.confirm_delivered(now, login.account);
        }
        self.connections.close(connection);
        self.lists.forget(connection);
    }

    pub(crate) fn on_request(&mut self, now: Now, id: ConnectionId, tag: Tag, request: Request) {
        let queue_limit = self.config.settings.queued_requests;
        let queue_bytes_limit = self.config.settings.queued_bytes;
        let Some(connection) = self.connections.of(id) else { return };
        // What only tells that this replica is alive goes before everything.
        let goes_first = matches!(request, Request::Ping | Request::Status);
        if connection.busy && !goes_first {
            if connection.queue.len() >= queue_limit || connection.queue_bytes >= queue_bytes_limit {
                // What is sent behind it must not overtake it.
                if let Request::Send { key, .. } = request {
                    connection.later.tell(now.mono, key, Why::NoRoom);
                }
                return self.answer(id, tag, Err(Refusal::TooMany { retry_ms: 100 }));
            }
            connection.queue_bytes += request.bytes();
            connection.queue.push_back((tag, request, now.mono));
            return;
        }
        if !goes_first {
            connection.arrived = now.mono;
        }
        self.carry_out(now, id, tag, request);
    }

    /// A request is done that those after it waited for. A few of them are carried out, others when their turn comes.
    pub(crate) fn go_on(&mut self, now: Now, id: ConnectionId) {
        if let Some(connection) = self.connections.of(id) {
            connection.busy = false;
        }
        let mut room = self.config.settings.step.div_ceil(QUEUE_PART);
        while let Some(connection) = self.connections.of(id)
            && !connection.busy
            && let Some((tag, request, arrived)) = connection.queue.pop_front()
        {
            connection.arrived = arrived;
            connection.queue_bytes -= request.bytes();
            self.carry_out(now, id, tag, request);
            room -= 1;
            if room == 0 {
                break;
            }
        }
        self.go_on_later(id);
    }

    /// Carries out what waits in the queue of a connection when its turn comes. What comes now is queued behind it.
    pub(crate) fn go_on_later(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.of(id)
            && !connection.busy
            && !connection.queue.is_empty()
        {
            hit("a queue of requests in steps");
            connection.busy = true;
            self.telling.going_on.push_back(id);
        }
    }

    /// Those after this request wait until [`Core::go_on`].
    pub(crate) fn wait(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.of(id) {
            connection.busy = true;
        }
    }

    pub(crate) fn carry_out_now(&mut self, now: Now, id: ConnectionId, tag: Tag, request: Request) {
        self.end_first(id);
        if let Err(refusal) = self.try_to(now, id, tag, request) {
            self.answer(id, tag, Err(refusal));
        }
    }

    /// Carries a request out, or begins to. The answer comes later, unless it is refused at once.
    fn try_to(&mut self, now: Now, id: ConnectionId, tag: Tag, request: Request) -> Result<(), Refusal> {
        match request {
            Request::Ping => self.answer(id, tag, Ok(Answer::Nothing)),
            Request::Status => self.status(id, tag),
            Request::Create { name, password, key } => self.create(id, tag, name, password, key)?,
            Request::Login { name, password } => self.log_in(id, tag, name, password)?,
            Request::Resume { token, seen } => self.resume(now, id, tag, token, seen)?,
            Request::List { pattern, limit, after } => self.list(id, tag, pattern, limit, after)?,
            Request::Logout { key } => self.log_out(now, id, tag, key)?,
            Request::Delete { key } => self.delete(now, id, tag, key)?,
            Request::Password { old, new, key } => self.change_password(now, id, tag, old, new, key)?,
            Request::Send { to, text, key } => self.send_message(now, id, tag, to, text, key)?,
            Request::Pending { limit, after } => {
                let account = self.logged_in(id)?.account;
                let query = Query::Outbox { account, after, limit, bytes: ANSWER_BYTES };
                self.look_up_page(now, account, Job::Outbox { connection: id, tag }, query)?;
            }
            Request::Block { who, on, key } => self.block(now, id, tag, &who, on, key)?,
            Request::Blocked { limit, after } => self.list_blocked(id, tag, limit, after)?,
            Request::Listen => {
                let account = self.logged_in(id)?.account;
                self.room_for_listener(id, account)?;
                self.room_for_jobs(id)?;
                self.on_listen(now, id, tag);
            }
            Request::Delivered { upto } => {
                self.logged_in(id)?;
                self.on_delivered(now, id, tag, upto);
            }
            Request::History { with, limit, before, bytes } => {
                self.history(now, id, tag, &with, limit, before, bytes)?
            }
            Request::Conversations { limit, before } => {
                let account = self.logged_in(id)?.account;
                let job = Job::Conversations { connection: id, tag, account, limit, goes_on: before.is_some() };
                self.look_up_page(
                    now,
                    account,
                    job,
                    Query::Conversations { account, before, limit, bytes: ANSWER_BYTES },
                )?;
            }
        }
        Ok(())
    }

    pub(crate) fn logged_in(&self, id: ConnectionId) -> Result<Login, Refusal> {
        self.connections.login(id).ok_or(Refusal::NotLoggedIn)
    }

    /// Whether something new may be taken in.
    pub(crate) fn room_for_facts(&self) -> Result<(), Refusal> {
        self.room_on_disk(DiskRoom::Enough)
    }

    /// Whether something small may be taken in of people who have an account: for these there is a reserve.
    pub(crate) fn room_for_people(&self) -> Result<(), Refusal> {
        self.room_on_disk(DiskRoom::Reserve)
    }

    fn room_on_disk(&self, least: DiskRoom) -> Result<(), Refusal> {
        if self.disk < least {
            return Err(Refusal::StorageFull);
        }
        if self.waiting.own >= self.config.settings.in_flight {
            return Err(Refusal::TooMany { retry_ms: 100 });
        }
        Ok(())
    }

    /// Whether somebody can be let in: from then on they ask the views.
    pub(crate) fn ready_for_people(&self) -> Result<(), Refusal> {
        if self.views_ready {
            return Ok(());
        }
        hit("nobody let in before the views are made");
        Err(Refusal::Unavailable("This replica is still making its index of messages; try another one, or later."))
    }

    /// Whether a message of a connection may be taken in.
    fn room_for_message(&mut self, now: Now, id: ConnectionId) -> Result<(), Refusal> {
        let room = self.room_for_facts();
        let full = room == Err(Refusal::StorageFull);
        let Some(connection) = self.connections.of(id) else { return room };
        let before = connection.refused.take().filter(|refused| connection.arrived < refused.until);
        if !full && before.is_none() {
            return room;
        }
        hit("refused for want of room");
        let room_since = before.and_then(|refused| refused.room_since).unwrap_or(now.mono);
        let refused = Refused { until: now.mono + REFUSED_FOR, room_since: (!full).then_some(room_since) };
        connection.refused = Some(refused);
        if now.mono.since(room_since) >= REFUSED_FOR && !full {
            // It never pauses for long enough: on a connection of its own it begins anew, in the right order.
            hit("closed behind what was refused");
            self.connections.log_out(id);
            self.outputs.push_back(Output::Close(id, CloseReason::Slow));
        }
        Err(Refusal::StorageFull)
    }

    /// Whether a message to somebody may be taken in.
    fn room_in_mailbox(&mut self, now: Now, to: AccountId, from: AccountId) -> Result<(), Refusal> {
        let most = self.config.settings.mailbox;
        if self.blocks.is_blocked(to, from) {
            let room = self.unwanted.room(now.mono, to, from, most);
            return if room.is_there { Ok(()) } else { Err(Refusal::MailboxFull { retry_ms: LATER_RETRY_MS }) };
        }
        let room = self.mailboxes.room(now.mono, to, from, most);
        // In no connection's turn: nobody waits for it.
        if room.count {
            self.query(
                Job::MailboxCount { account: to },
                Query::Mailbox { account: to, senders: crate::mailboxes::SENDERS as u32 },
            );
        }
        if room.is_there { Ok(()) } else { Err(Refusal::MailboxFull { retry_ms: LATER_RETRY_MS }) }
    }

    /// Whether an account may write a fact with a text of this many bytes: its share of the disk is not used up, and
    /// neither is its share of what waits for disks.
    pub(crate) fn room_of_account(&self, now: Now, account: AccountId, bytes: usize) -> Result<(), Refusal> {
        if self.waiting.of_account(account) >= self.config.settings.in_flight.div_ceil(IN_FLIGHT_PART) {
            hit("an account has its share in flight");
            return Err(Refusal::TooMany { retry_ms: 100 });
        }
        if !self.waiting.has_room_for(account, bytes, self.config.settings.in_flight_bytes) {
            hit("an account has its share of the bytes in flight");
            return Err(Refusal::TooMany { retry_ms: 100 });
        }
        let room = self.quotas.room(now.mono, account, (bytes + FACT_BYTES) as u64);
        room.map_err(|retry_ms| Refusal::QuotaUsed { retry_ms })
    }

    /// Whether a new message of a connection to somebody may be taken in, and overtakes none.
    fn room_in_order(
        &mut self,
        now: Now,
        id: ConnectionId,
        to: AccountId,
        from: AccountId,
        bytes: usize,
        key: Key,
    ) -> Result<(), Refusal> {
        let room = self.room_for_message(now, id);
        let room = room.and_then(|()| self.room_of_account(now, from, bytes));
        let room = room.and_then(|()| self.room_in_mailbox(now, to, from));
        let Some(connection) = self.connections.of(id) else { return room };
        let is_behind = connection.later.is_behind(connection.arrived, key) && !planted(Bug::LetsOvertake);
        let why = if room.is_ok() { Why::Behind } else { Why::NoRoom };
        let room = match room {
            Ok(()) if is_behind => {
                hit("refused behind what is to come later");
                Err(Refusal::TooMany { retry_ms: LATER_RETRY_MS })
            }
            Err(Refusal::TooMany { .. }) => Err(Refusal::TooMany { retry_ms: LATER_RETRY_MS }),
            room => room,
        };
        match room {
            Ok(()) => connection.later.take(now.mono, key),
            Err(Refusal::TooMany { .. } | Refusal::MailboxFull { .. } | Refusal::QuotaUsed { .. }) => {
                connection.later.tell(now.mono, key, why)
            }
            Err(_) => {}
        }
        room
    }

    /// Whether a connection may have something more looked up or hashed.
    pub(crate) fn room_for_jobs(&self, id: ConnectionId) -> Result<(), Refusal> {
        let (jobs, owner) = (&self.jobs, self.owner(id));
        if jobs.len() >= JOBS || jobs.of(owner) >= JOBS_OF_ONE || !jobs.has_room_for(owner, JOBS_BYTES) {
            hit("as many jobs as there may be");
            return Err(Refusal::TooMany { retry_ms: 100 });
        }
        Ok(())
    }

    /// To whom the jobs of a connection belong.
    pub(crate) fn owner(&self, id: ConnectionId) -> Owner {
        self.connections.login(id).map_or(Owner::Connection(id), |login| Owner::Account(login.account))
    }

    fn status(&mut self, id: ConnectionId, tag: Tag) {
        let name = self.connections.login(id).map(|login| self.directory.called(login.account).to_string());
        self.answer(id, tag, Ok(Answer::Status { name, health: self.health.clone() }));
    }

    fn send_message(
        &mut self,
        now: Now,
        id: ConnectionId,
        tag: Tag,
        to: Receiver,
        text: String,
        key: Key,
    ) -> Result<(), Refusal> {
        let author = self.logged_in(id)?.account;
        if text.len() > limits::TEXT_BYTES {
            return Err(Refusal::TooLong("A message has at most 16,384 bytes of text (UTF-8)."));
        }
        if text.is_empty() {
            return Err(Refusal::BadRequest("A message has at least one character of text."));
        }
        match self.keys.lookup(author, key) {
            Lookup::Known(known) => self.send_if_new(now, id, tag, to, text, key, Some(known)),
            Lookup::New => self.send_if_new(now, id, tag, to, text, key, None),
            Lookup::Unsure => {
                if let Err(refusal) = self.room_for_jobs(id) {
                    if let Some(connection) = self.connections.of(id) {
                        connection.later.tell(now.mono, key, Why::NoRoom);
                    }
                    return Err(refusal);
                }
                self.wait(id);
                let job = Job::KnownMessage { connection: id, tag, to, text, key };
                self.query(job, Query::Known { author, key });
            }
        }
        Ok(())
    }

    /// A message of a connection has its last answer: those that were refused because of it may come.
    fn settle(&mut self, id: ConnectionId, key: Key) {
        if let Some(connection) = self.connections.of(id) {
            connection.later.settle(key);
        }
    }

    /// Goes on with a `send`, now that it is clear what is known of its key.
    #[expect(clippy::too_many_arguments, reason = "they are the fields of one request")]
    pub(crate) fn send_if_new(
        &mut self,
        now: Now,
        id: ConnectionId,
        tag: Tag,
        to: Receiver,
        text: String,
        key: Key,
        known: Option<Known>,
    ) {
        let Some(Login { account: author, .. }) = self.connections.login(id) else {
            return self.answer(id, tag, Err(Refusal::NotLoggedIn));
        };
        // What the views did not know may have come while they were asked.
        let known = match self.keys.lookup(author, key) {
            Lookup::Known(known) => Some(known),
            _ => known,
        };
        if let Some(known) = known {
            hit("a retry of what is known");
            self.settle(id, key);
            let reply = Reply::Sent(id, tag, SentDraft { key, known });
            return self.answer_again(now, known.position, known.index, reply);
        }
        let found = match &to {
            Receiver::Name(name) => self.directory.resolve(name),
            Receiver::Account(account) => self.directory.living(*account).map(|_| *account),
        };
        let Some(to) = found else {
            self.settle(id, key);
            return self.answer(id, tag, Err(Refusal::NoSuchUser("The recipient user does not exist.")));
        };
        if let Err(refusal) = self.room_in_order(now, id, to, author, text.len(), key) {
            return self.answer(id, tag, Err(refusal));
        }
        let at_ms = now.wall_ms();
        // Here it is decided once and for all, for every replica. (Without a block nothing is written.)
        let unwanted = self.blocks.is_blocked(to, author).then_some(true);
        let fact = self.ledger.make(now, author, Some(key), Body::Message(Message { to, text, at_ms, unwanted }));
        let known = Known { position: fact.position, index: self.ledger.end, stamp: fact.stamp, to, at_ms };
        self.admit(now, &fact, Some(Reply::Sent(id, tag, SentDraft { key, known })));
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of one request")]
    fn history(
        &mut self,
        now: Now,
        id: ConnectionId,
        tag: Tag,
        with: &Receiver,
        limit: u32,
        before: Option<Order>,
        bytes: u32,
    ) -> Result<(), Refusal> {
        let one = self.logged_in(id)?.account;
        let other = match with {
            Receiver::Name(name) => self.directory.resolve(name),
            // Also of somebody who is deleted: what was written stays.
            Receiver::Account(account) => self.directory.any(*account).map(|_| *account),
        };
        let other = other.ok_or(Refusal::NoSuchUser("There is no user of that name."))?;
        let bytes = bytes.min(ANSWER_BYTES);
        let job = Job::History { connection: id, tag, with: other };
        self.look_up_page(now, one, job, Query::History { one, other, before, limit, bytes })
    }

    pub(crate) fn check(&mut self, id: ConnectionId, job: Job, password: crate::io::Password, hashes: Vec<String>) {
        let owner = self.owner(id);
        let job = self.jobs.begin(job, Some(owner));
        self.outputs.push_back(Output::Check(job, id, password, hashes));
    }

    pub(crate) fn hash(&mut self, id: ConnectionId, job: Job, password: crate::io::Password) {
        let owner = self.owner(id);
        let job = self.jobs.begin(job, Some(owner));
        self.outputs.push_back(Output::Hash(job, id, password));
    }
}
