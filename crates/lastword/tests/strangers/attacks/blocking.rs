//! Those who block, and those who are blocked.

use std::io;

use serde_json::{Value, json};

use super::flood::Flood;
use super::ground::Attackers;
use super::key;

/// Connections that block, or write.
const BUSY: usize = 64;

/// Everybody of whom an attacker can know.
async fn everybody(attackers: &Attackers) -> io::Result<Vec<String>> {
    let answer = attackers.enter(0).await?.ask(&json!({"id": 1, "op": "list", "limit": 1000})).await?;
    let names = answer["ok"]["names"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<String> = names.map(str::to_owned).collect();
    if names.is_empty() { Err(io::Error::other(answer.to_string())) } else { Ok(names) }
}

/// Everybody is blocked, then nobody, and so on; now and then each account asks whom it blocks.
pub async fn blocks(attackers: Attackers) -> io::Result<()> {
    let people = everybody(&attackers).await?;
    let drawn = attackers.clone();
    let request = move |_, batch: &mut Vec<u8>| {
        let number = drawn.draw() as usize;
        let (round, place) = (number / people.len(), number % people.len());
        if place == 0 {
            batch.extend(b"{\"id\":2,\"op\":\"blocked\",\"limit\":100}\n");
        }
        let op = if round.is_multiple_of(2) { "block" } else { "unblock" };
        batch.extend(format!("{}\n", json!({"id": 1, "op": op, "who": people[place], "key": key()})).bytes());
    };
    Flood::of_accounts(BUSY).run(&attackers, request).await
}

/// Messages to somebody who has blocked all who write. Whoever blocks does not write to themselves, but to another one
/// who has blocked them.
pub async fn to_who_blocks(attackers: Attackers) -> io::Result<()> {
    let accounts = attackers.ground().accounts.clone();
    let (last, one_before) = (accounts.len() - 1, accounts.len() - 2);
    for (number, blocker) in [(last, &accounts[last]), (one_before, &accounts[one_before])] {
        let source = attackers.ground().sources[number % attackers.ground().sources.len()];
        let mut asking = crate::wire::Asking::dial(source, attackers.replica(number)).await?;
        asking.ask(&json!({"id": 0, "op": "resume", "token": blocker.token})).await?;
        for other in accounts.iter().filter(|other| other.name != blocker.name) {
            let block = json!({"id": 1, "op": "block", "who": other.name, "key": key()});
            let answer = asking.ask(&block).await?;
            if !answer["ok"].is_object() {
                return Err(io::Error::other(answer.to_string()));
            }
        }
    }
    let own: Vec<String> = (0..accounts.len()).map(|number| attackers.account(number).name.clone()).collect();
    let blockers = [accounts[last].name.clone(), accounts[one_before].name.clone()];
    let request = move |connection: usize, batch: &mut Vec<u8>| {
        let to = if own[connection % own.len()] == blockers[0] { &blockers[1] } else { &blockers[0] };
        batch.extend(format!("{}\n", json!({"id": 1, "op": "send", "to": to, "text": "x", "key": key()})).bytes());
    };
    Flood::of_accounts(BUSY).run(&attackers, request).await
}
