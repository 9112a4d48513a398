//! Histories: each message once, in the order sent, answers after what they answer, nothing acknowledged
//! missing; and the same on every replica.

use std::collections::HashMap;

use super::messages::Fate;
use super::text::{Id, Text};
use super::{Account, Checker};

impl Checker {
    /// A conversation of two people as a replica tells it, oldest first, whole.
    pub fn judge_history(&mut self, replica: &str, one: (u16, Account), other: (u16, Account), texts: &[String]) {
        let between = format!("the history of p{} and p{} on {replica}", one.0, other.0);
        let mut place: HashMap<Id, usize> = HashMap::new();
        let mut latest: HashMap<(u16, u16), Id> = HashMap::new();
        let mut wrong = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            let Ok(text) = text.parse::<Text>() else {
                wrong.push(format!("{between} has what nobody wrote: {text:?}"));
                continue;
            };
            let id = text.id;
            let Some(message) = self.messages.message(id) else {
                wrong.push(format!("{between} has {text}, which was never sent"));
                continue;
            };
            let sides = (id.from == one.0 && text.to == other.0) || (id.from == other.0 && text.to == one.0);
            if !sides || message.to != text.to {
                wrong.push(format!("{between} has {text}, which is not of those two"));
            }
            if place.insert(id, at).is_some() {
                wrong.push(format!("{between} has {text} twice"));
            }
            if message.fate == Fate::GivenUp {
                continue;
            }
            let before = latest.insert((id.from, message.session), id);
            if let Some(before) = before.filter(|before| before.number > id.number) {
                wrong.push(format!("{between} has {id} after {before}"));
            }
        }
        for (&id, &at) in &place {
            let Some(answered) = self.messages.message(id).filter(|message| message.fate != Fate::GivenUp) else {
                continue;
            };
            let Some(answered) = answered.answers else { continue };
            let given_up = self.messages.message(answered).is_some_and(|message| message.fate == Fate::GivenUp);
            if !given_up && place.get(&answered).is_some_and(|&answered| answered > at) {
                wrong.push(format!("{between} has {id} before {answered}, which it answers"));
            }
        }
        let of_them = |from: &(u16, Account), to: &(u16, Account)| {
            let sent = self.messages.written_by(from.0, to.0);
            let lacking = sent.filter(|(id, message)| {
                let is = message.from_account == from.1 && message.to_account == Some(to.1);
                is && matches!(message.fate, Fate::Acknowledged { .. })
                    && !place.contains_key(id)
                    && !self.was_on_a_destroyed_disk_only(message)
            });
            lacking.map(|(id, _)| id).collect::<Vec<_>>()
        };
        for (from, to) in [(&one, &other), (&other, &one)] {
            let lacking = of_them(from, to);
            if let Some(first) = lacking.first() {
                wrong.push(format!(
                    "lost: {between} lacks {} acknowledged messages, the first is {first}",
                    lacking.len()
                ));
            }
        }
        wrong.into_iter().for_each(|wrong| self.violated(wrong));
    }
}
