//! The views as a plain list: what the store does with SQLite, in a few lines.

use std::collections::{BTreeMap, BTreeSet};

use lastword_facts::ids::{AccountId, Key, LogIndex, Order, Position, Stamp};
use lastword_facts::views::{AccountRecord, Applied, BlockRecord, Change, Found, MessageRecord, Query, Snapshot};
use lastword_facts::{Body, Fact, VersionVector};
use lastword_marks::{Bug, planted};

/// Keys that a snapshot holds.
const RECENT: usize = 30;

#[derive(Default, Debug, Clone)]
pub(crate) struct Views {
    /// The place of the log that they stand for.
    index: LogIndex,
    vector: VersionVector,
    stamp: Stamp,
    unreadable: Vec<Position>,
    accounts: BTreeMap<AccountId, AccountRecord>,
    messages: Vec<Kept>,
    by_identity: BTreeMap<(AccountId, Key), usize>,
    delivered: BTreeMap<AccountId, VersionVector>,
    deleted: BTreeSet<AccountId>,
    blocks: BTreeMap<(AccountId, AccountId), BlockRecord>,
    /// For planted bugs: the largest stamp and the largest position that each account confirmed.
    cursors: BTreeMap<AccountId, (Stamp, Option<Position>)>,
}

#[derive(Debug, Clone)]
struct Kept {
    record: MessageRecord,
    positions: Vec<Position>,
    /// It was delivered, or one of its people is gone: it waits no more, whatever comes.
    done: bool,
}

impl Views {
    pub(crate) fn apply(&mut self, applied: Applied) {
        self.index = applied.index;
        self.vector.raise(applied.position);
        self.stamp = self.stamp.max(applied.stamp);
        match applied.change {
            Change::None => {}
            Change::Block(record) => drop(self.blocks.insert((record.account, record.whom), record)),
            Change::Unreadable(position) => self.unreadable.push(position),
            Change::Account(record) => drop(self.accounts.insert(record.id, *record)),
            Change::Message(fact) => self.take_message(applied.index, &fact),
            Change::Delivered { account, upto } => self.deliver(account, upto),
            Change::Deleted(record) => {
                self.deleted.insert(record.id);
                self.blocks.retain(|&(account, _), _| account != record.id);
                self.accounts.insert(record.id, *record);
                self.judge(|_| true);
            }
        }
    }

    fn take_message(&mut self, index: LogIndex, fact: &Fact) {
        let Body::Message(message) = &fact.body else { panic!("not a message") };
        let record = MessageRecord {
            index,
            position: fact.position,
            order: fact.order(),
            author: fact.author,
            key: fact.key,
            to: message.to,
            text: message.text.clone(),
            at_ms: message.at_ms,
            unwanted: message.unwanted == Some(true),
        };
        let identity = (fact.author, fact.key);
        let place = *self.by_identity.entry(identity).or_insert(self.messages.len());
        match self.messages.get_mut(place) {
            None => self.messages.push(Kept { record, positions: vec![fact.position], done: false }),
            Some(kept) => {
                kept.positions.push(fact.position);
                let counts = match () {
                    () if planted(Bug::FirstStamp) => false,
                    () if planted(Bug::LargestStamp) => record.order > kept.record.order,
                    () => record.order < kept.record.order,
                };
                if counts {
                    // Where it stands in the log, and where it was written there, stays.
                    let (index, position) = (kept.record.index, kept.record.position);
                    kept.record = MessageRecord { index, position, ..record };
                }
            }
        }
        self.judge_at(place);
    }

    fn deliver(&mut self, account: AccountId, upto: Vec<Position>) {
        let stamps = self.messages.iter().filter(|kept| upto.contains(&kept.record.position));
        let stamp = stamps.map(|kept| kept.record.order.stamp).max().unwrap_or_default();
        let cursor = self.cursors.entry(account).or_default();
        *cursor = (cursor.0.max(stamp), cursor.1.max(upto.iter().copied().max()));
        let vector = self.delivered.entry(account).or_default();
        upto.into_iter().for_each(|position| vector.raise(position));
        self.judge(|kept| kept.record.to == account);
    }

    /// Which of them wait no more.
    fn judge(&mut self, of: impl Fn(&Kept) -> bool) {
        for place in 0..self.messages.len() {
            if !self.messages[place].done && of(&self.messages[place]) {
                self.judge_at(place);
            }
        }
    }

    fn judge_at(&mut self, place: usize) {
        let kept = &self.messages[place];
        let (to, author) = (kept.record.to, kept.record.author);
        let done = !kept.record.unwanted && self.is_delivered(kept)
            || self.deleted.contains(&to)
            || self.deleted.contains(&author);
        self.messages[place].done = done;
    }

    fn is_delivered(&self, kept: &Kept) -> bool {
        let cursor = self.cursors.get(&kept.record.to).copied().unwrap_or_default();
        if planted(Bug::CursorByStamp) {
            return kept.record.order.stamp <= cursor.0;
        }
        if planted(Bug::CursorAsPair) {
            return Some(kept.record.position) <= cursor.1;
        }
        let vector = self.delivered.get(&kept.record.to);
        let reached = |&position: &Position| vector.is_some_and(|vector| vector.covers(position));
        if planted(Bug::NeedsBothPositions) {
            return kept.positions.iter().all(reached);
        }
        kept.positions.iter().any(reached)
    }

