//! Floods of questions.

use std::io;

use serde_json::json;

use super::flood::Flood;
use super::ground::Attackers;

/// Connections that ask all the time.
const BUSY: usize = 64;
/// Connections of one account that read pages.
const READERS: usize = 8;
/// As long as a text may be.
const LONGEST: usize = 16_384;
/// Messages of that length in a history.
const MESSAGES: usize = 500;
/// The same, where each of 64 accounts has some.
const MESSAGES_EACH: usize = 32;

/// A line without a login, again and again.
async fn lines(attackers: Attackers, line: impl Into<String>) -> io::Result<()> {
    let line = format!("{}\n", line.into());
    Flood::of_strangers(BUSY).run(&attackers, move |_, batch| batch.extend(line.as_bytes())).await
}

pub async fn pings(attackers: Attackers) -> io::Result<()> {
    lines(attackers, r#"{"id":1,"op":"ping"}"#).await
}

pub async fn hellos(attackers: Attackers) -> io::Result<()> {
    lines(attackers, r#"{"id":1,"op":"hello","version":1}"#).await
}

pub async fn statuses(attackers: Attackers) -> io::Result<()> {
    lines(attackers, r#"{"id":1,"op":"status"}"#).await
}

pub async fn no_ops(attackers: Attackers) -> io::Result<()> {
    let long = json!({"id": 1, "op": "nothing", "more": "\u{1}".repeat(10_000)}).to_string();
    let deep = format!("{{\"id\":1,\"op\":\"ping\",\"more\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    let request = move |connection: usize, batch: &mut Vec<u8>| {
        batch.extend(if connection.is_multiple_of(2) { long.as_bytes() } else { deep.as_bytes() });
        batch.push(b'\n');
    };
    Flood::of_strangers(BUSY).run(&attackers, request).await
}

/// Legal patterns of at most 256 bytes.
fn hard_patterns() -> [String; 4] {
    [
        format!("(?i){}", r"[\w&&[^\d]]{1,40}".repeat(14)),
        format!("(?i){}", r"(\pL|\pN){9,99}".repeat(16)),
        format!("(?i){}{}", "(".repeat(20), r"\W{1,5}){2,9}".repeat(17)),
        format!("(?i){}", r"[^a-y\S]{50}.{50}".repeat(14)),
    ]
}

fn list_lines(attackers: &Attackers, flood: Flood) -> impl Future<Output = io::Result<()>> {
    let lines = hard_patterns().map(|pattern| format!("{}\n", json!({"id": 1, "op": "list", "pattern": pattern})));
    let attackers = attackers.clone();
    async move {
        let drawn = attackers.clone();
        let request = move |_, batch: &mut Vec<u8>| batch.extend(lines[drawn.draw() as usize % lines.len()].as_bytes());
        flood.run(&attackers, request).await
    }
}

pub async fn lists(attackers: Attackers) -> io::Result<()> {
    list_lines(&attackers, Flood::of_accounts(BUSY)).await
}

pub async fn lists_of_strangers(attackers: Attackers) -> io::Result<()> {
    list_lines(&attackers, Flood::of_strangers(BUSY)).await
}

pub async fn all_names(attackers: Attackers) -> io::Result<()> {
    let line = b"{\"id\":1,\"op\":\"list\",\"limit\":1000}\n";
    Flood::of_accounts(BUSY).that_never_reads().run(&attackers, move |_, batch| batch.extend(line)).await
}

pub async fn conversations(attackers: Attackers) -> io::Result<()> {
    let to = attackers.ground().victim.clone();
    for connection in 0..attackers.many(1, 64) {
        attackers.fill(connection, &to, 16, 1).await?;
    }
    let line = b"{\"id\":1,\"op\":\"conversations\",\"limit\":200}\n{\"id\":2,\"op\":\"pending\",\"limit\":500}\n";
    Flood::of_accounts(BUSY).run(&attackers, move |_, batch| batch.extend(line)).await
}

/// Long messages of each account to somebody (themselves, without a name).
async fn long_messages(attackers: &Attackers, to: Option<&str>) -> io::Result<()> {
    let each = attackers.many(MESSAGES, MESSAGES_EACH);
    for connection in 0..attackers.many(1, 64) {
        let own = attackers.account(connection).name.clone();
        attackers.fill(connection, to.unwrap_or(&own), each, LONGEST).await?;
    }
    Ok(())
}

async fn pages_of(attackers: Attackers, flood: Flood) -> io::Result<()> {
    long_messages(&attackers, None).await?;
    let lines: Vec<String> = (0..attackers.many(1, 64))
        .map(|number| json!({"id": 1, "op": "history", "with": attackers.account(number).name, "limit": 500}))
        .map(|request| format!("{request}\n"))
        .collect();
    let request =
        move |connection: usize, batch: &mut Vec<u8>| batch.extend(lines[connection % lines.len()].as_bytes());
    flood.run(&attackers, request).await
}

pub async fn history(attackers: Attackers) -> io::Result<()> {
    let connections = attackers.many(READERS, 64 * READERS);
    pages_of(attackers, Flood::of_accounts(connections)).await
}

pub async fn history_unread(attackers: Attackers) -> io::Result<()> {
    let connections = attackers.many(READERS, 64 * READERS);
    pages_of(attackers, Flood::of_accounts(connections).that_never_reads()).await
}

pub async fn pending(attackers: Attackers) -> io::Result<()> {
    let to = attackers.ground().accounts[63].name.clone();
    long_messages(&attackers, Some(&to)).await?;
    let line = b"{\"id\":1,\"op\":\"pending\",\"limit\":500}\n";
    Flood::of_accounts(attackers.many(READERS, 64 * READERS)).run(&attackers, move |_, batch| batch.extend(line)).await
}
