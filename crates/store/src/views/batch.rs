//! Writing many changes at once, sorted, so that what belongs together is touched once.
//!
//! What the views say does not depend on the order in which changes came. So a batch is taken as a whole: who
//! is deleted and what is delivered in the end comes first, then messages are judged by that. One that came and
//! was delivered within the batch never waits at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lastword_facts::fact::Message;
use lastword_facts::ids::{AccountId, Incarnation, LogIndex, Position, Seq};
use lastword_facts::views::{AccountRecord, BlockRecord, Change, MessageRecord};
use lastword_facts::{Body, Fact};
use rusqlite::{Connection, OptionalExtension, params};

use super::entries::{self, ASIDE, HISTORY, HISTORY_ENTRY, INBOX, KEYS, Last, OUTBOX, SHUT, Waiting};
use super::leaves::{Edit, Set};
use super::messages::{self, Messages};
use super::partners::KnownLasts;
use crate::error::StoreError;
use crate::read::LogReader;
use crate::sql::{Id, Whole, small};

/// Messages from or to a deleted account that go with its deletion; the others go later, in steps.
const DROPPED_AT_ONCE: usize = 1000;

/// Changes, by kind.
#[derive(Default)]
pub(super) struct Batch<'changes> {
    unreadable: Vec<Position>,
    accounts: HashMap<AccountId, &'changes AccountRecord>,
    deleted: HashSet<AccountId>,
    /// Of each account and incarnation, up to where.
    delivered: HashMap<(AccountId, Incarnation), Seq>,
    messages: Vec<(LogIndex, &'changes Arc<Fact>)>,
    blocks: HashMap<(AccountId, AccountId), &'changes BlockRecord>,
}

impl<'changes> Batch<'changes> {
    /// Changes with their places, in the order of the log.
    pub fn of(changes: impl Iterator<Item = (LogIndex, &'changes Change)>) -> Self {
        let mut batch = Self::default();
        for (place, change) in changes {
            match change {
                Change::None => {}
                Change::Unreadable(position) => batch.unreadable.push(*position),
                Change::Account(record) => drop(batch.accounts.insert(record.id, record)),
                Change::Message(fact) => batch.messages.push((place, fact)),
                Change::Block(record) => drop(batch.blocks.insert((record.account, record.whom), record)),
                Change::Delivered { account, upto } => {
                    for Position { incarnation, seq } in upto {
                        let delivered = batch.delivered.entry((*account, *incarnation)).or_default();
                        *delivered = seq.max(delivered).to_owned();
                    }
                }
                Change::Deleted(record) => {
                    batch.accounts.insert(record.id, record);
                    batch.deleted.insert(record.id);
                }
            }
        }
        batch
    }

    /// Whether an account is deleted by it.
    pub fn deletes(&self) -> bool {
        !self.deleted.is_empty()
    }

    /// Writes all of it. `deleted`: the accounts that are, of all; `lasts`: the last messages that are known.
    /// Says how many more messages wait now.
    pub fn write(
        self,
        connection: &Connection,
        log: &LogReader,
        deleted: &mut HashSet<AccountId>,
        lasts: &mut KnownLasts,
    ) -> Result<i64, StoreError> {
        for position in &self.unreadable {
            let mut put = connection.prepare_cached("INSERT INTO unreadable VALUES (?1, ?2)")?;
            put.execute(params![Whole::from(position.incarnation), small(position.seq.0)])?;
        }
        for record in self.accounts.values() {
            let bytes = minicbor::to_vec(record).expect("writing to a vector never fails");
            let mut put = connection.prepare_cached("INSERT OR REPLACE INTO accounts VALUES (?1, ?2, ?3)")?;
            put.execute(params![Id::from(record.id), bytes, record.deleted])?;
            if record.deleted {
                deleted.insert(record.id);
            }
        }
        for record in self.blocks.values().filter(|record| !self.deleted.contains(&record.account)) {
            let bytes = minicbor::to_vec(record).expect("writing to a vector never fails");
            let mut put = connection.prepare_cached("INSERT OR REPLACE INTO blocks VALUES (?1, ?2, ?3)")?;
            put.execute(params![Id::from(record.account), Id::from(record.whom), bytes])?;
        }
        // Before anything else moves what is to go.
        for &account in &self.deleted {
            lasts.drop_account(connection, account)?;
            let mut drop = connection.prepare_cached("DELETE FROM blocks WHERE account = ?1")?;
            drop.execute([Id::from(account)])?;
        }
        let mut writing = Writing::new(connection, log, deleted, lasts);
        let raised = writing.raise(self.delivered)?;
        let again = writing.put_messages(self.messages)?;
        for raise in raised {
            writing.deliver(raise)?;
        }
        for account in self.deleted {
            let sql = "INSERT OR IGNORE INTO dropping VALUES (?1)";
            connection.prepare_cached(sql)?.execute(params![Id::from(account)])?;
            writing.drop_pending(account, DROPPED_AT_ONCE)?;
        }
        for (place, fact) in again {
            writing.put_copy(place, fact)?;
        }
        Ok(writing.more)
    }
}

/// More of an account's messages are delivered than before.
struct Raise {
    account: AccountId,
    incarnation: Incarnation,
    before: Seq,
    upto: Seq,
}

pub(super) struct Writing<'views> {
    connection: &'views Connection,
    log: &'views LogReader,
    deleted: &'views HashSet<AccountId>,
    lasts: &'views mut KnownLasts,
    /// What is delivered, as far as it was asked for.
    delivered: HashMap<(AccountId, Incarnation), Seq>,
    /// How many more messages wait than before.
    pub more: i64,
}

