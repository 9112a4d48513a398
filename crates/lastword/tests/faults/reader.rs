//! What a person's client shows, told to the checker.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lastword_client::protocol::Uuid;
use lastword_client::protocol::answer::Message;
use lastword_client::{Event, Events};
use tokio::sync::Notify;

use crate::chance::Chance;
use crate::checker::{Account, Id, Shown, Text};
use crate::group::NAMES;
use crate::shared::{Sabotage, Shared};

/// A life of a person's client, as far as its reader and its writer both know of it.
pub struct Life {
    /// The person's number.
    pub number: u16,
    /// The how-manieth life, from 1.
    pub life: u32,
    /// The account, once there is one.
    pub account: Mutex<Option<Account>>,
    /// The message that was seen last.
    pub last_seen: Mutex<Option<Id>>,
    /// The session was ended.
    pub logged_out: Notify,
}

/// Reads until the client ends.
pub async fn read(mut events: Events, life: Arc<Life>, shared: Arc<Shared>, mut chance: Chance) {
    let mut at = None;
    let mut count = 0_u64;
    let mut kept: Option<Message> = None;
    while let Some(event) = events.next().await {
        match event {
            Event::Message(message) => {
                count += 1;
                // Spoiled once in a while, where it was asked for.
                let sabotage = shared.sabotage.filter(|_| count % 20 == 10);
                if sabotage == Some(Sabotage::Late) {
                    kept = Some(message);
                    continue;
                }
                if sabotage != Some(Sabotage::Drop) {
                    show(&shared, &life, at, &message);
                }
                if sabotage == Some(Sabotage::Twice) {
                    show(&shared, &life, at, &message);
                }
                if let Some(late) = kept.take_if(|kept| kept.from == message.from) {
                    show(&shared, &life, at, &late);
                }
                if chance.below(300) == 0 {
                    // Somebody who is slow to look.
                    tokio::time::sleep(Duration::from_millis(chance.below(800))).await;
                }
            }
            Event::Moved { from, to } => {
                at = NAMES.iter().position(|name| *name == to);
                if from.is_some() {
                    shared.tally().count("clients moved to another replica");
                }
            }
            Event::NoReplica { .. } => shared.tally().count("clients found no replica"),
            Event::LoggedOut { reason } => {
                crate::person::on_logged_out(&shared, life.number, reason);
                life.logged_out.notify_one();
            }
            _ => {}
        }
    }
}

fn show(shared: &Shared, life: &Life, at: Option<usize>, message: &Message) {
    let account = *life.account.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(account) = account else { return };
    shared.checker().on_shown(&Shown {
        to: life.number,
        account,
        life: life.life,
        at,
        text: &message.text,
        key: message.message.parse::<Uuid>().map_or(0, |key| key.as_u128()),
        from_account: &message.from_account,
        to_account: &message.to_account,
    });
    if let Ok(text) = message.text.parse::<Text>() {
        *life.last_seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.id);
    }
}
