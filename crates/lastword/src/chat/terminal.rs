//! At a terminal: a prompt with editing, history and completion; what comes is shown above it.
//!
//! The editor blocks, so it has a thread of its own, which also asks for passwords and confirmations,
//! and hands over commands that are complete.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use lastword_client::{Client, Events};
use rustyline::completion::Completer;
use rustyline::config::CompletionType;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Context, Editor, ExternalPrinter, Helper, Highlighter, Hinter, Validator};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::command::{self, Change, Command, NAMES};
use super::conversation::Conversation;
use super::names::Names;
use super::output::Output;
use super::wording;

/// How long the prompt waits for an answer, so that a quick one stands before the next prompt.
const ANSWER: Duration = Duration::from_millis(300);
/// How long the welcome waits for a replica.
const WELCOME: Duration = Duration::from_millis(1500);
/// How long at the end a replica may take to take note of what was shown.
const CONFIRM: Duration = Duration::from_secs(1);

/// Runs until the user quits.
pub(super) async fn run(client: Client, events: Events) -> anyhow::Result<bool> {
    let names = Names::default();
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(false).build();
    let mut editor = Editor::with_history(config.clone(), MemHistory::with_config(&config))?;
    editor.set_helper(Some(Completion { names: names.clone() }));
    let screen = Output::Terminal(Box::new(editor.create_external_printer()?));
    let prompt_printer: Box<dyn ExternalPrinter + Send> = Box::new(editor.create_external_printer()?);

    let mut conversation = Conversation::new(client.clone(), events, screen, names);
    welcome(&client, &mut conversation).await?;
    let (commands_in, mut commands) = mpsc::channel(1);
    let (answered, answers) = channel();
    let prompt = Prompt { editor, screen: Output::Terminal(prompt_printer), commands: commands_in, answers };
    std::thread::spawn(move || prompt.run());
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(command) => {
                    conversation.carry_out(command).await?;
                    // The prompt may have gone on without it.
                    let _ = answered.send(());
                }
                None => break,
            },
            shown = conversation.show_next_event() => shown?,
        }
    }
    let _ = timeout(CONFIRM, conversation.confirm()).await;
    Ok(true)
}

async fn welcome(client: &Client, conversation: &mut Conversation) -> std::io::Result<()> {
    // Without an answer, the events say that nobody answers.
    if let Ok(Ok(status)) = timeout(WELCOME, client.status()).await {
        conversation.say(&wording::group(&status.replica, &status.replicas, status.stale))?;
    }
    conversation.say("Welcome to Lastword. `help` shows the commands.")
}

/// The thread of the editor.
struct Prompt {
    editor: Editor<Completion, MemHistory>,
    screen: Output,
    commands: mpsc::Sender<Command>,
    answers: Receiver<()>,
}

impl Prompt {
    /// Reads lines until the user quits. Dropping `commands` then ends the program.
    fn run(mut self) {
        let mut interrupted = false;
        loop {
            match self.editor.readline("> ") {
                Ok(line) => {
                    interrupted = false;
                    if !self.on_line(&line) {
                        return;
                    }
                }
                Err(ReadlineError::Interrupted) if !interrupted => {
                    interrupted = true;
                    self.say("Ctrl-C again, Ctrl-D, or `quit` ends.");
                }
                Err(_) => return,
            }
        }
    }

    fn say(&mut self, text: &str) {
        // A terminal that can't be written to can't be told so.
        let _ = self.screen.say(text);
    }

    /// `false`: it was the last.
    fn on_line(&mut self, line: &str) -> bool {
        if !line.trim().is_empty() && !command::is_secret(line) {
            // Without history the arrow keys do less: no reason to end.
            let _ = self.editor.add_history_entry(line);
        }
        let command = match command::parse(line) {
            Ok(Some(Command::Quit)) => return false,
            Ok(Some(command)) => self.complete(command),
            Ok(None) => None,
            Err(wrong) => {
                self.say(&wrong);
                None
            }
        };
        let Some(command) = command else { return true };
        while self.answers.try_recv().is_ok() {}
        if self.commands.blocking_send(command).is_err() {
            return false;
        }
        // A slow answer comes above the prompt.
        let _ = self.answers.recv_timeout(ANSWER);
        true
    }

    /// Asks for what was left out; `None` if the user thinks better of it.
    fn complete(&mut self, command: Command) -> Option<Command> {
        Some(match command {
            Command::Create { name, password: None } => {
                let password = self.ask_new("Password: ")?;
                Command::Create { name, password: Some(password) }
            }
            Command::Login { name, password: None } => {
                Command::Login { name, password: Some(ask_secret("Password: ")?) }
            }
            Command::Password(None) => {
                let old = ask_secret("Old password: ")?;
                Command::Password(Some(Change { old, new: self.ask_new("New password: ")? }))
            }
            Command::Delete => {
                let sure = self.editor.readline("Delete your account for good? Type `yes`: ").ok()?;
                if sure.trim() != "yes" {
                    self.say("Nothing was deleted.");
                    return None;
                }
                Command::Delete
            }
            complete => complete,
        })
    }

    /// Asks twice: nobody sees what is typed.
    fn ask_new(&mut self, prompt: &str) -> Option<String> {
        let password = ask_secret(prompt)?;
        if ask_secret("Once more: ")? == password {
            return Some(password);
        }
        self.say("The two are not the same: nothing was done.");
        None
    }
}

fn ask_secret(prompt: &str) -> Option<String> {
    rpassword::prompt_password(prompt).ok().filter(|password| !password.is_empty())
}

/// Completes commands, and names.
#[derive(Helper, Hinter, Highlighter, Validator)]
struct Completion {
    names: Names,
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(completions(&self.names, &line[..pos]))
    }
}

/// Where the last word begins, and what it may become.
fn completions(names: &Names, line: &str) -> (usize, Vec<String>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
    let (before, word) = (line[..start].trim(), &line[start..]);
    let found = match before {
        "" => NAMES.iter().filter(|name| name.starts_with(word)).map(|name| format!("{name} ")).collect(),
        "send" | "history" => names.beginning(word).into_iter().map(|name| name + " ").collect(),
        _ => Vec::new(),
    };
    (start, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_names_are_completed_where_they_stand() {
        let names = Names::default();
        names.learn("alice");
        names.learn("Albert");
        assert_eq!(completions(&names, "li"), (0, vec!["list ".into(), "list_pending ".into()]));
        assert_eq!(completions(&names, "send al"), (5, vec!["Albert ".into(), "alice ".into()]));
        assert_eq!(completions(&names, "history ali"), (8, vec!["alice ".into()]));
        assert_eq!(completions(&names, "send alice al"), (11, vec![]));
        assert_eq!(completions(&names, "login al"), (6, vec![]));
    }
}
