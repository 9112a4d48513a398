//! Lastword: chat that keeps talking while servers die.

mod chat;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Chat, at a terminal or in a pipe.
    Chat(chat::Arguments),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Chat(arguments) => chat::run(&arguments),
    };
    done.unwrap_or_else(|error| {
        chat::complain(&error);
        ExitCode::FAILURE
    })
}
