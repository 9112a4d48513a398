//! `lastword import`: the original's two files into a stopped replica's data.
//!
//! Everything is checked before anything is written, and written in one transaction.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail};
use clap::Args;
use lastword_server::hash_password;
use lastword_server::offline::Offline;
use lastword_server::original::{self, User, UserInfo};

use crate::chat::announce;

/// Progress is shown each time this many passwords have been hashed.
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
    let userinfo = &arguments.userinfo;
    let (users, renamed) = original::read_users(&read(userinfo)?).with_context(|| in_file(userinfo))?;
    let pending = match &arguments.pending {
        Some(file) => original::read_pending(&read(file)?, &users).with_context(|| in_file(file))?,
        None => Vec::new(),
    };
    crate::server::start_log()?;
    let mut data = Offline::open(&arguments.dir)?;
    let existing = data.accounts();
    let existing = existing.iter().map(|account| account.name.as_str());
    original::check_new(&users, existing).with_context(|| in_file(userinfo))?;
    let hashes = hash_all(&users)?;
    let mut authors = BTreeMap::new();
    for (name, hash) in users.keys().zip(&hashes) {
        let author = data.create(name, hash).with_context(|| format!("user {name:?} (nothing was imported)"))?;
        authors.insert(name.as_str(), author);
    }
    let mut seen = BTreeMap::new();
    for (number, entry) in pending.iter().enumerate() {
        let author = authors.get(entry.sender.as_str()).copied().context("a sender that was checked is missing")?;
        let message = entry.to_message();
        let again = seen
            .entry((entry.sender.clone(), entry.receiver.clone(), message.at_ms, entry.message.clone()))
            .or_insert(0);
        data.send(author, &message, *again)
            .with_context(|| format!("entry {} of the pending messages (nothing was imported)", number + 1))?;
        *again += 1;
    }
    data.write()?;
    for (before, now) in renamed {
        announce(&format!("{before} is called {now} from now on. Tell its owner to log in with that name."));
    }
    announce(&format!(
        "Imported {} accounts and {} pending messages into {}. Start the server; the other replicas get them from it.",
        users.len(),
        pending.len(),
        arguments.dir.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))
}

fn in_file(file: &Path) -> String {
    format!("can't import {}; nothing was imported", file.display())
}

/// Hashes all passwords, on all cores; what is a hash already stays as it is.
fn hash_all(users: &UserInfo) -> anyhow::Result<Vec<String>> {
    let users: Vec<&User> = users.values().collect();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let done = AtomicUsize::new(0);
    let hash = |user: &&User| -> anyhow::Result<String> {
        let hashed = match user.hash() {
            Some(hash) => hash.to_owned(),
            None => {
                hash_password(&user.password).map_err(|error| anyhow::anyhow!("a password can't be hashed: {error}"))?
            }
        };
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(PROGRESS_EVERY) {
            announce(&format!("{done} of {} passwords hashed", users.len()));
        }
        Ok(hashed)
    };
    let share = users.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = users
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(hash).collect::<anyhow::Result<Vec<_>>>()))
            .collect();
        let mut hashes = Vec::with_capacity(users.len());
        for worker in workers {
            match worker.join() {
                Ok(share) => hashes.extend(share?),
                Err(_) => bail!("hashing the passwords failed"),
            }
        }
        Ok(hashes)
    })
}