impl<'views> Writing<'views> {
    pub fn new(
        connection: &'views Connection,
        log: &'views LogReader,
        deleted: &'views HashSet<AccountId>,
        lasts: &'views mut KnownLasts,
    ) -> Self {
        Self { connection, log, deleted, lasts, delivered: HashMap::new(), more: 0 }
    }

    /// Merges by maximum what is delivered.
    fn raise(&mut self, delivered: HashMap<(AccountId, Incarnation), Seq>) -> Result<Vec<Raise>, StoreError> {
        let mut raised = Vec::new();
        for ((account, incarnation), upto) in delivered {
            let before = self.delivered_upto(account, incarnation)?;
            if upto > before {
                let mut put = self.connection.prepare_cached("INSERT OR REPLACE INTO delivered VALUES (?1, ?2, ?3)")?;
                put.execute(params![Id::from(account), Whole::from(incarnation), small(upto.0)])?;
                self.delivered.insert((account, incarnation), upto);
                raised.push(Raise { account, incarnation, before, upto });
            }
        }
        Ok(raised)
    }

    fn delivered_upto(&mut self, account: AccountId, incarnation: Incarnation) -> Result<Seq, StoreError> {
        if let Some(seq) = self.delivered.get(&(account, incarnation)) {
            return Ok(*seq);
        }
        let sql = "SELECT seq FROM delivered WHERE account = ?1 AND incarnation = ?2";
        let mut upto = self.connection.prepare_cached(sql)?;
        let upto: Option<i64> =
            upto.query_row(params![Id::from(account), Whole::from(incarnation)], |row| row.get(0)).optional()?;
        let upto = Seq(upto.unwrap_or(0) as u64);
        self.delivered.insert((account, incarnation), upto);
        Ok(upto)
    }

    fn is_delivered(&mut self, account: AccountId, position: Position) -> Result<bool, StoreError> {
        Ok(self.delivered_upto(account, position.incarnation)? >= position.seq)
    }

