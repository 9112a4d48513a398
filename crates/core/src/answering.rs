//! Telling what may be told: what happens when facts become durable and are released.

use std::sync::Arc;

use lastword_facts::VersionVector;
use lastword_facts::ids::{AccountId, LogIndex, Position};
use lastword_facts::views::{Applied, Found, MessageRecord, Query};
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::io::{Answer, ConnectionId, Conversation, Copies, Event, JobId, MessageView, Output, Person, Refusal, Tag};
use crate::jobs::Job;
use crate::keys::Known;
use crate::pages::bytes_of_page;
use crate::release::{Effect, Recheck, Reply, SentDraft};
use crate::requests::ANSWER_BYTES;
use crate::time::Now;

impl Known {
    /// What is known of a message that the views hold.
    pub(crate) fn of_record(message: &MessageRecord) -> Self {
        Self {
            position: message.position,
            index: LogIndex::NONE,
            stamp: message.order.stamp,
            to: message.to,
            at_ms: message.at_ms,
        }
    }
}

impl Core {
    /// The log is on disk up to here: peers are told, views and readers get what waited for it.
    pub(crate) fn on_stored(&mut self, now: Now, upto: LogIndex) {
        let changes = self.ledger.stored(upto);
        self.confirm_durable(&changes);
        let durable = self.ledger.durable_end;
        let count = self.unapplied.partition_point(|applied| applied.index <= durable);
        let applied: Vec<Applied> = self.unapplied.drain(..count).collect();
        if !applied.is_empty() {
            self.outputs.push_back(Output::Apply(applied));
        }
        while let Some((_, job, query)) = self.waiting.lookups.pop_front_if(|(index, ..)| *index <= durable) {
            self.outputs.push_back(Output::Query(job, query));
        }
        while let Some((_, connection, tag, answer)) = self.waiting.reads.pop_front_if(|(index, ..)| *index <= durable)
        {
            self.outputs.push_back(Output::Answer(connection, tag, answer));
        }
        self.pull_missing(now);
        self.release(now);
    }

    /// Releases what may be told by now.
    pub(crate) fn release(&mut self, now: Now) {
        let acked = self.peers.acked();
        let (from, step) = (self.outputs.len(), self.config.settings.step);
        let mut entries = 0;
        self.telling.release = false;
        while let Some(entry) = self.waiting.next(now.mono, self.ledger.durable_end, acked) {
            if let Some((_, made)) = entry.own {
                self.turns.on_released(now.mono, now.mono.since(made));
            }
            let position = entry.own.map(|(seq, _)| Position { incarnation: self.ledger.own(), seq });
            self.take_effect(entry.index, entry.effect);
            if let Some(position) = position {
                self.waiting.released = position.seq;
                if let Some(reply) = entry.reply {
                    let copies = self.copies_with_retries(position);
                    self.reply(now, reply, copies);
                }
            }
            entries += 1;
            // Some entries are told to several.
            if entries >= step || self.outputs.len() - from >= 4 * step {
                self.telling.release = true;
                break;
            }
        }
        self.recheck(now);
    }

    fn recheck(&mut self, now: Now) {
        // What stands before them in the log is told first.
        if self.telling.release
            || self.waiting.rechecks.is_empty()
            || self.waiting.held_until.is_some_and(|until| now.mono < until)
        {
            return;
        }
        let durable = self.ledger.durable_end;
        let safe = |recheck: &mut Recheck| recheck.index <= durable && self.peers.all_cover(recheck.position);
        let safe: Vec<Recheck> = self.waiting.rechecks.extract_if(.., safe).collect();
        for recheck in safe {
            let copies = self.copies_of_retry(recheck.position);
            self.reply(now, recheck.reply, copies);
        }
    }

    /// On how many disks something is, with all the retries that were answered before it: clients take "on all"
    /// to cover what was answered before.
    fn copies_with_retries(&mut self, position: Position) -> Copies {
        let mut copies = self.copies(position);
        if !self.waiting.retried.is_empty() && !planted(Bug::RetryCoversAll) {
            let stored = 1 + self.peers.copies_of_all(&self.waiting.retried);
            copies.stored = copies.stored.min(stored);
            if stored >= copies.of {
                self.waiting.retried = VersionVector::new();
            }
        }
        copies
    }

    /// The same for a retry, with the own facts that were answered before it: it may be older than those.
    fn copies_of_retry(&mut self, position: Position) -> Copies {
        let mut copies = self.copies_with_retries(position);
        let released = Position { incarnation: self.ledger.own(), seq: self.waiting.released };
        if !planted(Bug::RetryCoversAll) {
            copies.stored = copies.stored.min(self.copies(released).stored);
        }
        if copies.stored < copies.of {
            self.waiting.retried.raise(position);
        }
        copies
    }

    /// Answers a retry of something that is known, once that is safe.
    pub(crate) fn answer_again(&mut self, now: Now, position: Position, index: LogIndex, reply: Reply) {
        self.waiting.rechecks.push(Recheck { position, index, since: now.mono, reply });
        self.recheck(now);
    }

