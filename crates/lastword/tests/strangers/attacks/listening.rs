//! Those who listen, and what comes to them.

use std::io;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::flood::Flood;
use super::ground::Attackers;
use super::key;
use crate::wire::{count_answers, dial};

/// As long as a text may be.
const LONGEST: usize = 16_384;
/// Connections that do something all the time.
const BUSY: usize = 64;
/// Connections that listen and don't read.
const LISTENERS: usize = 400;
/// Connections of the one who comes and goes.
const COMING: usize = 32;
/// Those who watch.
const WATCHERS: usize = 64;
/// Somebody is said to be online, or not to be, when that has lasted for half a second.
const LONG_ENOUGH: Duration = Duration::from_millis(600);

pub async fn delivered(attackers: Attackers) -> io::Result<()> {
    // An event on the connection itself would be needed for a good one; a wrong one is looked up, too.
    let own: Vec<String> = (0..64).map(|number| attackers.account(number).name.clone()).collect();
    let request = move |connection: usize, batch: &mut Vec<u8>| {
        let to = &own[connection % own.len()];
        if batch.is_empty() {
            batch.extend(b"{\"id\":1,\"op\":\"listen\"}\n");
            batch.extend(format!("{}\n", json!({"id": 2, "op": "send", "to": to, "text": "x", "key": key()})).bytes());
        }
        batch.extend(format!("{{\"id\":3,\"op\":\"delivered\",\"upto\":\"{:032x}\"}}\n", connection).bytes());
    };
    Flood::of_accounts(BUSY).run(&attackers, request).await
}

pub async fn good_resumes(attackers: Attackers) -> io::Result<()> {
    let lines: Vec<String> = (0..64).map(|number| attackers.resume(number)).collect();
    let request = move |connection: usize, batch: &mut Vec<u8>| batch.extend(lines[connection % lines.len()].bytes());
    Flood::of_accounts(BUSY).run(&attackers, request).await
}

/// Each listener is sent what waits from its beginning.
pub async fn listens(attackers: Attackers) -> io::Result<()> {
    let each = attackers.many(500, 32);
    for number in 0..attackers.many(1, 64) {
        let own = attackers.account(number).name.clone();
        attackers.fill(number, &own, each, LONGEST).await?;
    }
    attackers.begin().await;
    let mut all = JoinSet::new();
    for connection in 0..BUSY {
        let attackers = attackers.clone();
        all.spawn_local(async move {
            loop {
                if listen_once(&attackers, connection).await.is_err() {
                    attackers.tally.count("cut");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    all.join_all().await;
    Ok(())
}

/// Listens, reads the beginning of what comes, and leaves.
async fn listen_once(attackers: &Attackers, connection: usize) -> io::Result<()> {
    let (mut reader, mut writer) = dial(attackers.source(connection), attackers.replica(connection)).await?;
    writer.write_all(attackers.resume(connection).as_bytes()).await?;
    writer.write_all(b"{\"id\":1,\"op\":\"listen\"}\n").await?;
    let mut buffer = vec![0; 16_384];
    let mut read = 0;
    while read < buffer.len() {
        match reader.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => read += count,
        }
    }
    attackers.tally.count("listened");
    Ok(())
}

pub async fn presence(attackers: Attackers) -> io::Result<()> {
    let mut watchers = JoinSet::new();
    let accounts = &attackers.ground().accounts;
    let accounts = accounts[1..].iter().cycle().take(WATCHERS).cloned().collect::<Vec<_>>();
    let mut star = attackers.enter(0).await?;
    for account in &accounts {
        star.ask(&json!({"id": 1, "op": "send", "to": account.name, "text": "look at me", "key": key()})).await?;
    }
    for (number, account) in accounts.iter().enumerate() {
        let source = attackers.ground().sources[number % attackers.ground().sources.len()];
        let (reader, mut writer) = dial(source, attackers.replica(number)).await?;
        let resume = json!({"id": 1, "op": "resume", "token": account.token});
        let rest = "{\"id\":2,\"op\":\"listen\"}\n{\"id\":3,\"op\":\"conversations\"}\n";
        writer.write_all(format!("{resume}\n{rest}").as_bytes()).await?;
        let tally = attackers.tally.clone();
        watchers.spawn_local(async move {
            count_answers(reader, tally).await;
            drop(writer);
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    attackers.begin().await;
    let mut all = JoinSet::new();
    for connection in 0..COMING {
        let attackers = attackers.clone();
        all.spawn_local(async move {
            loop {
                if let Ok(mut asking) = attackers.enter(connection).await {
                    let _ = asking.ask(&json!({"id": 1, "op": "listen"})).await;
                    // Some come and go as fast as they can; in the others' time it lasts long enough to be told.
                    tokio::time::sleep(LONG_ENOUGH * (connection as u32 % 2)).await;
                }
                tokio::time::sleep(LONG_ENOUGH * (connection as u32 % 2)).await;
            }
        });
    }
    all.join_all().await;
    watchers.abort_all();
    Ok(())
}

pub async fn listeners(attackers: Attackers) -> io::Result<()> {
    attackers.begin().await;
    let mut all = JoinSet::new();
    // All of one account at one replica: there each message is given to each of them.
    for connection in 0..LISTENERS {
        let attackers = attackers.clone();
        all.spawn_local(async move {
            loop {
                let connected = dial(attackers.source(connection), attackers.ground().replicas[0]).await;
                if let Ok((reader, mut writer)) = connected {
                    let lines = format!("{}{{\"id\":1,\"op\":\"listen\"}}\n", attackers.resume(connection));
                    if writer.write_all(lines.as_bytes()).await.is_ok() {
                        attackers.tally.count("listen");
                        // It is held, and not read; it comes again in any case.
                        tokio::time::sleep(Duration::from_secs(3)).await;
                    }
                    drop(reader);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    let own: Vec<String> = (0..64).map(|number| attackers.account(number).name.clone()).collect();
    let text = "x".repeat(LONGEST);
    for connection in 0..attackers.many(2, 64) {
        let (attackers, own, text) = (attackers.clone(), own[connection].clone(), text.clone());
        all.spawn_local(async move {
            loop {
                let Ok((reader, mut writer)) = dial(attackers.source(connection), attackers.ground().replicas[0]).await
                else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let _ = writer.write_all(attackers.resume(connection).as_bytes()).await;
                let writing = async {
                    loop {
                        let send = json!({"id": 2, "op": "send", "to": own, "text": text, "key": key()});
                        if writer.write_all(format!("{send}\n").as_bytes()).await.is_err() {
                            return;
                        }
                    }
                };
                tokio::select! {
                    () = count_answers(reader, attackers.tally.clone()) => {}
                    () = writing => {}
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    all.join_all().await;
    Ok(())
}
