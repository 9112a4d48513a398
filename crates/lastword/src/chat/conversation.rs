//! One user's conversation: the client, what comes from it, and where it is shown.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lastword_client::protocol::Uuid;
use lastword_client::{Client, Error, Event, Events};
use serde_json::json;
use tokio::time::{Instant, sleep_until, timeout};

use super::answering::{self, Context};
use super::command::Command;
use super::json;
use super::names::Names;
use super::output::Output;
use super::said::Said;
use super::wording::{self, Asked};

/// How long at the end a replica may take to take note of what was shown, and then of the logout.
const NOTE: Duration = Duration::from_secs(1);

/// After how long without any replica a command is said to wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// One user's conversation.
pub(super) struct Conversation {
    client: Client,
    events: Events,
    output: Output,
    names: Names,
    /// The user was told that no replica answers.
    alone: bool,
    /// A message was shown that the server may not know to be shown.
    unconfirmed: bool,
    /// What was tried when no replica answered last.
    tried: String,
    logged_in: Arc<AtomicBool>,
    /// How many messages that waited at the login are still to be shown.
    pub awaited: u64,
}

/// A command that was begun.
pub(super) struct UnderWay {
    /// On which line of the input it stood.
    pub line: u64,
    pub command: Command,
    pub began: Instant,
    /// A replica could be reached since it began.
    reached: bool,
    /// The user was told that it waits.
    pub told: bool,
    answer: Pin<Box<dyn Future<Output = Said> + Send>>,
}

impl UnderWay {
    /// What came of it.
    pub async fn answer(&mut self) -> Said {
        (&mut self.answer).await
    }

    /// Whether others may be begun before it is answered: messages follow each other closely.
    pub fn is_message(&self) -> bool {
        matches!(self.command, Command::Send { .. })
    }

    /// Whether it may open a session.
    fn opens(&self) -> bool {
        matches!(self.command, Command::Create { .. } | Command::Login { .. })
    }

    /// At the end: it was not answered.
    fn left(&self) -> Said {
        wording::left_undone(self.line, &self.command, self.reached)
    }
}

impl Conversation {
    pub fn new(client: Client, events: Events, output: Output, names: Names) -> Self {
        Self {
            client,
            events,
            output,
            names,
            alone: false,
            unconfirmed: false,
            tried: String::new(),
            logged_in: Arc::default(),
            awaited: 0,
        }
    }