    fn take_effect(&mut self, index: LogIndex, effect: Effect) {
        match effect {
            Effect::None => {}
            // It was shown at its first position, and is delivered when either is.
            Effect::Message { again: true, .. } => {}
            Effect::Message { fact, to, again: false } => self.deliver(index, &fact, to),
            Effect::Receipts { to, upto } => self.telling.begin_receipts(to, upto),
            Effect::Sessions(account, reason) => self.end_sessions(account, reason),
        }
    }

    fn reply(&mut self, now: Now, reply: Reply, copies: Copies) {
        self.tally.acknowledged(copies);
        match reply {
            Reply::Sent(connection, tag, SentDraft { key, known }) => {
                let Known { to, at_ms, stamp, .. } = known;
                let seen = if planted(Bug::SeenGoesBack) { stamp } else { self.ledger.seen_with(stamp) };
                let online = self.is_online(to);
                let sent = Answer::Sent { key, to, at_ms, seen, copies, online };
                self.answer(connection, tag, Ok(sent));
            }
            Reply::Stored(connection, tag) => self.answer(connection, tag, Ok(Answer::Stored(copies))),
            Reply::Nothing(requests) => {
                for (connection, tag) in requests {
                    self.answer(connection, tag, Ok(Answer::Nothing));
                }
            }
            Reply::Login { connection, tag, account, token } => {
                let notice = self.notice_for(account);
                let job = Job::LoginCount { connection, tag, account, token: Some(token), notice };
                self.query(job, Query::PendingCount(account));
            }
            Reply::Claim(account) => self.on_claim_stored(now, account, copies),
        }
    }

    pub(crate) fn copies(&self, position: Position) -> Copies {
        let here = u32::from(!self.damage.holds(position));
        Copies { stored: here + self.peers.copies(position), of: u32::from(self.config.replicas) }
    }

    /// Answers a request. A refusal that rests on the state, such as that somebody is gone, waits for the
    /// own disk as every answer does: what made it so may never get there.
    pub(crate) fn answer(&mut self, connection: ConnectionId, tag: Tag, result: Result<Answer, Refusal>) {
        if result.as_ref().err().is_some_and(Refusal::rests_on_state) && !planted(Bug::RefusesBeforeSync) {
            return self.answer_when_durable(connection, tag, result);
        }
        self.outputs.push_back(Output::Answer(connection, tag, result));
    }

    /// Answers once the own disk has all that the answer may rest on.
    pub(crate) fn answer_read(&mut self, connection: ConnectionId, tag: Tag, answer: Answer) {
        self.answer_when_durable(connection, tag, Ok(answer));
    }

    fn answer_when_durable(&mut self, connection: ConnectionId, tag: Tag, result: Result<Answer, Refusal>) {
        if self.ledger.durable_end == self.ledger.end {
            self.outputs.push_back(Output::Answer(connection, tag, result));
        } else {
            self.waiting.reads.push_back((self.ledger.end, connection, tag, result));
        }
    }

    pub(crate) fn query(&mut self, job: Job, query: Query) {
        let owner = job.connection().map(|connection| self.owner(connection));
        let id = self.jobs.begin(job, owner);
        self.outputs.push_back(Output::Query(id, query));
    }

    /// Looks something up once the views have all that is in the log now.
    pub(crate) fn query_when_durable(&mut self, job: Job, query: Query) {
        if self.ledger.durable_end == self.ledger.end {
            return self.query(job, query);
        }
        let owner = job.connection().map(|connection| self.owner(connection));
        let id = self.jobs.begin(job, owner);
        self.waiting.lookups.push_back((self.ledger.end, id, query));
    }

