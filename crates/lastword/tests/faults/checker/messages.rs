//! What was sent, and what came of it.

use std::collections::{BTreeSet, HashMap};

use super::text::Id;
use super::{Account, Checker};

/// What the sender was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing yet.
    UnderWay,
    /// It is on so many disks of so many.
    Acknowledged {
        /// So many disks.
        stored: u8,
        /// Of so many.
        of: u8,
    },
    /// It was refused, or nobody answered: it may or may not be there.
    GivenUp,
}

/// A message that was sent.
pub(super) struct Message {
    pub(super) key: u128,
    pub(super) to: u16,
    /// Of the sender's.
    pub(super) session: u16,
    pub(super) from_account: Account,
    /// As the answer said.
    pub(super) to_account: Option<Account>,
    pub(super) fate: Fate,
    pub(super) sent_ms: u32,
    pub(super) told_ms: u32,
    pub(super) answers: Option<Id>,
    /// What it answers was on every disk when it was sent: so every replica has that first.
    pub(super) answers_all: bool,
    /// In which life of its receiver's it was shown last, from 1; 0: never.
    pub(super) shown_in: u32,
}

/// All that was sent.
pub(super) struct Messages {
    /// By the sender's number.
    sent: Vec<Vec<Message>>,
    /// From whom to whom: the numbers, in order.
    between: HashMap<(u16, u16), Vec<u32>>,
    under_way: BTreeSet<Id>,
}

impl Messages {
    pub(super) fn new(people: usize) -> Self {
        let sent = (0..people).map(|_| Vec::new()).collect();
        Self { sent, between: HashMap::new(), under_way: BTreeSet::new() }
    }

    pub(super) fn message(&self, id: Id) -> Option<&Message> {
        self.sent.get(usize::from(id.from))?.get(id.number as usize)
    }

    pub(super) fn message_mut(&mut self, id: Id) -> Option<&mut Message> {
        self.sent.get_mut(usize::from(id.from))?.get_mut(id.number as usize)
    }

    /// The latest message of `from` to `to` that is not later than the number.
    pub(super) fn latest_between(&self, from: u16, to: u16, number: u32) -> Option<Id> {
        let numbers = self.between.get(&(from, to))?;
        let place = numbers.partition_point(|&other| other <= number).checked_sub(1)?;
        Some(Id { from, number: numbers[place] })
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (Id, &Message)> {
        self.sent.iter().enumerate().flat_map(|(from, sent)| {
            let id = move |number: usize| Id { from: from as u16, number: number as u32 };
            sent.iter().enumerate().map(move |(number, message)| (id(number), message))
        })
    }

    /// All from one person to another.
    pub(super) fn written_by(&self, from: u16, to: u16) -> impl Iterator<Item = (Id, &Message)> {
        let numbers = self.between.get(&(from, to)).into_iter().flatten();
        numbers.filter_map(move |&number| {
            let id = Id { from, number };
            Some((id, self.message(id)?))
        })
    }

    /// From now on a replica may lack what was on every disk.
    pub(super) fn doubt_answers_under_way(&mut self) {
        for id in self.under_way.clone() {
            if let Some(message) = self.message_mut(id) {
                message.answers_all = false;
            }
        }
    }
}

impl Checker {
    /// A message is about to be sent. Its id.
    pub fn on_send(&mut self, from: (u16, Account), to: u16, key: u128, session: u16, answers: Option<Id>) -> Id {
        let on_all = |id: Id| {
            let fate = self.messages.message(id).map(|message| message.fate);
            matches!(fate, Some(Fate::Acknowledged { stored, of }) if stored == of)
        };
        let answers_all = answers.is_some_and(on_all) && !self.disks.is_any_away();
        let (from, from_account) = from;
        let (sent_ms, fate) = (self.now_ms(), Fate::UnderWay);
        let Some(sent) = self.messages.sent.get_mut(usize::from(from)) else { return Id { from, number: 0 } };
        let id = Id { from, number: sent.len() as u32 };
        let (to_account, told_ms, shown_in) = (None, 0, 0);
        sent.push(Message {
            key,
            to,
            session,
            from_account,
            to_account,
            fate,
            sent_ms,
            told_ms,
            answers,
            answers_all,
            shown_in,
        });
        self.messages.between.entry((from, to)).or_default().push(id.number);
        self.messages.under_way.insert(id);
        id
    }

    /// It is on so many disks, and goes to this account.
    pub fn on_acknowledged(&mut self, id: Id, stored: u32, of: u32, to_account: &str) {
        let told_ms = self.now_ms();
        let to_account = self.accounts.known(to_account);
        self.messages.under_way.remove(&id);
        let Some(message) = self.messages.message_mut(id) else { return };
        message.fate = Fate::Acknowledged { stored: stored as u8, of: of as u8 };
        (message.told_ms, message.to_account) = (told_ms, Some(to_account));
        let to = message.to;
        if self.accounts.owner(to_account).is_some_and(|owner| owner != to) {
            self.violated(format!("{id} was for p{to}, and was taken for the account of another person"));
        }
    }

    /// It was refused, or nobody answered.
    pub fn on_given_up(&mut self, id: Id) {
        self.messages.under_way.remove(&id);
        self.excused.unknown += 1;
        if let Some(message) = self.messages.message_mut(id) {
            message.fate = Fate::GivenUp;
        }
    }

    /// How many wait for an answer.
    pub fn under_way(&self) -> usize {
        self.messages.under_way.len()
    }

    /// Acknowledged, to and from accounts that live, and never shown: lost, unless there is a reason.
    pub fn missing(&self) -> Vec<Id> {
        let missing = self.never_shown().filter(|(_, message)| !self.was_on_a_destroyed_disk_only(message));
        missing.map(|(id, _)| id).collect()
    }

    /// Acknowledged, to and from accounts that live, and never shown.
    fn never_shown(&self) -> impl Iterator<Item = (Id, &Message)> {
        self.messages.all().filter(|(_, message)| {
            let acknowledged = matches!(message.fate, Fate::Acknowledged { .. }) && message.shown_in == 0;
            let lives = |account| self.accounts.lives(account);
            acknowledged && message.to_account.is_some_and(lives) && lives(message.from_account)
        })
    }

    /// Acknowledged by one disk alone, in the moment before it was destroyed, and its client has ended.
    pub(super) fn was_on_a_destroyed_disk_only(&self, message: &Message) -> bool {
        matches!(message.fate, Fate::Acknowledged { stored: 1, .. }) && self.disks.destroyed_after(message.told_ms)
    }

    /// The end: what is missing is lost.
    pub fn judge_missing(&mut self) {
        for id in self.missing() {
            let Some(message) = self.messages.message(id) else { continue };
            let (to, fate) = (message.to, message.fate);
            let (sent, told) = (f64::from(message.sent_ms) / 1e3, f64::from(message.told_ms) / 1e3);
            self.violated(format!(
                "lost: {id}, sent at {sent:.3} s, {fate:?} at {told:.3} s, was never shown to p{to}"
            ));
        }
        let only_disk = self.never_shown().filter(|(_, message)| self.was_on_a_destroyed_disk_only(message));
        self.excused.only_disk = only_disk.count() as u64;
    }

    /// So many were sent, acknowledged, and shown.
    pub fn counts(&self) -> (u64, u64, u64) {
        self.messages.all().fold((0, 0, 0), |(sent, acknowledged, shown), (_, message)| {
            let is_acknowledged = matches!(message.fate, Fate::Acknowledged { .. });
            (sent + 1, acknowledged + u64::from(is_acknowledged), shown + u64::from(message.shown_in > 0))
        })
    }
}
