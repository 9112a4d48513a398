//! When something may be told: the one watermark that answers and deliveries wait for.
//!
//! Each fact of the log has an [`Entry`]. Entries are released in log order: one of another replica
//! when it is on the own disk; an own one when it is also on the disk of *every peer in sync*. So:
//!
//! 1. An own fact is answered, and delivered here, only when it is on all disks that are in sync.
//! 2. Nothing is shown before it is on the disk of the replica that shows it.
//! 3. What is shown on a connection follows the log, which is closed under causes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lastword_facts::ids::{AccountId, Key, LogIndex, Position, Seq};
use lastword_facts::token::{SessionToken, TokenHash};
use lastword_facts::views::Query;
use lastword_facts::{Fact, VersionVector};
use lastword_marks::{Bug, planted};

use crate::io::{Answer, CloseReason, ConnectionId, JobId, Refusal, Tag};
use crate::time::Mono;

/// A fact of the log that was not released yet.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) index: LogIndex,
    /// For an own fact: its number, and when it was made.
    pub(crate) own: Option<(Seq, Mono)>,
    /// Whose deed it is.
    pub(crate) author: AccountId,
    /// What it does when it is released.
    pub(crate) effect: Effect,
    /// Who is answered when it is released.
    pub(crate) reply: Option<Reply>,
}

/// Bytes in flight that each account may have, however many others write: one long message, and some short ones.
const LEAST_PART: usize = 20 * 1024;

impl Entry {
    /// How many bytes it keeps the disks busy with, where they are many.
    fn bytes(&self) -> usize {
        match &self.effect {
            Effect::Message { fact, .. } => fact.bytes().len(),
            _ => 100,
        }
    }
}

/// What a fact does when it is released.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    None,
    /// It is shown to the receiver's listening connections, unless it was shown at another position.
    Message {
        fact: Arc<Fact>,
        to: AccountId,
        again: bool,
    },
    /// Its senders are told that their messages have reached this account.
    Receipts {
        to: AccountId,
        upto: Vec<Position>,
    },
    /// Connections of this account whose session is no good any more are ended.
    Sessions(AccountId, CloseReason),
}

/// Who is answered when an own fact is released.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A message was sent.
    Sent(ConnectionId, Tag, SentDraft),
    /// `logout`, `delete`, `password`: the copies are all there is to say.
    Stored(ConnectionId, Tag),
    /// `delivered`, of several requests at once.
    Nothing(Vec<(ConnectionId, Tag)>),
    /// A login's session is open.
    Login { connection: ConnectionId, tag: Tag, account: AccountId, token: SessionToken },
    /// A step of a create is stored.
    Claim(AccountId),
}

/// The answer to `send`, but for the copies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentDraft {
    pub(crate) key: Key,
    pub(crate) known: crate::keys::Known,
}

/// A retry of something that is known: it waits until that is safe, wherever it was written.
#[derive(Debug, Clone)]
pub(crate) struct Recheck {
    pub(crate) position: Position,
    pub(crate) index: LogIndex,
    pub(crate) since: Mono,
    pub(crate) reply: Reply,
}

/// What waits to be told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting {
    /// In log order.
    pub(crate) entries: VecDeque<Entry>,
    /// Retries of what is known.
    pub(crate) rechecks: Vec<Recheck>,
    /// Answers that only wait for the own disk, by the place they wait for, in order.
    pub(crate) reads: VecDeque<(LogIndex, ConnectionId, Tag, Result<Answer, Refusal>)>,
    /// Lookups that wait for the own disk in the same way: the views have nothing before it.
    pub(crate) lookups: VecDeque<(LogIndex, JobId, Query)>,
    /// Own facts among the entries.
    pub(crate) own: usize,
    /// Bytes of those.
    own_bytes: usize,
    /// The same, of each author: facts, and their bytes.
    own_by: BTreeMap<AccountId, (usize, usize)>,
    /// The last own fact that was released.
    pub(crate) released: Seq,
    /// Retries that were answered, and are not known to be on all disks.
    pub(crate) retried: VersionVector,
    /// When a peer in sync last went by a broken connection.
    pub(crate) last_broken: Option<Mono>,
    /// Until when nothing own is released: see the design on answers in the moment of dying.
    pub(crate) held_until: Option<Mono>,
}

impl Waiting {
    pub(crate) fn push(&mut self, entry: Entry) {
        if entry.own.is_some() {
            let bytes = entry.bytes();
            self.own += 1;
            self.own_bytes += bytes;
            let of_author = self.own_by.entry(entry.author).or_default();
            *of_author = (of_author.0 + 1, of_author.1 + bytes);
        }
        self.entries.push_back(entry);
    }

    /// Bytes of own facts that wait.
    pub(crate) fn own_bytes(&self) -> usize {
        self.own_bytes
    }

    /// How many own facts of an account wait.
    pub(crate) fn of_account(&self, account: AccountId) -> usize {
        self.own_by.get(&account).map_or(0, |&(facts, _)| facts)
    }

    /// Whether an account may have this many bytes more in flight, if all should have at most `most`: beyond that
    /// everybody may have an equal part of it, and no less than [`LEAST_PART`].
    pub(crate) fn has_room_for(&self, account: AccountId, bytes: usize, most: usize) -> bool {
        let own = self.own_by.get(&account).map_or(0, |&(_, bytes)| bytes);
        self.own_bytes < most || own + bytes <= (most / self.own_by.len().max(1)).max(LEAST_PART)
    }

    /// The next entry that may be released, if the own disk has everything up to `durable` and every
    /// peer in sync has the own facts up to `acked`.
    pub(crate) fn next(&mut self, now: Mono, durable: LogIndex, acked: Seq) -> Option<Entry> {
        let held = self.held_until.is_some_and(|until| now < until);
        let stored = |entry: &Entry| {
            let hasty = if entry.own.is_some() { Bug::AnswersBeforeSync } else { Bug::ShowsBeforeSync };
            entry.index <= durable || planted(hasty)
        };
        let free = |entry: &Entry| stored(entry) && entry.own.is_none_or(|(seq, _)| seq <= acked && !held);
        let entry = if planted(Bug::ReleasesOutOfOrder) {
            self.entries.iter().position(free).and_then(|at| self.entries.remove(at))?
        } else {
            self.entries.pop_front_if(|entry| free(entry))?
        };
        if entry.own.is_some() {
            let bytes = entry.bytes();
            self.own -= 1;
            self.own_bytes -= bytes;
            if let Some(of_author) = self.own_by.get_mut(&entry.author) {
                *of_author = (of_author.0 - 1, of_author.1 - bytes);
                if of_author.0 == 0 {
                    self.own_by.remove(&entry.author);
                }
            }
        }
        Some(entry)
    }

    /// When the oldest own fact after `confirmed` was made, of those that wait.
    pub(crate) fn oldest_after(&self, confirmed: Seq) -> Option<Mono> {
        // Own facts stand in the order of their numbers, with those of others in between.
        self.entries.iter().filter_map(|entry| entry.own).find(|&(seq, _)| seq > confirmed).map(|(_, made)| made)
    }
}

/// A session that a connection was opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) account: AccountId,
    pub(crate) token: TokenHash,
}