    /// Writes the messages that were not known, and hands back the others with the place of the first.
    fn put_messages<'changes>(
        &mut self,
        messages: Vec<(LogIndex, &'changes Arc<Fact>)>,
    ) -> Result<Vec<(LogIndex, &'changes Arc<Fact>)>, StoreError> {
        let mut by_identity: Vec<_> =
            messages.iter().map(|&(place, fact)| (entries::identity(fact.key, fact.author), place, fact)).collect();
        by_identity.sort_unstable_by_key(|&(identity, place, _)| (identity, place));
        let known = KEYS.find(self.connection, by_identity.iter().map(|&(identity, ..)| identity))?;
        let (mut news, mut again) = (Vec::with_capacity(messages.len()), Vec::new());
        let mut keys = Vec::with_capacity(messages.len());
        let mut last = None;
        for ((identity, place, fact), known) in by_identity.into_iter().zip(known) {
            let known = known.map(|entry| entries::place_of(&entry));
            // The first of those that came together is news to the others.
            let in_batch = last.filter(|&(before, _)| before == identity).map(|(_, place)| place);
            if let Some(first) = known.or(in_batch) {
                again.push((first, fact));
                continue;
            }
            last = Some((identity, place));
            keys.push((entries::key(identity, place), Edit::Add));
            news.push((place, fact));
        }
        KEYS.edit(self.connection, keys)?;
        self.note_ahead(&messages)?;
        news.sort_unstable_by_key(|&(place, _)| place);
        self.put_news(&news)?;
        Ok(again)
    }

    /// Whose keys run ahead is asked for at each start.
    fn note_ahead(&self, messages: &[(LogIndex, &Arc<Fact>)]) -> Result<(), StoreError> {
        let mut ahead: HashMap<AccountId, u64> = HashMap::new();
        for (_, fact) in messages {
            if let Body::Message(message) = &fact.body
                && let Some(drawn) = fact.key.time_ms().filter(|_| fact.key.runs_ahead(message.at_ms))
            {
                let until = ahead.entry(fact.author).or_default();
                *until = drawn.max(*until);
            }
        }
        let sql = "INSERT INTO ahead VALUES (?1, ?2) ON CONFLICT DO UPDATE SET until = max(until, excluded.until)";
        for (author, until) in ahead {
            self.connection.prepare_cached(sql)?.execute(params![Id::from(author), small(until)])?;
        }
        Ok(())
    }

    fn put_news(&mut self, news: &[(LogIndex, &Arc<Fact>)]) -> Result<(), StoreError> {
        let (mut history, mut aside, mut waiting) = (Vec::with_capacity(news.len()), Vec::new(), Vec::new());
        let mut lasts = Vec::with_capacity(2 * news.len());
        for &(place, fact) in news {
            let Body::Message(message) = &fact.body else { continue };
            let last = Last { order: entries::order_key(fact.order()), place };
            lasts.push(((fact.author, message.to), last));
            let unwanted = message.unwanted == Some(true);
            if unwanted {
                let own = entries::aside(fact.author, message.to);
                aside.push((entries::history(own, fact.order(), place), Edit::Add));
            } else {
                lasts.push(((message.to, fact.author), last));
                let conversation = entries::conversation(fact.author, message.to);
                history.push((entries::history(conversation, fact.order(), place), Edit::Add));
            }
            if self.waits(fact, message)? {
                let (position, order) = (fact.position, fact.order());
                waiting.push(Waiting { receiver: message.to, place, position, author: fact.author, order, unwanted });
            }
        }
        self.lasts.put(self.connection, self.deleted, lasts.into_iter())?;
        HISTORY.edit(self.connection, history)?;
        ASIDE.edit(self.connection, aside)?;
        self.edit_waiting(&waiting, Edit::Add)
    }

    fn waits(&mut self, fact: &Fact, message: &Message) -> Result<bool, StoreError> {
        let lives = |account| !self.deleted.contains(&account);
        // What its receiver never sees, they never confirm: what is delivered says nothing of it.
        let may_be_delivered = message.unwanted != Some(true);
        let is_delivered = may_be_delivered && self.is_delivered(message.to, fact.position)?;
        Ok(lives(message.to) && lives(fact.author) && !is_delivered)
    }

