//! The sets of the views, and how their entries are laid out: numbers with the most significant byte first,
//! so that bytes sort as the numbers do.

use lastword_facts::ids::{AccountId, Incarnation, Key, LogIndex, Order, Position, Seq, Stamp};

use super::leaves::{Set, set};

/// Which message has a key: version 7 or not, key, author, place.
///
/// Version 7 keys stand together: so the recent ones are a range, whatever other keys people draw.
pub(super) const KEYS: Set<KEY> = set!("keys");
/// Conversations: the smaller account, the larger one, stamp, incarnation, place.
pub(super) const HISTORY: Set<HISTORY_ENTRY> = set!("history");
/// What is shown to its author alone, for its receiver blocks them: author, receiver, stamp, incarnation, place.
pub(super) const ASIDE: Set<HISTORY_ENTRY> = set!("aside");
/// What would wait for a receiver who blocks its author: as [`INBOX`].
pub(super) const SHUT: Set<INBOX_ENTRY> = set!("shut");
/// The conversations of an account with people who are not deleted: see [`Last`].
pub(super) const RECENT: Set<RECENT_ENTRY> = set!("recent");
/// What waits for a receiver: see [`Waiting`].
pub(super) const INBOX: Set<INBOX_ENTRY> = set!("inbox");
/// What waits, of an author: author, stamp, incarnation, place.
pub(super) const OUTBOX: Set<OUTBOX_ENTRY> = set!("outbox");

pub(super) const KEY: usize = 1 + 16 + 16 + 8;
pub(super) const HISTORY_ENTRY: usize = 16 + 16 + 8 + 8 + 8;
pub(super) const RECENT_ENTRY: usize = 16 + 8 + 8 + 16 + 8;
/// The part of an entry of [`HISTORY`] that names a conversation.
pub(super) const CONVERSATION: usize = 16 + 16;
pub(super) const INBOX_ENTRY: usize = 16 + 8 + 8 + 8 + 16 + 8 + 8;
pub(super) const OUTBOX_ENTRY: usize = 16 + 8 + 8 + 8;
/// The part of an entry of [`KEYS`] that names a message.
pub(super) const IDENTITY: usize = KEY - 8;

/// Joins parts into bytes of the length that they have together.
fn join<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut joined = [0; N];
    let mut at = 0;
    for part in parts {
        joined[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    debug_assert_eq!(at, N);
    joined
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)
}

fn u128_at(bytes: &[u8], at: usize) -> u128 {
    bytes.get(at..at + 16).and_then(|bytes| bytes.try_into().ok()).map_or(0, u128::from_be_bytes)
}

/// The place that stands at the end of an entry.
pub(super) fn place_of(entry: &[u8]) -> LogIndex {
    LogIndex(entry.len().checked_sub(8).map_or(0, |at| u64_at(entry, at)))
}

pub(super) fn identity(key: Key, author: AccountId) -> [u8; IDENTITY] {
    join(&[&[u8::from(key.time_ms().is_some())], &key.0.to_be_bytes(), &author.0.to_be_bytes()])
}

pub(super) fn key(identity: [u8; IDENTITY], place: LogIndex) -> [u8; KEY] {
    join(&[&identity, &place.0.to_be_bytes()])
}

/// The smallest entry of [`KEYS`] with a version 7 key from this one on.
pub(super) fn version_7_from(key: Key) -> [u8; 17] {
    join(&[&[1], &key.0.to_be_bytes()])
}

/// After every entry of [`KEYS`] with a version 7 key that was drawn up to this time, in milliseconds since 1970.
pub(super) fn version_7_after(time_ms: u64) -> [u8; 17] {
    match time_ms.checked_add(1).filter(|&after| after < 1 << 48) {
        Some(after) => version_7_from(Key(u128::from(after) << 80)),
        None => join(&[&[2], &[0; 16]]),
    }
}

pub(super) fn conversation(one: AccountId, other: AccountId) -> [u8; CONVERSATION] {
    join(&[&one.min(other).0.to_be_bytes(), &one.max(other).0.to_be_bytes()])
}

/// The part of an entry of [`ASIDE`] that names an author and a receiver.
pub(super) fn aside(author: AccountId, receiver: AccountId) -> [u8; CONVERSATION] {
    join(&[&author.0.to_be_bytes(), &receiver.0.to_be_bytes()])
}

pub(super) fn history_before(conversation: [u8; CONVERSATION], order: Order) -> [u8; HISTORY_ENTRY - 8] {
    join(&[&conversation, &order_key(order)])
}