    /// Something was looked up.
    pub(crate) fn on_found(&mut self, now: Now, id: JobId, found: Found) {
        let owner = self.jobs.owner_of(id);
        let Some(job) = self.jobs.done(id) else { return };
        let is_inbox = matches!(job, Job::Inbox { .. });
        let page = job.is_page().then(|| bytes_of_page(&found));
        match (job, found) {
            (Job::LoginCount { connection, tag, account, token, notice }, Found::Count(pending)) => {
                let name = self.directory.called(account).to_string();
                let answer = Answer::LoggedIn { account, name, token, pending, notice };
                self.answer(connection, tag, Ok(answer));
            }
            (Job::ListenCount { connection, tag }, Found::Count(pending)) => {
                self.begin_paging(now, connection, tag, pending);
            }
            (Job::MailboxCount { account }, Found::Mailbox { waiting, by }) => {
                self.mailboxes.on_counted(now.mono, account, waiting, by);
            }
            (Job::Inbox { connection }, Found::Messages { messages, more }) => {
                self.on_inbox(now, connection, messages, more);
            }
            (Job::Outbox { connection, tag }, Found::Messages { messages, more }) => {
                let messages = self.views_of(messages);
                self.answer(connection, tag, Ok(Answer::Pending { messages, more }));
            }
            (Job::History { connection, tag, with }, Found::Messages { messages, more }) => {
                let (with, messages) = (self.person(with), self.views_of(messages));
                self.answer(connection, tag, Ok(Answer::History { with, messages, more }));
            }
            (Job::Conversations { connection, tag, account, limit, goes_on }, Found::Messages { messages, more }) => {
                let end = messages.last().map(|message| message.order).filter(|_| more);
                let conversations = self.conversations_of(account, messages);
                if end.is_some() && conversations.is_empty() {
                    // Without a last one nobody could ask for those that are left.
                    let job = Job::Conversations { connection, tag, account, limit, goes_on };
                    let query = Query::Conversations { account, before: end, limit, bytes: ANSWER_BYTES };
                    self.look_up_page_in_turn(now, account, job, query);
                } else {
                    self.watch_people(connection, account, &conversations, goes_on);
                    self.answer(connection, tag, Ok(Answer::Conversations { conversations, more }));
                }
            }
            (Job::KnownMessage { connection, tag, to, text, key }, Found::Known(known)) => {
                self.end_first(connection);
                let known = known.as_ref().map(Known::of_record);
                self.send_if_new(now, connection, tag, to, text, key, known);
                self.go_on(now, connection);
            }
            (Job::Serve { peer, link, pull }, Found::Facts { facts, damaged }) => {
                self.on_served(peer, link, pull, facts);
                damaged.into_iter().for_each(|position| self.on_damaged(now, position));
            }
            (Job::ReadAhead { peer, link }, Found::Facts { facts, damaged }) => {
                self.on_read_ahead(id, peer, link, facts);
                damaged.into_iter().for_each(|position| self.on_damaged(now, position));
            }
            // The driver answered another question than was asked: its fault, and nobody is answered.
            (..) => debug_assert!(false, "an answer that does not fit its question"),
        }
        if let Some(bytes) = page {
            self.on_page_done(now, owner, is_inbox, bytes);
        }
    }

    /// A message, with the names that its people go by now.
    pub(crate) fn view_of(&self, message: MessageRecord) -> MessageView {
        let (from, to) = (self.directory.called(message.author), self.directory.called(message.to));
        // Clients keep the token that they got last, so tokens must never go back.
        let own = message.order.stamp;
        let seen = if planted(Bug::SeenGoesBack) { own } else { self.ledger.seen_with(own) };
        MessageView { message, from, to, seen }
    }

    /// The conversations of an account, by the last message of each.
    fn conversations_of(&self, account: AccountId, messages: Vec<MessageRecord>) -> Vec<Conversation> {
        let conversation = |last: MessageRecord| {
            let other = if last.author == account { last.to } else { last.author };
            // Deleted since the views were asked, or not known here yet.
            self.directory.living(other)?;
            Some(Conversation { with: self.person(other), last: self.view_of(last) })
        };
        messages.into_iter().filter_map(conversation).collect()
    }

    /// From now on a connection is told when one of the people in this page comes or goes: nobody else, or, if the page
    /// goes on behind another one, besides those whom it watches already.
    fn watch_people(&mut self, id: ConnectionId, account: AccountId, page: &[Conversation], goes_on: bool) {
        // It may have logged out since it asked.
        if self.connections.login(id).is_none_or(|login| login.account != account) {
            return;
        }
        if !goes_on {
            self.connections.watching.forget(id);
        }
        let people = page.iter().map(|conversation| (conversation.with.account, conversation.with.online));
        self.connections.watching.watch(id, people);
    }

    /// Somebody as he is called now, and whether he would get a message at once.
    pub(crate) fn person(&self, account: AccountId) -> Person {
        let deleted = self.directory.is_deleted(account);
        Person { account, name: self.directory.called(account), online: self.is_online(account), deleted }
    }

    fn views_of(&self, messages: Vec<MessageRecord>) -> Vec<MessageView> {
        messages.into_iter().map(|message| self.view_of(message)).collect()
    }

    /// Shows a released message to its receiver's listening connections.
    fn deliver(&mut self, index: LogIndex, fact: &Arc<lastword_facts::Fact>, to: AccountId) {
        let mut listening: Vec<ConnectionId> = self.connections.listening(to).collect();
        if planted(Bug::ShowsToAuthor) {
            listening.extend(self.connections.listening(fact.author));
        }
        let lastword_facts::Body::Message(message) = &fact.body else { return };
        // Taken in where the block was not known.
        if self.blocks.is_blocked(to, fact.author) {
            hit("a message is held back");
            return;
        }
        if listening.is_empty() {
            return;
        }
        // All of them are shown one and the same.
        let event = Arc::new(Event::Message(self.view_of(MessageRecord {
            index,
            position: fact.position,
            order: fact.order(),
            author: fact.author,
            key: fact.key,
            to,
            text: message.text.clone(),
            at_ms: message.at_ms,
            unwanted: false,
        })));
        for connection in listening {
            self.deliver_to(connection, index, fact.position, event.clone());
        }
    }
}