    fn edit_waiting(&mut self, waiting: &[Waiting], edit: Edit) -> Result<(), StoreError> {
        let of = |unwanted: bool| {
            let chosen = waiting.iter().filter(move |waiting| waiting.unwanted == unwanted);
            chosen.map(|waiting| (waiting.inbox(), edit)).collect()
        };
        self.more += INBOX.edit(self.connection, of(false))?;
        SHUT.edit(self.connection, of(true))?;
        OUTBOX.edit(self.connection, waiting.iter().map(|waiting| (waiting.outbox(), edit)).collect())?;
        Ok(())
    }

    /// What waits for a receiver, or would if it were not unwanted, and fits.
    fn waiting(
        &self,
        unwanted: bool,
        receiver: AccountId,
        fits: impl Fn(&Waiting) -> bool,
        most: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        let mut found = Vec::new();
        let set = if unwanted { &SHUT } else { &INBOX };
        set.up(self.connection, &entries::inbox_from(receiver, LogIndex::NONE), |entry| {
            let waiting = Waiting::read(entry, unwanted);
            if waiting.receiver == receiver && fits(&waiting) {
                found.push(waiting);
            }
            waiting.receiver == receiver && found.len() < most
        })?;
        Ok(found)
    }

    fn waiting_at(&self, receiver: AccountId, place: LogIndex) -> Result<Option<Waiting>, StoreError> {
        for (set, unwanted) in [(&INBOX, false), (&SHUT, true)] {
            let found = set.find(self.connection, std::iter::once(entries::inbox_from(receiver, place)))?;
            if let Some(entry) = found.into_iter().flatten().next() {
                return Ok(Some(Waiting::read(&entry, unwanted)));
            }
        }
        Ok(None)
    }

    fn deliver(&mut self, Raise { account, incarnation, before, upto }: Raise) -> Result<(), StoreError> {
        // Only what waits is looked at.
        let reached = |waiting: &Waiting| waiting.position.incarnation == incarnation && waiting.position.seq <= upto;
        let mut delivered = self.waiting(false, account, reached, usize::MAX)?;
        // What was copied up to `before` was delivered then.
        let sql = "SELECT place FROM copies WHERE receiver = ?1 AND incarnation = ?2 AND seq > ?3 AND seq <= ?4";
        let mut copies = self.connection.prepare_cached(sql)?;
        let mut rows =
            copies.query(params![Id::from(account), Whole::from(incarnation), small(before.0), small(upto.0)])?;
        while let Some(row) = rows.next()? {
            let waiting = self.waiting_at(account, LogIndex(row.get::<_, i64>(0)? as u64))?;
            delivered.extend(waiting.filter(|waiting| !waiting.unwanted));
        }
        self.edit_waiting(&delivered, Edit::Remove)
    }

    /// Takes out what waits to and from a deleted account: this many messages at most. Says whether that was all.
    pub fn drop_pending(&mut self, account: AccountId, most: usize) -> Result<bool, StoreError> {
        let mut dropped = self.waiting(false, account, |_| true, most)?;
        dropped.extend(self.waiting(true, account, |_| true, most.saturating_sub(dropped.len()))?);
        let mut sent = Vec::new();
        let room = most.saturating_sub(dropped.len());
        OUTBOX.up(self.connection, &account.0.to_be_bytes(), |entry| {
            let is_theirs = entry.starts_with(&account.0.to_be_bytes()) && sent.len() < room;
            if is_theirs {
                sent.push(*entry);
            }
            is_theirs
        })?;
        let done = dropped.len() + sent.len() < most;
        let mut messages = Messages::new(self.connection, self.log);
        for entry in &sent {
            let place = entries::place_of(entry);
            let to = messages.read(place)?.to;
            dropped.extend(self.waiting_at(to, place)?);
        }
        self.edit_waiting(&dropped, Edit::Remove)?;
        OUTBOX.edit(self.connection, sent.into_iter().map(|entry| (entry, Edit::Remove)).collect())?;
        if done {
            let sql = "DELETE FROM dropping WHERE account = ?1";
            self.connection.prepare_cached(sql)?.execute(params![Id::from(account)])?;
        }
        Ok(done)
    }

