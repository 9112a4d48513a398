//! Answering questions to the views.

use std::cmp::Reverse;
use std::collections::HashMap;

use lastword_facts::ids::{AHEAD_MS, AccountId, Key, LogIndex, Order};
use lastword_facts::views::{Found, MESSAGE_BYTES, MessageRecord, Query};

use super::Views;
use super::entries::{self, ASIDE, HISTORY, INBOX, INBOX_ENTRY, KEYS, Last, OUTBOX, Waiting};
use super::messages::Messages;
use super::partners;
use crate::error::StoreError;

impl Views {
    /// Answers a question: any but [`Query::Facts`], which is for [`crate::LogReader`].
    ///
    /// # Errors
    /// The views can't be read, or not be written before.
    pub fn query(&mut self, query: &Query) -> Result<Found, StoreError> {
        self.write()?;
        match *query {
            Query::PendingCount(account) => Ok(Found::Count(self.pending_count(account)?)),
            Query::Mailbox { account, senders } => self.mailbox(account, senders),
            Query::Inbox { account, after, limit, bytes } => {
                let mut page = Page::new(limit, bytes);
                INBOX.up(&self.connection, &entries::inbox_from(account, after.next()), |entry| {
                    let is_theirs = entry.starts_with(&account.0.to_be_bytes());
                    is_theirs && self.is_gone(entry) || page.take(is_theirs, entries::waiting_place(entry))
                })?;
                self.found(page)
            }
            Query::Outbox { account, after, limit, bytes } => {
                let after = match after {
                    Some(key) => self.known(account, key)?.map(|message| message.order),
                    None => None,
                };
                let mut page = Page::new(limit, bytes);
                let after = after.map(|order| entries::outbox_after(account, order));
                let all = account.0.to_be_bytes();
                let from = after.as_ref().map_or(&all[..], |after| &after[..]);
                OUTBOX.up(&self.connection, from, |entry| {
                    // One after which it goes on is not on the page.
                    after.is_some_and(|after| entry.starts_with(&after))
                        || page.take(entry.starts_with(&all), entries::place_of(entry))
                })?;
                self.found(page)
            }
            Query::History { one, other, before, limit, bytes } => {
                self.history(one, other, before, Page::new(limit, bytes))
            }
            Query::Conversations { account, before, limit, bytes } => {
                let mut page = Page::new(limit, bytes);
                partners::newest_first(&self.connection, account, before, |belongs, place| page.take(belongs, place))?;
                self.found(page)
            }
            Query::Known { author, key } => Ok(Found::Known(self.known(author, key)?)),
            Query::Facts { .. } => Ok(Found::Facts { facts: Vec::new(), damaged: None }),
        }
    }

    fn pending_count(&self, account: AccountId) -> Result<u64, StoreError> {
        let mut count = 0;
        INBOX.up(&self.connection, &account.0.to_be_bytes(), |entry| {
            let is_theirs = entry.starts_with(&account.0.to_be_bytes());
            count += u64::from(is_theirs && !self.is_gone(entry));
            is_theirs
        })?;
        Ok(count)
    }

    /// Whether the author of a message that waits is deleted: it is only still to be taken out (`dropping`).
    fn is_gone(&self, entry: &[u8; INBOX_ENTRY]) -> bool {
        !self.dropping.is_empty() && self.deleted.contains(&Waiting::read(entry, false).author)
    }

    fn mailbox(&self, account: AccountId, senders: u32) -> Result<Found, StoreError> {
        let mut by: HashMap<AccountId, u64> = HashMap::new();
        INBOX.up(&self.connection, &account.0.to_be_bytes(), |entry| {
            let is_theirs = entry.starts_with(&account.0.to_be_bytes());
            if is_theirs && !self.is_gone(entry) {
                *by.entry(Waiting::read(entry, false).author).or_default() += 1;
            }
            is_theirs
        })?;
        let waiting = by.values().sum();
        let mut by: Vec<_> = by.into_iter().collect();
        by.sort_unstable_by_key(|&(author, count)| (Reverse(count), author));
        by.truncate(senders as usize);
        Ok(Found::Mailbox { waiting, by })
    }

