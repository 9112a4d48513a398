//! The views as a plain list: what the store does with SQLite, in a few lines.

use std::collections::{BTreeMap, BTreeSet};

use lastword_facts::ids::{AccountId, Position};
use lastword_facts::views::{Applied, Change, Found, MessageRecord, Query};
use lastword_facts::{Body, VersionVector};

#[derive(Clone, Default)]
pub struct Views {
    messages: Vec<Kept>,
    delivered: BTreeMap<AccountId, VersionVector>,
    deleted: BTreeSet<AccountId>,
}

#[derive(Clone)]
struct Kept {
    record: MessageRecord,
    positions: Vec<Position>,
}

impl Views {
    pub fn apply(&mut self, applied: Applied) {
        match applied.change {
            Change::None | Change::Unreadable(_) | Change::Account(_) | Change::Block(_) => {}
            Change::Message(fact) => {
                let Body::Message(message) = &fact.body else { panic!("not a message") };
                let same = |kept: &&mut Kept| (kept.record.author, kept.record.key) == (fact.author, fact.key);
                if let Some(kept) = self.messages.iter_mut().find(same) {
                    kept.positions.push(fact.position);
                    kept.record.order = kept.record.order.min(fact.order());
                    return;
                }
                let record = MessageRecord {
                    index: applied.index,
                    position: fact.position,
                    order: fact.order(),
                    author: fact.author,
                    key: fact.key,
                    to: message.to,
                    text: message.text.clone(),
                    at_ms: message.at_ms,
                    unwanted: message.unwanted == Some(true),
                };
                self.messages.push(Kept { record, positions: vec![fact.position] });
            }
            Change::Delivered { account, upto } => {
                let vector = self.delivered.entry(account).or_default();
                upto.into_iter().for_each(|position| vector.raise(position));
            }
            Change::Deleted(record) => {
                self.deleted.insert(record.id);
            }
        }
    }

    fn pending(&self, chosen: impl Fn(&MessageRecord) -> bool) -> Vec<MessageRecord> {
        let delivered = |kept: &Kept| {
            let vector = self.delivered.get(&kept.record.to);
            !kept.record.unwanted
                && vector.is_some_and(|vector| kept.positions.iter().any(|&position| vector.covers(position)))
        };
        let dropped =
            |kept: &Kept| self.deleted.contains(&kept.record.to) || self.deleted.contains(&kept.record.author);
        let kept = self.messages.iter().filter(|kept| chosen(&kept.record) && !dropped(kept) && !delivered(kept));
        kept.map(|kept| kept.record.clone()).collect()
    }

    pub fn query(&self, query: &Query) -> Found {
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
                page(self.pending(|message| message.to == account && !message.unwanted && message.index > after), limit)
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
                let all = self.messages.iter().map(|kept| kept.record.clone());
                let mut messages: Vec<_> = all.filter(of_both).collect();
                messages.retain(|message| !message.unwanted || message.author == one);
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
                let mut all = self.messages.iter().map(|kept| &kept.record);
                Found::Known(all.find(|message| (message.author, message.key) == (author, key)).cloned())
            }
            Query::Facts { .. } => unreachable!("the disk answers this"),
        }
    }
}
