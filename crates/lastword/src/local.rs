//! `lastword local`: three replicas on this machine, as three processes of their own, so that a person
//! can kill two of them and see what happens.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Args;
use lastword_server::Address;
use tokio::signal::unix::{SignalKind, signal};

use crate::chat::announce;
use crate::group::{Group, REPLICAS, Server};

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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let ports = (arguments.port..).take(REPLICAS);
        let addresses = ports.map(|port| Address::new(&arguments.host, port).map(|address| address.to_string()));
        let addresses = addresses.collect::<Result<Vec<_>, _>>().map_err(|wrong| anyhow!("--host: {wrong}"))?;
        let mut group = Group::start(&addresses, &arguments.data, &[])?;
        for server in group.servers() {
            announce(&format!("{} is up: pid {}, {}", server.name, server.pid(), server.address));
        }
        say_what_to_do(arguments, group.servers());
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

fn say_what_to_do(arguments: &Arguments, servers: &[Server]) {
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
    let program = std::env::args().next().unwrap_or_else(|| "lastword".to_owned());
    let pids = servers.iter().take(2).map(|server| server.pid().to_string()).collect::<Vec<_>>().join(" ");
    announce(&format!(
        "\nChat, in the browser:\n  http://{}/\nor in as many other terminals as you like:\n  {program} chat{replicas}\nKill two, and go on chatting:\n  kill -9 {pids}\nThe data is in {}. Ctrl-C stops all three.\n",
        servers.first().map_or("", |server| server.address.as_str()),
        arguments.data.display()
    ));
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
