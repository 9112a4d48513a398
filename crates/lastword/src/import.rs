//! `lastword import`: the original's two files into a stopped replica's data.
//!
//! Everything is checked before anything is written, and written in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail, ensure};
use clap::Args;
use lastword_server::hash_password;
use lastword_server::offline::{self, Offline};
use serde::de::DeserializeOwned;

use crate::chat::announce;
use crate::original::{Pending, UserInfo};

/// So many passwords are hashed between two lines that tell of it.
const PROGRESS_EVERY: usize = 200;

/// Arguments of `lastword import`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The data directory of a replica whose server is stopped.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The original's accounts: `{"user1": {"password": "pwd1"}}`.
    #[arg(long, value_name = "FILE")]
    userinfo: PathBuf,
    /// The original's undelivered messages:
    /// `[{"sender": …, "receiver": …, "timestamp": …, "message": …}]`.
    #[arg(long, value_name = "FILE")]
    pending: Option<PathBuf>,
}

/// Brings everything in, or nothing.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let users: UserInfo = read(&arguments.userinfo)?;
    let pending: Vec<Pending> = arguments.pending.as_deref().map(read).transpose()?.unwrap_or_default();
    crate::server::start_log();
    let mut data = Offline::open(&arguments.dir)?;
    check_users(&users, &data).with_context(|| in_file(&arguments.userinfo))?;
    if let Some(file) = &arguments.pending {
        check_pending(&pending, &users).with_context(|| in_file(file))?;
    }
    let hashes = hash_all(&users)?;
    let mut authors = BTreeMap::new();
    for (name, hash) in users.keys().zip(&hashes) {
        let author = data.create(name, hash).with_context(|| format!("user {name:?} (nothing was imported)"))?;
        authors.insert(name.as_str(), author);
    }
    let mut seen = BTreeMap::new();
    for (number, entry) in pending.iter().enumerate() {
        let author = authors.get(entry.sender.as_str()).copied().context("a sender that was checked is missing")?;
        let message = convert(entry);
        let again = seen
            .entry((entry.sender.clone(), entry.receiver.clone(), message.at_ms, entry.message.clone()))
            .or_insert(0);
        data.send(author, &message, *again)
            .with_context(|| format!("entry {} of the pending messages (nothing was imported)", number + 1))?;
        *again += 1;
    }
    data.write()?;
    announce(&format!(
        "Imported {} accounts and {} pending messages into {}. Start the server: they spread to the group.",
        users.len(),
        pending.len(),
        arguments.dir.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn read<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| in_file(file))
}

fn in_file(file: &Path) -> String {
    format!("{} is not right, and nothing was imported", file.display())
}

fn check_users(users: &UserInfo, data: &Offline) -> anyhow::Result<()> {
    let existing: BTreeSet<String> =
        data.accounts().into_iter().map(|account| account.name.to_ascii_lowercase()).collect();
    let mut folded = BTreeSet::new();
    for (name, user) in users {
        let valid = (1..=32).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        ensure!(valid, "user {name:?}: a name has 1 to 32 characters of A-Z, a-z, 0-9, dot, underscore and hyphen");
        ensure!(user.password.len() <= 1024, "user {name:?}: the password has more than 1,024 bytes");
        ensure!(folded.insert(name.to_ascii_lowercase()), "user {name:?}: another entry differs in case only");
        ensure!(!existing.contains(&name.to_ascii_lowercase()), "user {name:?} exists in the data already");
    }
    Ok(())
}

fn check_pending(pending: &[Pending], users: &UserInfo) -> anyhow::Result<()> {
    for (number, entry) in pending.iter().enumerate() {
        let number = number + 1;
        for (role, name) in [("sender", &entry.sender), ("receiver", &entry.receiver)] {
            ensure!(users.contains_key(name), "entry {number}: the {role} {name:?} is not among the users");
        }
        ensure!(!entry.message.is_empty(), "entry {number}: the message is empty");
        ensure!(entry.message.len() <= 16 * 1024, "entry {number}: the message has more than 16,384 bytes");
        if let Some(timestamp) = entry.timestamp {
            // Up to the year 9999.
            let valid = (0.0..253_402_300_800.0).contains(&timestamp);
            ensure!(valid, "entry {number}: the timestamp {timestamp} is no number of seconds since 1970");
        }
    }
    Ok(())
}

fn convert(entry: &Pending) -> offline::Pending {
    offline::Pending {
        sender: entry.sender.clone(),
        receiver: entry.receiver.clone(),
        at_ms: entry.timestamp.map(|seconds| (seconds * 1000.0).round() as u64),
        text: entry.message.clone(),
    }
}

/// Hashes all passwords, on all cores; what is a hash already stays as it is.
fn hash_all(users: &UserInfo) -> anyhow::Result<Vec<String>> {
    let passwords: Vec<&str> = users.values().map(|user| user.password.as_str()).collect();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let done = AtomicUsize::new(0);
    let hash = |password: &&str| -> anyhow::Result<String> {
        let hashed = if password.starts_with("$argon2id$") {
            (*password).to_owned()
        } else {
            hash_password(password).map_err(|error| anyhow::anyhow!("a password can't be hashed: {error}"))?
        };
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(PROGRESS_EVERY) {
            announce(&format!("{done} of {} passwords hashed", passwords.len()));
        }
        Ok(hashed)
    };
    let share = passwords.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = passwords
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(hash).collect::<anyhow::Result<Vec<_>>>()))
            .collect();
        let mut hashes = Vec::with_capacity(passwords.len());
        for worker in workers {
            match worker.join() {
                Ok(share) => hashes.extend(share?),
                Err(_) => bail!("hashing the passwords failed"),
            }
        }
        Ok(hashes)
    })
}
