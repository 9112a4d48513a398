//! What people were shown: once, in order, after what it answers, and to nobody but whom it is for.

use std::collections::HashMap;

use super::messages::Fate;
use super::text::{Id, Text};
use super::{Account, Checker};

/// A message that a person was shown.
pub struct Shown<'a> {
    /// His number.
    pub to: u16,
    /// His account.
    pub account: Account,
    /// In which life of his client, from 1.
    pub life: u32,
    /// The replica that his client was at.
    pub at: Option<usize>,
    /// What it says.
    pub text: &'a str,
    /// Its id.
    pub key: u128,
    /// The author's account.
    pub from_account: &'a str,
    /// The receiver's account.
    pub to_account: &'a str,
}

/// Two messages that were shown in the wrong order, unless one of them turns out to be given up.
struct Suspect {
    to: u16,
    late: Id,
    before: Id,
}

/// What each life of a client was shown.
#[derive(Default)]
pub(super) struct Lives {
    /// To whom, from whom, of which session: the latest. (Over all lives: what was not shown in an earlier one,
    /// before what was, came too late.)
    latest: HashMap<(u16, u16, u16), u32>,
    suspects: Vec<Suspect>,
}

impl Checker {
    /// A person was shown a message.
    pub fn on_shown(&mut self, shown: &Shown) {
        let to = shown.to;
        let Ok(text) = shown.text.parse::<Text>() else {
            return self.violated(format!("p{to} was shown what nobody wrote: {:?}", shown.text));
        };
        let Text { id, .. } = text;
        let from_account = self.accounts.known(shown.from_account);
        let to_account = self.accounts.known(shown.to_account);
        let Some(message) = self.messages.message(id) else {
            return self.violated(format!("p{to} was shown {text}, which was never sent"));
        };
        if message.to != to || text.to != to || to_account != shown.account {
            return self.violated(format!("p{to} was shown {text}, which was not for this account"));
        }
        if message.from_account != from_account {
            return self.violated(format!("p{to} was shown {text} from an account that did not send it"));
        }
        if message.key != shown.key {
            return self.violated(format!("p{to} was shown {text} with another id than it was sent with"));
        }
        let before = message.shown_in;
        if before == shown.life {
            return self.violated(format!("p{to} was shown {text} twice"));
        }
        if before > 0 {
            self.excused.again += 1;
        } else {
            self.check_order(shown, id);
            self.check_causes(shown, id);
        }
        if let Some(message) = self.messages.message_mut(id) {
            message.shown_in = shown.life;
        }
    }

    /// One sender's messages come in the order in which they were sent.
    fn check_order(&mut self, shown: &Shown, id: Id) {
        let Some(message) = self.messages.message(id) else { return };
        let (session, sent_ms) = (message.session, message.sent_ms);
        let latest = self.lives.latest.entry((shown.to, id.from, session)).or_insert(id.number);
        if *latest <= id.number {
            *latest = id.number;
            return;
        }
        let before = Id { from: id.from, number: *latest };
        let now = self.now_ms();
        if self.disks.may_be_late(shown.at, sent_ms, now) {
            self.excused.hurt += 1;
        } else {
            self.lives.suspects.push(Suspect { to: shown.to, late: id, before });
        }
    }

    /// What its author had seen, and all that the author of that had sent before, comes first. (Where that was on
    /// every disk when this was sent: else it may have been on a disk only that is away.)
    fn check_causes(&mut self, shown: &Shown, id: Id) {
        let Some(message) = self.messages.message(id).filter(|message| message.answers_all) else { return };
        let Some(answered) = message.answers else { return };
        let Some(session) = self.messages.message(answered).map(|message| message.session) else { return };
        let Some(earlier) = self.messages.latest_between(answered.from, shown.to, answered.number) else { return };
        let Some(first) = self.messages.message(earlier) else { return };
        let acknowledged = matches!(first.fate, Fate::Acknowledged { .. });
        let is_for_it = first.to_account == Some(shown.account) && first.session == session;
        if first.shown_in > 0 || !acknowledged || !is_for_it || !self.accounts.lives(first.from_account) {
            return;
        }
        if self.was_on_a_destroyed_disk_only(first) {
            return;
        }
        let now = self.now_ms();
        if self.disks.may_be_late(shown.at, first.sent_ms, now) {
            self.excused.hurt += 1;
        } else {
            let to = shown.to;
            self.violated(format!(
                "p{to} was shown {id}, which answers {answered}, and was not shown {earlier} before"
            ));
        }
    }

    /// Of those that were shown in the wrong order some were given up, and have no place in it.
    pub fn judge_order(&mut self) {
        let given_up = |checker: &Self, id: Id| {
            let fate = checker.messages.message(id).map(|message| message.fate);
            fate == Some(Fate::GivenUp)
        };
        for suspect in std::mem::take(&mut self.lives.suspects) {
            let Suspect { to, late, before } = suspect;
            let under_way = |id: Id| self.messages.message(id).is_some_and(|message| message.fate == Fate::UnderWay);
            if given_up(self, late) || given_up(self, before) {
                continue;
            }
            if under_way(late) || under_way(before) {
                self.lives.suspects.push(Suspect { to, late, before });
                continue;
            }
            self.violated(format!("p{to} was shown {late} after {before}"));
        }
    }
}
