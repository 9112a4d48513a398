//! The thread that asks for lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::command::{self, Change, Command};
use super::super::output::Output;
use super::super::said::Said;
use super::super::wording;
use super::{Ended, Source};

/// What is said at the first Ctrl-C.
pub(super) const AGAIN: &str = "Press Ctrl-C again to leave (or Ctrl-D, or type `quit`).";
/// How long the prompt waits for an answer, so that a quick one stands before the next prompt.
const ANSWER: Duration = Duration::from_millis(300);

/// The thread that asks for lines.
pub(super) struct Prompt {
    pub source: Box<dyn Source + Send>,
    pub screen: Output,
    pub commands: mpsc::Sender<Command>,
    pub answers: Receiver<()>,
    /// Whether there is a login.
    pub logged_in: Arc<AtomicBool>,
    /// How many commands that log in or out are handed over and not answered.
    pub unanswered: Arc<AtomicUsize>,
}

/// A command is not carried out.
enum Dropped {
    /// Ctrl-C.
    Interrupted,
    /// For another reason, which was said.
    Refused,
}

impl Prompt {
    /// Reads lines until the user leaves. Dropping `commands` then ends the program.
    pub fn run(mut self) {
        let mut interrupted = false;
        loop {
            match self.source.read("> ", false) {
                Ok(line) => match self.on_line(&line) {
                    Some(again) => interrupted = again,
                    None => return,
                },
                Err(Ended::Interrupted) if !interrupted => {
                    interrupted = true;
                    self.say(AGAIN);
                }
                Err(_) => return,
            }
        }
    }

    fn say(&mut self, text: &str) {
        // A terminal that can't be written to can't be told so.
        let _ = self.screen.say(&Said::done(text));
    }

    /// Whether Ctrl-C ended it; `None`: it was the last.
    fn on_line(&mut self, line: &str) -> Option<bool> {
        if !line.trim().is_empty() && !command::is_secret(line) {
            self.source.remember(line);
        }
        let command = match command::parse(line) {
            Ok(Some(Command::Quit)) => return None,
            Ok(Some(Command::Help(about))) => {
                let _ = self.screen.say(&Said::lines(command::help_lines(about)));
                return Some(false);
            }
            Ok(Some(command)) => self.complete(command),
            Ok(None) => return Some(false),
            Err(wrong) => {
                self.say(&wrong);
                return Some(false);
            }
        };
        let command = match command {
            Ok(command) => command,
            Err(Dropped::Interrupted) => {
                self.say(&format!("Cancelled. {AGAIN}"));
                return Some(true);
            }
            Err(Dropped::Refused) => return Some(false),
        };
        while self.answers.try_recv().is_ok() {}
        if command.changes_login() {
            self.unanswered.fetch_add(1, Ordering::SeqCst);
        }
        self.commands.blocking_send(command).ok()?;
        // A slow answer comes above the prompt.
        let _ = self.answers.recv_timeout(ANSWER);
        Some(false)
    }

    /// Asks for what was left out.
    fn complete(&mut self, command: Command) -> Result<Command, Dropped> {
        if self.unanswered.load(Ordering::SeqCst) == 0 {
            // What is known already is said before anything is asked for.
            let logged_in = self.logged_in.load(Ordering::SeqCst);
            match command {
                Command::Create { .. } | Command::Login { .. } if logged_in => {
                    return Err(self.refuse("You are logged in already: `logout` first."));
                }
                Command::Delete | Command::Password(_) if !logged_in => {
                    return Err(self.refuse(&wording::not_logged_in(true)));
                }
                _ => {}
            }
        }
        Ok(match command {
            Command::Create { name, password: None } => {
                Command::Create { name, password: Some(self.ask_new("Password: ")?) }
            }
            Command::Login { name, password: None } => {
                Command::Login { name, password: Some(self.ask_secret("Password: ")?) }
            }
            Command::Password(None) => {
                let old = self.ask_secret("Old password: ")?;
                Command::Password(Some(Change { old, new: self.ask_new("New password: ")? }))
            }
            Command::Delete => {
                let sure = self.ask("Delete your account for good? Type `yes`: ", false)?;
                if sure.trim() != "yes" {
                    return Err(self.refuse("Nothing was deleted."));
                }
                Command::Delete
            }
            complete => complete,
        })
    }

    /// Asks twice: nobody sees what is typed.
    fn ask_new(&mut self, prompt: &str) -> Result<String, Dropped> {
        let password = self.ask_secret(prompt)?;
        if self.ask_secret("Repeat password: ")? == password {
            return Ok(password);
        }
        Err(self.refuse("The passwords don't match; nothing was changed."))
    }

    fn ask_secret(&mut self, prompt: &str) -> Result<String, Dropped> {
        let password = self.ask(prompt, true)?;
        if password.is_empty() {
            return Err(self.refuse("The password is empty; nothing was changed."));
        }
        Ok(password)
    }

    fn ask(&mut self, prompt: &str, secret: bool) -> Result<String, Dropped> {
        self.source.read(prompt, secret).map_err(|ended| match ended {
            Ended::Interrupted => Dropped::Interrupted,
            Ended::Over => self.refuse("Cancelled."),
        })
    }

    fn refuse(&mut self, why: &str) -> Dropped {
        self.say(why);
        Dropped::Refused
    }
}
