//! `lastword key`: makes a cluster key.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use lastword_server::ClusterKey;

use crate::chat::announce;

/// Arguments of `lastword key`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The file to write. It must not exist yet.
    #[arg(value_name = "FILE", default_value = "lastword.key")]
    file: PathBuf,
}

/// Makes a key and writes it.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let file = arguments.file.display();
    if let Some(folder) = arguments.file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        bail!(
            "can't write the key to {file}: the folder {} does not exist. Make it first, or name another file",
            folder.display()
        );
    }
    ClusterKey::generate()?
        .write(&arguments.file)
        .with_context(|| format!("can't write the key to {file}; an existing file is never overwritten"))?;
    announce(&format!(
        "A new cluster key is in {file}. Copy it to every machine of the group over a secure channel (scp, for example), and start each replica with --key {file}."
    ));
    Ok(ExitCode::SUCCESS)
}
