//! `lastword local`: three replicas on this machine, as three processes of their own, so that a person
//! can kill two of them and see what happens.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use lastword_server::{Address, ClusterKey, ServerError, local_key};
use tokio::signal::unix::{SignalKind, signal};

use crate::chat::announce;
use crate::group::{Group, REPLICAS, Server, shell_word};

/// Arguments of `lastword local`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The first of the three ports.
    #[arg(long, value_name = "PORT", default_value_t = 65433, value_parser = clap::value_parser!(u16).range(1..=65533))]
    port: u16,
    /// The address to listen on; it must be on loopback.
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// The directory for the data of all three.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

/// Runs the three until Ctrl-C.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // Before anything is started: the servers would advise options that this command does not have.
    if let Ok(address) = Address::new(&arguments.host, arguments.port)
        && !address.is_loopback()
    {
        let wrong = format!(
            "--host {} is not on loopback. `lastword local` is for this machine alone: leave --host out. For a group on several machines, run `lastword server` on each.",
            arguments.host
        );
        crate::chat::bad_arguments("local", wrong);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let ports = (arguments.port..).take(REPLICAS);
        let addresses = ports.map(|port| Address::new(&arguments.host, port).map(|address| address.to_string()));
        let addresses = addresses.collect::<Result<Vec<_>, _>>().map_err(|wrong| anyhow!("--host: {wrong}"))?;
        // What is said of it must be right in other terminals, too, whatever folder they are in.
        let data = std::path::absolute(&arguments.data).context("can't tell which folder this is run in")?;
        let key = key_in(&data)?;
        let key = key.as_ref().map(|key| key.to_string_lossy());
        let more: Vec<&str> = key.iter().flat_map(|key| ["--key", key]).collect();
        let mut group = Group::start(&addresses, &data, &more)?;
        for server in group.servers() {
            announce(&format!("{} is up: pid {}, {}", server.name, server.pid(), server.address));
        }
        say_what_to_do(arguments, &data, group.servers());
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                () = tokio::time::sleep(Duration::from_millis(200)) => tell_of_ended(&mut group),
            }
            if group.has_ended() {
                bail!("all three servers have ended");
            }
        }
        announce("Stopping all three.");
        Ok(if group.stop() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// The three need a key. It is the user's own; where there is no place for that (no HOME, or one that can't be written
/// to), it is one in the data folder, and this is its file.
fn key_in(data: &Path) -> anyhow::Result<Option<PathBuf>> {
    match local_key() {
        Ok(_) => return Ok(None),
        Err(ServerError::NoPlaceForKey) => {}
        Err(ServerError::LocalKey { path, .. }) if !path.try_exists().unwrap_or(false) => {}
        Err(error) => return Err(error.into()),
    }
    let key = data.join("local.key");
    if !key.exists() {
        std::fs::create_dir_all(data).with_context(|| format!("can't make the folder {}", data.display()))?;
        ClusterKey::generate()?.write(&key).with_context(|| format!("can't write {}", key.display()))?;
    }
    Ok(Some(key))
}

fn say_what_to_do(arguments: &Arguments, data: &Path, servers: &[Server]) {
    let is_default = arguments.port == 65433 && arguments.host == "127.0.0.1";
    let replicas = if is_default {
        String::new()
    } else {
        servers
            .iter()
            .filter_map(|server| server.address.rsplit_once(':'))
            .map(|(host, port)| format!(" {host} {port}"))
            .collect()
    };
    let program = program();
    let pids = servers.iter().take(2).map(|server| server.pid().to_string()).collect::<Vec<_>>().join(" ");
    announce(&format!(
        "\nChat, in the browser:\n  http://{}/\nor in as many other terminals as you like:\n  {program} chat{replicas}\nKill two, and go on chatting:\n  kill -9 {pids}\nThe data is in {}. Ctrl-C stops all three.\n",
        servers.first().map_or("", |server| server.address.as_str()),
        data.display()
    ));
}

/// How this program is started from any folder: by its name if the shell found it by that, else by where it is.
fn program() -> String {
    match (std::env::args().next(), std::env::current_exe()) {
        (Some(name), Ok(path)) if name.contains('/') => shell_word(&path),
        (Some(name), _) => name,
        (None, _) => "lastword".to_owned(),
    }
}

fn tell_of_ended(group: &mut Group) {
    for (server, status) in group.newly_ended() {
        announce(&format!(
            "{} (pid {}) has ended: {status}. Start it again, in another terminal, with:\n  {}",
            server.name,
            server.pid(),
            server.again
        ));
    }
}
