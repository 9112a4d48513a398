//! Passwords and tokens that are not right.

use std::io;

use serde_json::json;

use super::flood::Flood;
use super::ground::Attackers;

/// Connections that guess.
const GUESSERS: usize = 64;

pub async fn logins(attackers: Attackers) -> io::Result<()> {
    let drawn = attackers.clone();
    let request = move |_, batch: &mut Vec<u8>| {
        let name = format!("nobody{}", drawn.draw());
        batch.extend(format!("{}\n", json!({"id": 1, "op": "login", "name": name, "password": "wrong"})).bytes());
    };
    Flood::of_strangers(GUESSERS).run(&attackers, request).await
}

pub async fn long_logins(attackers: Attackers) -> io::Result<()> {
    let password = "x".repeat(64_000);
    let drawn = attackers.clone();
    let request = move |_, batch: &mut Vec<u8>| {
        let (id, name) = (1, format!("nobody{}", drawn.draw()));
        let head = format!("{{\"id\":{id},\"op\":\"login\",\"name\":\"{name}\",\"password\":\"");
        batch.extend(head.bytes().chain(password.bytes()).chain(*b"\"}\n"));
    };
    Flood::of_strangers(attackers.many(30, 256)).run(&attackers, request).await
}

pub async fn guesses(attackers: Attackers) -> io::Result<()> {
    let line = format!("{}\n", json!({"id": 1, "op": "login", "name": attackers.ground().victim, "password": "wrong"}));
    Flood::of_strangers(attackers.many(GUESSERS, 4 * 64))
        .run(&attackers, move |_, batch| batch.extend(line.bytes()))
        .await
}

pub async fn resumes(attackers: Attackers) -> io::Result<()> {
    // Opaque to clients, they are hexadecimal: the greatest of some lengths.
    let lines: Vec<String> = [16, 32, 48, 64, 96]
        .iter()
        .map(|&length| json!({"id": 1, "op": "resume", "token": "f".repeat(64), "seen": "f".repeat(length)}))
        .map(|request| format!("{request}\n"))
        .collect();
    let drawn = attackers.clone();
    let request = move |_, batch: &mut Vec<u8>| batch.extend(lines[drawn.draw() as usize % lines.len()].bytes());
    Flood::of_strangers(GUESSERS).run(&attackers, request).await
}

pub async fn passwords(attackers: Attackers) -> io::Result<()> {
    let request = move |_, batch: &mut Vec<u8>| {
        let request = json!({"id": 1, "op": "password", "old": "wrong", "new": "another", "key": super::key()});
        batch.extend(format!("{request}\n").bytes());
    };
    Flood::of_accounts(GUESSERS).run(&attackers, request).await
}
