//! Accounts and sessions that are made and ended.

use std::io;

use serde_json::json;
use tokio::task::JoinSet;

use super::flood::Flood;
use super::ground::{Account, Attackers, Ground, PASSWORD};
use super::key;
use crate::wire::{Asking, Tally};

/// What the ground calls the making of accounts for the attacks to come.
pub const ACCOUNTS: &str = "accounts";
/// Connections that make accounts.
const MAKERS: usize = 64;

/// Makes the attackers' accounts, one from each address. They are told as JSON.
pub async fn accounts(ground: &Ground) -> io::Result<String> {
    let mut making = JoinSet::new();
    for (number, &source) in ground.sources.iter().enumerate() {
        let replica = ground.replicas[number % ground.replicas.len()];
        making.spawn_local(async move {
            let mut asking = Asking::dial(source, replica).await?;
            let name = format!("stranger{number}");
            let create = json!({"id": 1, "op": "create", "name": name, "password": PASSWORD, "key": key()});
            let answer = asking.ask(&create).await?;
            match answer["ok"]["token"].as_str() {
                Some(token) => Ok((number, Account { name, token: token.to_owned() })),
                None => Err(io::Error::other(answer.to_string())),
            }
        });
    }
    let mut accounts = making.join_all().await.into_iter().collect::<io::Result<Vec<_>>>()?;
    accounts.sort_unstable_by_key(|(number, _)| *number);
    let accounts: Vec<Account> = accounts.into_iter().map(|(_, account)| account).collect();
    serde_json::to_string(&accounts).map_err(io::Error::from)
}

pub async fn creates_of_one(attackers: Attackers) -> io::Result<()> {
    let request = move |_, batch: &mut Vec<u8>| {
        let create = json!({"id": 1, "op": "create", "name": "wanted", "password": PASSWORD, "key": key()});
        batch.extend(format!("{create}\n").bytes());
    };
    Flood::of_strangers(MAKERS).run(&attackers, request).await
}

pub async fn creates(attackers: Attackers) -> io::Result<()> {
    again_and_again(attackers, |attackers, connection| async move {
        let mut asking = Asking::dial(attackers.source(connection), attackers.replica(connection)).await?;
        create(&attackers.tally, &mut asking, &format!("made{}", attackers.draw())).await
    })
    .await
}

pub async fn create_delete(attackers: Attackers) -> io::Result<()> {
    again_and_again(attackers, |attackers, connection| async move {
        let mut asking = Asking::dial(attackers.source(connection), attackers.replica(connection)).await?;
        create(&attackers.tally, &mut asking, &format!("gone{}", attackers.draw())).await?;
        let victim = &attackers.ground().victim;
        let send = json!({"id": 1, "op": "send", "to": victim, "text": "x", "key": key()});
        say(&attackers.tally, &mut asking, &send).await?;
        say(&attackers.tally, &mut asking, &json!({"id": 1, "op": "delete", "key": key()})).await
    })
    .await
}

pub async fn logouts(attackers: Attackers) -> io::Result<()> {
    again_and_again(attackers, |attackers, connection| async move {
        let mut asking = Asking::dial(attackers.source(connection), attackers.replica(connection)).await?;
        let name = &attackers.account(connection).name;
        let login = json!({"id": 1, "op": "login", "name": name, "password": PASSWORD});
        say(&attackers.tally, &mut asking, &login).await?;
        say(&attackers.tally, &mut asking, &json!({"id": 1, "op": "logout", "key": key()})).await
    })
    .await
}

async fn create(tally: &Tally, asking: &mut Asking, name: &str) -> io::Result<()> {
    say(tally, asking, &json!({"id": 1, "op": "create", "name": name, "password": PASSWORD, "key": key()})).await
}

async fn say(tally: &Tally, asking: &mut Asking, request: &serde_json::Value) -> io::Result<()> {
    asking.say(format!("{request}\n").as_bytes()).await?;
    let answer = asking.answer().await?;
    let code = answer["error"]["code"].as_str();
    tally.count(code.unwrap_or("ok"));
    if code.is_some() { Err(io::Error::other(answer.to_string())) } else { Ok(()) }
}

/// Does something on many connections, again and again; without a pause, whatever comes of it.
async fn again_and_again<F>(
    attackers: Attackers,
    once: impl Fn(Attackers, usize) -> F + Copy + 'static,
) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + 'static,
{
    attackers.begin().await;
    let mut all = JoinSet::new();
    for connection in 0..MAKERS {
        let attackers = attackers.clone();
        all.spawn_local(async move {
            loop {
                if once(attackers.clone(), connection).await.is_err() {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            }
        });
    }
    all.join_all().await;
    Ok(())
}