    /// Shows one thing.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn say(&mut self, said: &Said) -> io::Result<()> {
        self.output.say(said)
    }

    /// From now on things are shown here.
    pub fn show_at(&mut self, output: Output) {
        self.output = output;
    }

    /// Waits for the next event, and shows it. May be dropped without loss.
    pub async fn show_next_event(&mut self) -> io::Result<()> {
        match self.events.next().await {
            Some(event) => self.show(event),
            None => std::future::pending().await,
        }
    }

    fn show(&mut self, event: Event) -> io::Result<()> {
        let said = match &event {
            Event::Message(message) => {
                self.names.learn(&message.from);
                self.awaited = self.awaited.saturating_sub(1);
                self.unconfirmed = true;
                Said::event(wording::message(message), "message", json::message(message))
            }
            Event::Moved { from, to } => {
                let line = wording::moved(from.as_deref(), to, std::mem::take(&mut self.alone));
                let json = json!({ "event": "moved", "from": from, "to": to });
                Said { lines: line.into_iter().collect(), ..Said::only_json(json) }
            }
            Event::NoReplica { tried } => {
                self.alone = true;
                self.tried.clone_from(tried);
                Said::event(wording::no_replica(tried), "no_server", json!({ "tried": tried }))
            }
            Event::NotListening { refusal } => {
                let error = Error::from(refusal.clone());
                let json = json!({ "error": { "code": json::code(&error), "text": refusal.text } });
                Said::event(wording::not_listening(&error), "not_listening", json)
            }
            Event::Listening { pending } => {
                Said::event(wording::listening(*pending), "listening", json!({ "pending": pending }))
            }
            Event::LoggedOut { reason } => {
                self.logged_in.store(false, Ordering::SeqCst);
                Said::event(wording::session_over(*reason), "logged_out", json!({ "reason": json::reason(*reason) }))
            }
            other => match json::other(other) {
                Some(json) => Said::only_json(json),
                None => return Ok(()),
            },
        };
        self.say(&said)?;
        if matches!(event, Event::Message(_)) {
            self.events.confirm();
        }
        Ok(())
    }

    /// Begins a command. Messages go out in the order of these calls.
    pub async fn begin(&mut self, line: u64, command: Command) -> io::Result<UnderWay> {
        let client = self.client.clone();
        let context = Context { client, names: self.names.clone(), at_terminal: self.output.is_terminal() };
        let reached = self.client.leader().is_some();
        let answer: Pin<Box<dyn Future<Output = Said> + Send>> = match &command {
            Command::Send { to, text } => {
                let client = self.client.clone();
                let sent = self.meanwhile(client.start_send(Uuid::now_v7(), to, text)).await?;
                Box::pin(answering::sent(to.clone(), text.clone(), sent, self.output.is_terminal()))
            }
            command => Box::pin(answering::answer(context, command.clone())),
        };
        Ok(UnderWay { line, command, began: Instant::now(), reached, told: false, answer })
    }

    /// Shows what came of a command. Says whether it was carried out.
    pub fn ended(&mut self, command: &UnderWay, said: Said) -> io::Result<bool> {
        let said = said.answering(command.line, Some(command.command.name()));
        if let Some(logged_in) = said.login {
            self.logged_in.store(logged_in, Ordering::SeqCst);
        }
        if !command.is_message() {
            self.awaited = said.pending;
        }
        self.say(&said)?;
        Ok(said.done)
    }

    /// Says of those that wait for a replica that they do, once each. With `patient`, only after the user was told that
    /// none answers.
    pub fn tell_waiting<'all>(
        &mut self,
        all: impl IntoIterator<Item = &'all mut UnderWay>,
        patient: bool,
    ) -> io::Result<()> {
        let reached = self.client.leader().is_some();
        for command in all {
            command.reached |= reached;
            if !reached && !command.told && (self.alone || !patient) && answering::needs_server(&command.command) {
                command.told = true;
                self.say(&wording::waits(command.line, &command.command))?;
            }
        }
        Ok(())
    }

    /// Takes what comes next: the answer to the first command under way, which is for the caller; or an event, or the
    /// moment to say that they wait, which are shown here. May be dropped without loss.
    pub async fn next_answer(&mut self, under_way: &mut VecDeque<UnderWay>) -> io::Result<Option<(UnderWay, Said)>> {
        let Some(first) = under_way.front_mut() else {
            self.show_next_event().await?;
            return Ok(None);
        };
        let (patience, told) = (first.began + PATIENCE, first.told);
        tokio::select! {
            biased;
            said = first.answer() => return Ok(under_way.pop_front().map(|first| (first, said))),
            shown = self.show_next_event() => {
                shown?;
                self.tell_waiting(under_way, true)?;
            }
            () = sleep_until(patience), if !told && !self.is_connected() => self.tell_waiting(under_way, false)?,
        }
        Ok(None)
    }

    /// Shows what comes while something is waited for.
    pub async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> io::Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                shown = self.show_next_event() => shown?,
            }
        }
    }

    /// Says which commands were left undone.
    pub fn say_left<'all>(&mut self, all: impl IntoIterator<Item = &'all UnderWay>) -> io::Result<()> {
        for command in all.into_iter().filter(|command| answering::needs_server(&command.command)) {
            self.say(&command.left())?;
        }
        Ok(())
    }

    /// Whether there is a login, kept up to date.
    pub fn logged_in(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.logged_in)
    }

    /// Answers a command while no replica answers: `status` with what is known here, others with a refusal after `waited`.
    pub fn answer_alone(&mut self, line: u64, command: &Command, waited: Duration) -> io::Result<()> {
        let at_terminal = self.output.is_terminal();
        let error = Error::NoReplica { waited, tried: self.tried.clone() };
        let said = match command {
            Command::Status => {
                let logged_in = self.logged_in.load(Ordering::SeqCst);
                let lines = wording::status_alone(&self.tried, logged_in, at_terminal);
                Said { lines, ..answering::refused(Asked::Other, &error, at_terminal) }
            }
            Command::Send { to, text } => answering::refused(Asked::Send { to, text }, &error, at_terminal),
            _ => answering::refused(Asked::Other, &error, at_terminal),
        };
        self.say(&said.answering(line, Some(command.name())))
    }

    /// Whether a replica can be reached.
    pub fn is_connected(&self) -> bool {
        self.client.leader().is_some()
    }

    /// Whether the user was told that no replica answers, and none does.
    pub fn is_alone(&self) -> bool {
        self.alone && !self.is_connected()
    }

    /// Ends it: a replica takes note of what was shown, and the session is ended, since nobody has its token. Takes
    /// 2 s at most, and no time where no replica can be reached.
    pub async fn leave(&mut self, left: &[UnderWay]) {
        if self.is_connected() && std::mem::take(&mut self.unconfirmed) {
            // What is asked later is answered later. If no replica hears of it, the messages are shown again at the
            // next login.
            let _ = timeout(NOTE, self.client.ping()).await;
        }
        let logged_in = self.logged_in.load(Ordering::SeqCst) || left.iter().any(UnderWay::opens);
        if self.is_connected() && logged_in {
            // If no replica hears of it, the session ends by itself when it was not used for long.
            let _ = timeout(NOTE, self.client.logout()).await;
        }
    }
}
