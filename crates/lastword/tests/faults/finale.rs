//! The end, and every now and then in between: everything heals, people rest, and then all must be there,
//! and equal on all replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastword_client::protocol::Code;
use lastword_client::protocol::answer::{LoggedIn, Message};
use lastword_client::{Client, Error, Options};

use crate::checker::{Account, Credentials};
use crate::group::{Group, NAMES};
use crate::person::CONTACTS;
use crate::shared::{Pace, Shared};

/// Everything is answered and shown so long after everything has healed.
const SETTLED: Duration = Duration::from_secs(60);
/// Views that were lost are made after so long.
const VIEWS_MADE: Duration = Duration::from_secs(60);
/// Deleted accounts that are tried: each costs a password hash.
const DELETED_TRIED: usize = 100;

/// Waits until everything that was asked is answered, everybody is logged in, and nothing is missing.
pub async fn settle(shared: &Shared) {
    shared.pace.send_replace(Pace::Rest);
    let began = Instant::now();
    loop {
        let (under_way, missing) = {
            let checker = shared.checker();
            (checker.under_way(), checker.missing().len())
        };
        if under_way == 0 && missing == 0 && shared.everybody_is_in() {
            break;
        }
        if began.elapsed() > SETTLED {
            if under_way > 0 {
                shared.checker().violated(format!("{under_way} messages are not answered, long after all has healed"));
            }
            if !shared.everybody_is_in() {
                shared.checker().violated("somebody can't log in, long after all has healed".to_owned());
            }
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut checker = shared.checker();
    checker.judge_order();
    checker.judge_missing();
}

/// Asks each replica by itself what it has: names, accounts, histories. All tell the same, and all that must be.
pub async fn compare(group: &Group, shared: &Arc<Shared>) {
    let mut told = Vec::new();
    for (replica, name) in NAMES.iter().enumerate() {
        match told_by(group, shared, replica).await {
            Ok(all) => told.push(all),
            Err(error) => {
                shared.checker().violated(format!("{name} can't be asked for all that it has: {error}"));
                return;
            }
        }
    }
    let first = &told[0];
    for (replica, other) in told.iter().enumerate() {
        let name = NAMES[replica];
        let unexplained = shared.checker().unexplained(&other.names);
        for listed in unexplained {
            if is_owned_by_a_refused(group, shared, replica, &listed).await {
                shared.checker().excused.refused_owner += 1;
            } else {
                shared.checker().violated(format!("{name} lists {listed}, which was deleted, or never made"));
            }
        }
        if other.names != first.names {
            let (only, lacks) = differences(&first.names, &other.names);
            shared.checker().violated(format!(
                "the list of {name} has {only:?}, and lacks {lacks:?}, or has another order than that of a"
            ));
        }
        for (between, history) in &other.histories {
            if first.histories.get(between) != Some(history) {
                let (one, another) = between;
                shared.checker().violated(format!("the history of p{one} and p{another} on {name} is not that of a"));
            }
        }
    }
}

/// Whether one who was refused this name can log in with it.
async fn is_owned_by_a_refused(group: &Group, shared: &Arc<Shared>, replica: usize, name: &str) -> bool {
    let owners = shared.checker().refused_owners(name);
    for owner in owners {
        let Ok(client) = client_of(group, replica) else { return false };
        let answer = client.login(name, &owner.password).await;
        client.close().await;
        if answer.is_ok() {
            return true;
        }
    }
    false
}

fn differences(one: &[String], other: &[String]) -> (Vec<String>, Vec<String>) {
    let (one, other): (BTreeSet<&String>, BTreeSet<&String>) = (one.iter().collect(), other.iter().collect());
    let only =
        |a: &BTreeSet<&String>, b: &BTreeSet<&String>| a.difference(b).take(5).map(|&name| name.clone()).collect();
    (only(&other, &one), only(&one, &other))
}

/// What a replica tells.
#[derive(Default)]
struct Told {
    names: Vec<String>,
    histories: BTreeMap<(u16, u16), Vec<(String, String)>>,
}

/// Lets a replica that lost its views make them first: with many facts that takes seconds, in which it lets nobody
/// in, and says so.
async fn log_in(client: &Client, name: &str, password: &str) -> Result<LoggedIn, Error> {
    let began = Instant::now();
    loop {
        match client.login(name, password).await {
            Err(error) if error.code() == Some(Code::Unavailable) && began.elapsed() < VIEWS_MADE => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            answer => return answer,
        }
    }
}

async fn told_by(group: &Group, shared: &Arc<Shared>, replica: usize) -> Result<Told, Error> {
    let mut told = Told::default();
    let people = shared.network.people();
    let living = shared.checker().living();
    let mut names = BTreeMap::new();
    let mut clients = BTreeMap::new();
    let mut owned = BTreeSet::new();
    for account in living {
        let client = client_of(group, replica)?;
        let answer = log_in(&client, &account.name, &account.password).await;
        let name = NAMES[replica];
        match answer {
            Ok(answer) if answer.account == account.id => {
                if !owned.insert(answer.name.to_ascii_lowercase()) {
                    shared.checker().violated(format!("{name} calls two accounts {}", answer.name));
                }
                if usize::from(account.owner) < people {
                    names.insert(account.owner, answer.name);
                    clients.insert(account.owner, (client, account));
                    continue;
                }
            }
            Ok(answer) => {
                let (called, id) = (&account.name, &account.id);
                shared.checker().violated(format!("{name} lets {called} ({id}) in to {}", answer.account));
            }
            Err(error) => {
                let called = &account.name;
                shared.checker().violated(format!("lost: {name} does not let {called} in: {error}"));
            }
        }
        client.close().await;
    }
    deleted_stay_out(group, shared, replica).await?;
    // Whoever is logged in may ask.
    if let Some((asking, _)) = clients.values().next() {
        loop {
            let page = asking.list("", Some(1000), told.names.last().map(String::as_str)).await?;
            told.names.extend(page.names);
            if !page.more {
                break;
            }
        }
    }
    for (&one, (client, account)) in &clients {
        for step in CONTACTS {
            let other = ((usize::from(one) + step) % people) as u16;
            let (Some(with), Some((_, other_account))) = (names.get(&other), clients.get(&other)) else { continue };
            let messages = history(client, with).await?;
            let of = |account: &Credentials| shared.checker().on_account(account, 0);
            let sides: [(u16, Account); 2] = [(one, of(account)), (other, of(other_account))];
            let texts: Vec<String> = messages.iter().map(|message| message.text.clone()).collect();
            shared.checker().judge_history(NAMES[replica], sides[0], sides[1], &texts);
            let kept = messages.into_iter().map(|message| (message.message, message.text)).collect();
            told.histories.insert((one, other), kept);
        }
    }
    for (client, _) in clients.into_values() {
        client.close().await;
    }
    Ok(told)
}

fn client_of(group: &Group, replica: usize) -> Result<Client, Error> {
    let options = Options { request_timeout: Duration::from_secs(20), ..Options::default() };
    Ok(Client::connect_with([group.addresses[replica].clone()], options)?.0)
}

/// Who was deleted can't log in.
async fn deleted_stay_out(group: &Group, shared: &Arc<Shared>, replica: usize) -> Result<(), Error> {
    let deleted = shared.checker().deleted();
    for account in deleted.iter().rev().take(DELETED_TRIED) {
        let client = client_of(group, replica)?;
        if let Ok(answer) = client.login(&account.name, &account.password).await {
            let (name, called) = (NAMES[replica], &account.name);
            shared.checker().violated(format!("{name} lets {called} in to {}, who was deleted", answer.account));
        }
        client.close().await;
    }
    Ok(())
}

/// A whole conversation, oldest first.
async fn history(client: &Client, with: &str) -> Result<Vec<Message>, Error> {
    let mut messages: Vec<Message> = Vec::new();
    loop {
        let before = messages.last().map(|message| message.pos.clone());
        let page = client.history(with, Some(200), before.as_deref()).await?;
        let more = page.more && !page.messages.is_empty();
        messages.extend(page.messages);
        if !more {
            messages.reverse();
            return Ok(messages);
        }
    }
}
