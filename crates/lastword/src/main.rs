//! Lastword: chat that keeps talking while servers die.

mod bench;
mod chat;
mod export;
mod group;
mod import;
mod key;
mod local;
mod memory;
mod server;
mod status;
mod tls;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chat that keeps talking while servers die.
///
/// For a first look, run `lastword local`, which starts three servers on this machine, and `lastword chat` in
/// another terminal.
#[derive(Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start three servers on this machine, for a first look.
    Local(local::Arguments),
    /// Chat at a terminal or in a pipe.
    #[command(after_help = chat::commands())]
    Chat(chat::Arguments),
    /// Run one server, which is one replica of a group.
    Server(Box<server::Arguments>),
    /// Show how each replica of a group sees it.
    Status(status::Arguments),
    /// Make a cluster key for a group on several machines.
    Key(key::Arguments),
    /// Put load on a group, and check that every message arrives.
    Bench(bench::Arguments),
    /// Import accounts and messages of the original program into the data of a stopped server.
    Import(import::Arguments),
    /// Export the accounts and pending messages of a stopped server as files of the original program.
    Export(export::Arguments),
}

fn main() -> ExitCode {
    memory::take_small_pages();
    keep_files_private();
    let done = match Cli::parse().command {
        Command::Local(arguments) => local::run(&arguments),
        Command::Chat(arguments) => chat::run(&arguments),
        Command::Server(arguments) => server::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Key(arguments) => key::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
    };
    done.unwrap_or_else(|error| {
        chat::complain(&error);
        ExitCode::FAILURE
    })
}

/// Messages stand in a data directory in the clear: what this program makes is for its owner only, whatever the
/// umask allows other users of the machine.
fn keep_files_private() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}