    /// The message of a place, at another position: the smallest order counts, with all that is said there,
    /// and it is delivered when any of its positions is.
    fn put_copy(&mut self, place: LogIndex, fact: &Fact) -> Result<(), StoreError> {
        let Body::Message(message) = &fact.body else { return Ok(()) };
        let known = Messages::new(self.connection, self.log).read(place)?;
        if known.position == fact.position {
            return Ok(());
        }
        self.connection.prepare_cached("INSERT OR IGNORE INTO copies VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            Id::from(known.to),
            Whole::from(fact.position.incarnation),
            small(fact.position.seq.0),
            small(place.0)
        ])?;
        if let Some(waiting) = self.waiting_at(known.to, place)? {
            self.edit_waiting(&[waiting], Edit::Remove)?;
        }
        let shown = if fact.order() < known.order { self.show_as(&known, fact, message)? } else { known };
        let lives = |account| !self.deleted.contains(&account);
        if lives(shown.to) && lives(shown.author) && (shown.unwanted || !self.is_any_delivered(&shown)?) {
            let MessageRecord { to: receiver, index: place, position, author, order, unwanted, .. } = shown;
            self.edit_waiting(&[Waiting { receiver, place, position, author, order, unwanted }], Edit::Add)?;
        }
        Ok(())
    }

    /// From now on the message is shown as this fact of it says.
    fn show_as(&mut self, known: &MessageRecord, fact: &Fact, message: &Message) -> Result<MessageRecord, StoreError> {
        let unwanted = message.unwanted == Some(true);
        let shown = MessageRecord { to: message.to, order: fact.order(), unwanted, ..known.clone() };
        messages::show_as(self.connection, known.index, fact)?;
        let (author, before, after) = (shown.author, known.to, shown.to);
        let seen = vec![(author, before), (before, author), (author, after), (after, author)];
        self.lasts.around(self.connection, self.deleted, seen, || {
            for (record, edit) in [(known, Edit::Remove), (&shown, Edit::Add)] {
                let (set, entry) = history_entry(record);
                set.edit(self.connection, vec![(entry, edit)])?;
            }
            Ok(())
        })?;
        let sql = "UPDATE copies SET receiver = ?2 WHERE place = ?1";
        self.connection.prepare_cached(sql)?.execute(params![small(known.index.0), Id::from(shown.to)])?;
        Ok(shown)
    }

    fn is_any_delivered(&mut self, message: &MessageRecord) -> Result<bool, StoreError> {
        let mut positions = vec![message.position];
        {
            let mut copies = self.connection.prepare_cached("SELECT incarnation, seq FROM copies WHERE place = ?1")?;
            let mut rows = copies.query([small(message.index.0)])?;
            while let Some(row) = rows.next()? {
                let incarnation = Incarnation(row.get::<_, Whole>(0)?.0);
                positions.push(Position { incarnation, seq: Seq(row.get::<_, i64>(1)? as u64) });
            }
        }
        for position in positions {
            if self.is_delivered(message.to, position)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Where a message stands in the histories.
fn history_entry(record: &MessageRecord) -> (&'static Set<HISTORY_ENTRY>, [u8; HISTORY_ENTRY]) {
    let (set, people): (&'static Set<HISTORY_ENTRY>, _) = if record.unwanted {
        (&ASIDE, entries::aside(record.author, record.to))
    } else {
        (&HISTORY, entries::conversation(record.author, record.to))
    };
    (set, entries::history(people, record.order, record.index))
}
