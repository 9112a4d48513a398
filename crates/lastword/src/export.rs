//! `lastword export`: the accounts and pending messages of a stopped replica, as the original's files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use lastword_server::offline::Offline;
use lastword_server::original::{Pending, User, UserInfo};
use serde::Serialize;

use crate::chat::announce;

/// Arguments of `lastword export`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The data directory of a replica whose server is stopped.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The new file for the accounts; passwords are written as their hashes.
    #[arg(long, value_name = "FILE", default_value = "userinfo.json")]
    userinfo: PathBuf,
    /// The new file for the undelivered messages.
    #[arg(long, value_name = "FILE", default_value = "pending.json")]
    pending: PathBuf,
}

/// Writes both files.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    crate::server::start_log()?;
    anyhow::ensure!(
        arguments.dir.join("log.db").exists(),
        "{} is not a server's data directory: it has no log.db",
        arguments.dir.display()
    );
    // Both are looked at before either is written: no half of an export is left.
    for file in [&arguments.userinfo, &arguments.pending] {
        anyhow::ensure!(
            !file.exists(),
            "{} already exists and is never overwritten; name another file",
            file.display()
        );
    }
    let mut data = Offline::open(&arguments.dir)?;
    let users: UserInfo =
        data.accounts().into_iter().map(|account| (account.name, User { password: account.password_hash })).collect();
    let pending: Vec<Pending> = data
        .pending()?
        .into_iter()
        .map(|message| Pending {
            sender: message.sender,
            receiver: message.receiver,
            timestamp: message.at_ms.map(|at_ms| at_ms as f64 / 1000.0),
            message: message.text,
        })
        .collect();
    data.write()?;
    write(&arguments.userinfo, &users)?;
    write(&arguments.pending, &pending)?;
    announce(&format!(
        "Exported {} accounts to {} and {} pending messages to {}.",
        users.len(),
        arguments.userinfo.display(),
        pending.len(),
        arguments.pending.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let can_not = || format!("can't write {}", path.display());
    let mut options = File::options();
    options.write(true).create_new(true);
    // Hashes and letters are for their owner only.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = BufWriter::new(options.open(path).with_context(can_not)?);
    serde_json::to_writer_pretty(&mut file, value).with_context(can_not)?;
    file.write_all(b"\n").and_then(|()| file.flush()).with_context(can_not)
}
