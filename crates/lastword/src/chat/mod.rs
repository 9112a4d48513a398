//! `lastword chat`: the line client.
//!
//! * `addresses`: which replicas.
//! * `command`: what a line asks for; `quoting`: its words.
//! * `conversation`: the user's state; `answering`: carries commands out through the client library.
//! * `said`: one thing that is shown: in `wording` for a person, in `json` for a program.
//! * `pipe` and `terminal`: where lines come from; `output`: where they go; `escape`: what must not get there.
//! * `signals`: an end from outside is an orderly one, too.

pub(crate) mod addresses;
mod answering;
mod command;
mod conversation;
mod escape;
mod json;
mod names;
mod output;
mod pipe;
mod quoting;
mod said;
mod signals;
mod terminal;
mod wording;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory};
use lastword_client::{Client, Options};

use crate::tls::TlsArguments;
use output::Output;

pub(crate) use output::{announce, complain, progress};

/// Arguments of `lastword chat`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The replicas, in the order of preference: `HOST PORT HOST PORT …` or `HOST:PORT,HOST:PORT,…`.
    /// Default: the three replicas that `lastword local` starts.
    #[arg(value_name = "HOST PORT")]
    replicas: Vec<String>,
    /// Print one JSON object a line, for each event and each answer (docs/chat.md). Commands are read as in a pipe.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tls: TlsArguments,
}

/// The commands that can be typed, for `lastword help chat`.
pub(crate) fn commands() -> String {
    let lines = command::help_lines(None).into_iter().map(|line| format!("  {line}\n"));
    format!("Commands, one a line:\n{}", lines.collect::<String>())
}

/// Chats until the end of the input. The exit code says whether every command was carried out (at a
/// terminal: whether none was left undone at the end).
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let replicas = match addresses::parse(&arguments.replicas) {
        Ok(replicas) => replicas,
        Err(wrong) => bad_arguments("chat", wrong),
    };
    let tls = arguments.tls.read()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let at_terminal = !arguments.json && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let output = if arguments.json { Output::Json } else { Output::Pipe };
    let all_done = runtime.block_on(async {
        let (client, events) = Client::connect_tls(replicas, Options::default(), tls)?;
        if at_terminal { terminal::run(client, events).await } else { pipe::run(client, events, output).await }
    });
    // A thread may still wait for a line that nobody will type.
    runtime.shutdown_timeout(Duration::ZERO);
    Ok(if all_done? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says what is wrong with the arguments of a command, as clap would, and exits with 2.
pub(crate) fn bad_arguments(command: &str, wrong: String) -> ! {
    let mut program = crate::Cli::command();
    program.build();
    let command = program.find_subcommand_mut(command).expect("this is run by it");
    // The addresses' examples are those of the chat.
    let wrong = wrong.replace("lastword chat ", &format!("lastword {} ", command.get_name()));
    command.error(ErrorKind::ValueValidation, wrong).exit()
}