    fn history(
        &self,
        one: AccountId,
        other: AccountId,
        before: Option<Order>,
        mut page: Page,
    ) -> Result<Found, StoreError> {
        // What both see, and what the one wrote that the other does not see.
        let sides = [(&HISTORY, entries::conversation(one, other)), (&ASIDE, entries::aside(one, other))];
        let mut found: Vec<Last> = Vec::new();
        for (set, people) in sides {
            let before = match before {
                Some(order) => entries::history_before(people, order),
                None => entries::history_end(people),
            };
            // One more than the page has, to know whether there is more.
            let mut room = page.limit + 1;
            set.down(&self.connection, &before, |entry| {
                let belongs = entry.starts_with(&people) && room > 0;
                if belongs {
                    room -= 1;
                    found.push(Last::of(entry));
                }
                belongs
            })?;
        }
        found.sort_unstable_by_key(|last| Reverse(last.order));
        found.into_iter().all(|last| page.take(true, last.place));
        self.found(page)
    }

    /// The messages of a page, as far as it goes.
    fn found(&self, page: Page) -> Result<Found, StoreError> {
        let Page { places, mut more, bytes, .. } = page;
        let _reading = self.log.hold()?;
        let mut read = Messages::new(&self.connection, &self.log);
        let (mut messages, mut room) = (Vec::with_capacity(places.len().min(64)), bytes as usize);
        for place in places {
            let message = read.read(place)?;
            let left = room.checked_sub(message.text.len() + MESSAGE_BYTES);
            // What nobody gets is not read: a page of long messages is a line long before it has all of them.
            if left.is_none() && !messages.is_empty() {
                more = true;
                break;
            }
            room = left.unwrap_or_default();
            messages.push(message);
        }
        Ok(Found::Messages { messages, more })
    }

    /// How many bytes of messages were read so far, over all questions.
    pub fn bytes_read(&self) -> u64 {
        self.log.bytes_read()
    }

    fn known(&self, author: AccountId, key: Key) -> Result<Option<MessageRecord>, StoreError> {
        let found = KEYS.find(&self.connection, std::iter::once(entries::identity(key, author)))?;
        let place = found.into_iter().flatten().next().map(|entry| entries::place_of(&entry));
        place.map(|place| Messages::new(&self.connection, &self.log).read(place)).transpose()
    }

    /// Messages with version 7 keys, the latest keys first: at most this many, and without their texts. Those that
    /// run ahead of all messages are left out.
    pub(super) fn latest_keys(&self, from: Key, limit: u64) -> Result<Vec<MessageRecord>, StoreError> {
        let mut places = Vec::new();
        let from = entries::version_7_from(from);
        let end = entries::version_7_after(self.latest_ms.saturating_add(AHEAD_MS));
        KEYS.down(&self.connection, &end, |entry| {
            let goes_on = entry[..] >= from[..] && (places.len() as u64) < limit;
            if goes_on {
                places.push(entries::place_of(entry));
            }
            goes_on
        })?;
        let _reading = self.log.hold()?;
        let mut messages = Messages::new(&self.connection, &self.log);
        places.iter().map(|&place| Ok(MessageRecord { text: String::new(), ..messages.read(place)? })).collect()
    }
}

/// The places of a page, and whether there is more.
struct Page {
    limit: usize,
    /// How many bytes its messages may have, but for the first one.
    bytes: u32,
    places: Vec<LogIndex>,
    more: bool,
}

impl Page {
    fn new(limit: u32, bytes: u32) -> Self {
        Self { limit: limit as usize, bytes: bytes.max(1), places: Vec::new(), more: false }
    }

    /// Takes the next entry, if it belongs here, and says whether to go on.
    fn take(&mut self, belongs: bool, place: LogIndex) -> bool {
        self.more = belongs && self.places.len() == self.limit;
        let taken = belongs && !self.more;
        if taken {
            self.places.push(place);
        }
        taken
    }
}
