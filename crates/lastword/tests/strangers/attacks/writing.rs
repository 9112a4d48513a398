//! Floods of messages.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use lastword_client::protocol::Uuid;
use serde_json::json;

use super::flood::Flood;
use super::ground::Attackers;
use super::key;

/// Connections that write.
const WRITERS: usize = 64;
/// As long as a text may be.
const LONGEST: usize = 16_384;
/// The keys of the future begin in ten years.
const FUTURE_MS: u64 = 10 * 365 * 24 * 3_600_000;

fn append(batch: &mut Vec<u8>, to: &str, text: &str, key: &str) {
    batch.extend(format!("{}\n", json!({"id": 1, "op": "send", "to": to, "text": text, "key": key})).bytes());
}

pub async fn small(attackers: Attackers) -> io::Result<()> {
    let victim = attackers.ground().victim.clone();
    Flood::of_accounts(WRITERS).run(&attackers, move |_, batch| append(batch, &victim, "x", &key())).await
}

pub async fn same_key(attackers: Attackers) -> io::Result<()> {
    let (victim, key) = (attackers.ground().victim.clone(), key());
    Flood::of_accounts(WRITERS).run(&attackers, move |_, batch| append(batch, &victim, "x", &key)).await
}

pub async fn to_nobody(attackers: Attackers) -> io::Result<()> {
    let text = "x".repeat(LONGEST);
    Flood::of_accounts(WRITERS).run(&attackers, move |_, batch| append(batch, "nobody-at-all", &text, &key())).await
}

pub async fn future_keys(attackers: Attackers) -> io::Result<()> {
    let victim = attackers.ground().victim.clone();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let drawn = attackers.clone();
    let request = move |_, batch: &mut Vec<u8>| {
        let number = drawn.draw();
        let mut bytes = [0x80; 16];
        bytes[..6].copy_from_slice(&(now_ms + FUTURE_MS + number).to_be_bytes()[2..]);
        bytes[6] = 0x70;
        bytes[12..].copy_from_slice(&(number as u32).to_be_bytes());
        append(batch, &victim, "x", &Uuid::from_bytes(bytes).to_string());
    };
    Flood::of_accounts(WRITERS).run(&attackers, request).await
}

pub async fn big(attackers: Attackers) -> io::Result<()> {
    let text = "x".repeat(LONGEST);
    let victim = attackers.ground().victim.clone();
    let own: Vec<String> = (0..64).map(|number| attackers.account(number).name.clone()).collect();
    let request = move |connection: usize, batch: &mut Vec<u8>| {
        let to = if connection.is_multiple_of(2) { &victim } else { &own[connection % own.len()] };
        append(batch, to, &text, &key());
    };
    Flood::of_accounts(WRITERS).run(&attackers, request).await
}