    fn pending(&self, chosen: impl Fn(&MessageRecord) -> bool) -> Vec<MessageRecord> {
        let waiting = self.messages.iter().filter(|kept| !kept.done && chosen(&kept.record));
        waiting.map(|kept| kept.record.clone()).collect()
    }

    pub(crate) fn query(&self, query: &Query) -> Found {
        let page = |mut messages: Vec<MessageRecord>, limit: u32| {
            let more = messages.len() > limit as usize;
            messages.truncate(limit as usize);
            Found::Messages { messages, more }
        };
        match *query {
            Query::PendingCount(account) => {
                Found::Count(self.pending(|message| message.to == account && !message.unwanted).len() as u64)
            }
            Query::Mailbox { account, senders } => {
                let mut by = BTreeMap::<AccountId, u64>::new();
                let waiting = self.pending(|message| message.to == account && !message.unwanted);
                waiting.iter().for_each(|message| *by.entry(message.author).or_default() += 1);
                let mut by: Vec<_> = by.into_iter().collect();
                by.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
                by.truncate(senders as usize);
                Found::Mailbox { waiting: waiting.len() as u64, by }
            }
            Query::Inbox { account, after, limit, .. } => {
                let mut waiting =
                    self.pending(|message| message.to == account && !message.unwanted && message.index > after);
                if planted(Bug::PendingByPosition) {
                    waiting.sort_by_key(|message| message.position);
                }
                page(waiting, limit)
            }
            Query::Outbox { account, limit, .. } => {
                let mut messages = self.pending(|message| message.author == account);
                messages.sort_by_key(|message| message.order);
                page(messages, limit)
            }
            Query::History { one, other, before, limit, .. } => {
                let of_both = |message: &MessageRecord| {
                    (message.author, message.to) == (one, other) || (message.author, message.to) == (other, one)
                };
                let all = self.messages.iter().map(|kept| &kept.record);
                let mut messages: Vec<_> = all.filter(|message| of_both(message)).cloned().collect();
                messages.retain(|message| !message.unwanted || message.author == one || planted(Bug::ShowsUnwanted));
                messages.retain(|message| before.is_none_or(|before| message.order < before));
                messages.sort_by_key(|message| std::cmp::Reverse(message.order));
                page(messages, limit)
            }
            Query::Conversations { account, before, limit, .. } => {
                let mut last: BTreeMap<AccountId, &MessageRecord> = BTreeMap::new();
                for message in self.messages.iter().map(|kept| &kept.record) {
                    let other = if message.author == account { message.to } else { message.author };
                    let is_his = message.author == account || message.to == account && !message.unwanted;
                    if is_his && !self.deleted.contains(&other) {
                        let last = last.entry(other).or_insert(message);
                        *last = std::cmp::max_by_key(*last, message, |message| message.order);
                    }
                }
                let mut messages: Vec<_> = last.into_values().cloned().collect();
                messages.retain(|message| before.is_none_or(|before| message.order < before));
                messages.sort_by_key(|message| std::cmp::Reverse(message.order));
                page(messages, limit)
            }
            Query::Known { author, key } => {
                let place = self.by_identity.get(&(author, key));
                Found::Known(place.map(|&place| self.messages[place].record.clone()))
            }
            Query::Facts { .. } => unreachable!("the disk answers this"),
        }
    }

    /// What a core starts from, as the store would say it.
    pub(crate) fn snapshot(&self, alone: bool) -> Snapshot {
        let mut recent: Vec<&MessageRecord> = self.messages.iter().map(|kept| &kept.record).collect();
        let mut ahead: BTreeMap<AccountId, u64> = BTreeMap::new();
        for message in recent.extract_if(.., |message| message.key.runs_ahead(message.at_ms)) {
            let until = ahead.entry(message.author).or_default();
            *until = message.key.time_ms().unwrap_or_default().max(*until);
        }
        recent.retain(|message| message.key.time_ms().is_some());
        recent.sort_unstable_by_key(|message| std::cmp::Reverse(message.key));
        let keys_from = recent.get(RECENT).map(|_| recent[RECENT - 1].key);
        recent.truncate(RECENT);
        Snapshot {
            index: self.index,
            vector: self.vector.clone(),
            stamp: self.stamp,
            unreadable: self.unreadable.clone(),
            accounts: self.accounts.values().cloned().collect(),
            blocks: self.blocks.values().copied().collect(),
            recent: recent.into_iter().cloned().collect(),
            keys_from,
            ahead: ahead.into_iter().collect(),
            alone,
        }
    }

    /// The place of the log that they stand for.
    pub(crate) fn index(&self) -> LogIndex {
        self.index
    }

    /// What is known of the accounts that live.
    pub(crate) fn accounts(&self) -> Vec<&AccountRecord> {
        self.accounts.values().filter(|record| !record.deleted).collect()
    }

    /// All that is shown, in an order that does not depend on this replica's log.
    pub(crate) fn digest(&self) -> Vec<Shown<'_>> {
        let show = |kept: &'_ Kept| (kept.record.order, kept.record.author, kept.record.key, kept.done);
        let mut all: Vec<Shown<'_>> = self.messages.iter().map(|kept| (show(kept), &*kept.record.text)).collect();
        all.sort_unstable();
        all
    }
}

/// A message as people see it: where it stands, whose it is, whether it still waits, and its text.
pub(crate) type Shown<'a> = ((Order, AccountId, Key, bool), &'a str);