/// After every entry of a conversation.
pub(super) fn history_end(conversation: [u8; CONVERSATION]) -> [u8; HISTORY_ENTRY - 8] {
    join(&[&conversation, &[u8::MAX; 16]])
}

pub(super) fn history(conversation: [u8; CONVERSATION], order: Order, place: LogIndex) -> [u8; HISTORY_ENTRY] {
    join(&[&history_before(conversation, order), &place.0.to_be_bytes()])
}

/// The last message of a conversation: the last by order, and of one order by place. It stands in [`RECENT`] as:
/// account, stamp, incarnation, partner, place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Last {
    /// As [`order_key`] writes it.
    pub order: [u8; 16],
    pub place: LogIndex,
}

impl Last {
    pub fn of(entry: &[u8; HISTORY_ENTRY]) -> Self {
        let order = order_bytes(entry).try_into().unwrap_or_default();
        Self { order, place: place_of(entry) }
    }

    /// In the list of an account, of its conversation with somebody.
    pub fn entry(&self, account: AccountId, partner: AccountId) -> [u8; RECENT_ENTRY] {
        join(&[&account.0.to_be_bytes(), &self.order, &partner.0.to_be_bytes(), &self.place.0.to_be_bytes()])
    }
}

/// The partner in an entry of [`RECENT`], if that is one of this account.
pub(super) fn partner(account: AccountId, entry: &[u8; RECENT_ENTRY]) -> Option<AccountId> {
    (u128_at(entry, 0) == account.0).then(|| AccountId(u128_at(entry, 32)))
}

/// After every entry of an account in [`RECENT`] whose last message stands before this order.
pub(super) fn recent_before(account: AccountId, before: Option<Order>) -> [u8; 32] {
    join(&[&account.0.to_be_bytes(), &before.map_or([u8::MAX; 16], order_key)])
}

/// An order as it stands in an entry of [`HISTORY`]: bytes that sort as it does.
pub(super) fn order_key(order: Order) -> [u8; 16] {
    join(&[&order.stamp.0.to_be_bytes(), &order.incarnation.0.to_be_bytes()])
}

/// The order of a message in an entry of [`HISTORY`]: bytes that sort as it does.
pub(super) fn order_bytes(entry: &[u8; HISTORY_ENTRY]) -> &[u8] {
    &entry[CONVERSATION..CONVERSATION + 16]
}

/// A message that waits.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    pub receiver: AccountId,
    pub place: LogIndex,
    pub position: Position,
    pub author: AccountId,
    pub order: Order,
    /// Of [`SHUT`], not of [`INBOX`].
    pub unwanted: bool,
}

impl Waiting {
    pub fn inbox(&self) -> [u8; INBOX_ENTRY] {
        join(&[
            &self.receiver.0.to_be_bytes(),
            &self.place.0.to_be_bytes(),
            &self.position.incarnation.0.to_be_bytes(),
            &self.position.seq.0.to_be_bytes(),
            &self.author.0.to_be_bytes(),
            &self.order.stamp.0.to_be_bytes(),
            &self.order.incarnation.0.to_be_bytes(),
        ])
    }

    pub fn outbox(&self) -> [u8; OUTBOX_ENTRY] {
        join(&[&outbox_after(self.author, self.order), &self.place.0.to_be_bytes()])
    }

    pub fn read(entry: &[u8; INBOX_ENTRY], unwanted: bool) -> Self {
        Self {
            receiver: AccountId(u128_at(entry, 0)),
            place: LogIndex(u64_at(entry, 16)),
            position: Position { incarnation: Incarnation(u64_at(entry, 24)), seq: Seq(u64_at(entry, 32)) },
            author: AccountId(u128_at(entry, 40)),
            order: Order { stamp: Stamp(u64_at(entry, 56)), incarnation: Incarnation(u64_at(entry, 64)) },
            unwanted,
        }
    }
}

pub(super) fn inbox_from(receiver: AccountId, place: LogIndex) -> [u8; 24] {
    join(&[&receiver.0.to_be_bytes(), &place.0.to_be_bytes()])
}

pub(super) fn waiting_place(entry: &[u8; INBOX_ENTRY]) -> LogIndex {
    LogIndex(u64_at(entry, 16))
}

pub(super) fn outbox_after(author: AccountId, order: Order) -> [u8; OUTBOX_ENTRY - 8] {
    join(&[&author.0.to_be_bytes(), &order.stamp.0.to_be_bytes(), &order.incarnation.0.to_be_bytes()])
}
