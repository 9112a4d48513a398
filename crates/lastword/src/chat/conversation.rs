//! Carries commands out through the client library, and says what happens.

use std::future::Future;

use lastword_client::protocol::Uuid;
use lastword_client::protocol::answer::{Message, Sent};
use lastword_client::{Answering, Client, Error, Event, Events};

use super::command::{Change, Command, HELP};
use super::names::Names;
use super::output::Output;
use super::wording::{self, Asked};

/// How many names `list`, and messages `list_pending`, show at most.
const SHOWN: usize = 10_000;

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
    /// How many messages that waited at the login are still to be shown.
    pub awaited: u64,
}

/// What a command has to say, and whether it was carried out.
struct Said {
    lines: Vec<String>,
    done: bool,
    /// How many messages wait, and come now.
    pending: u64,
}

impl Said {
    fn done(line: impl Into<String>) -> Self {
        Self::lines(vec![line.into()])
    }

    fn lines(lines: Vec<String>) -> Self {
        Self { lines, done: true, pending: 0 }
    }
}

/// A message that was sent and is not answered yet.
pub(super) struct OnItsWay {
    to: String,
    answer: Answering<Sent>,
}

impl Conversation {
    pub fn new(client: Client, events: Events, output: Output, names: Names) -> Self {
        Self { client, events, output, names, alone: false, unconfirmed: false, awaited: 0 }
    }

    /// Shows one thing.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn say(&mut self, text: &str) -> std::io::Result<()> {
        self.output.say(text)
    }

    /// Waits for the next event, and shows it. May be dropped without loss.
    pub async fn show_next_event(&mut self) -> std::io::Result<()> {
        match self.events.next().await {
            Some(event) => self.show(event),
            None => std::future::pending().await,
        }
    }

    fn show(&mut self, event: Event) -> std::io::Result<()> {
        match event {
            Event::Message(message) => {
                self.names.learn(&message.from);
                self.awaited = self.awaited.saturating_sub(1);
                self.unconfirmed = true;
                self.say(&wording::message(&message))?;
                self.events.confirm();
                Ok(())
            }
            Event::Moved { from, to } => {
                let line = wording::moved(from.as_deref(), &to, std::mem::take(&mut self.alone));
                line.map_or(Ok(()), |line| self.say(&line))
            }
            Event::NoReplica { tried } => {
                self.alone = true;
                self.say(&wording::no_replica(&tried))
            }
            Event::LoggedOut { reason } => self.say(wording::session_over(reason)),
            _ => Ok(()),
        }
    }

    /// What was shown so far is confirmed before this returns, if a replica answers.
    pub async fn confirm(&mut self) {
        if std::mem::take(&mut self.unconfirmed) {
            // What is asked later is answered later. Should nobody hear of it, the messages are shown
            // once more: that is all.
            let _ = self.client.ping().await;
        }
    }

    /// Carries a command out, shows its answer, and meanwhile what comes. Says whether it was done.
    pub async fn carry_out(&mut self, command: Command) -> std::io::Result<bool> {
        let (client, names) = (self.client.clone(), self.names.clone());
        let said = self.meanwhile(answer(&client, &names, command)).await?;
        for line in &said.lines {
            self.say(line)?;
        }
        self.awaited = said.pending;
        Ok(said.done)
    }

    /// Sends a message without waiting for its answer: see [`Conversation::answered`].
    pub async fn send(&mut self, to: String, text: &str) -> std::io::Result<Result<OnItsWay, Error>> {
        let client = self.client.clone();
        let answer = self.meanwhile(client.start_send(Uuid::now_v7(), &to, text)).await?;
        Ok(answer.map(|answer| OnItsWay { to, answer }))
    }

    /// Waits for the answer to a message that was sent, and shows it. Says whether it was done.
    pub async fn answered(&mut self, sent: &mut OnItsWay) -> std::io::Result<bool> {
        let answer = self.meanwhile(&mut sent.answer).await?;
        let said = said_of_send(&sent.to, answer);
        for line in &said.lines {
            self.say(line)?;
        }
        Ok(said.done)
    }

    /// Shows what comes while something is waited for.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> std::io::Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                shown = self.show_next_event() => shown?,
            }
        }
    }
}

fn said_of_send(to: &str, answer: Result<Sent, Error>) -> Said {
    match answer {
        Ok(sent) => Said::done(wording::sent(to, &sent)),
        Err(error) => refused(Asked::Send, &error),
    }
}

fn refused(asked: Asked, error: &Error) -> Said {
    Said { lines: vec![wording::refused(asked, error)], done: false, pending: 0 }
}

async fn answer(client: &Client, names: &Names, command: Command) -> Said {
    let asked = match &command {
        Command::Create { .. } => Asked::Create,
        Command::Login { .. } => Asked::Login,
        Command::Send { .. } => Asked::Send,
        _ => Asked::Other,
    };
    let said = match command {
        Command::Create { name, password } => create(client, &name, password).await,
        Command::Login { name, password } => login(client, &name, password).await,
        Command::Logout => client.logout().await.map(|_| Said::done(wording::LOGGED_OUT)),
        Command::Delete => client.delete().await.map(|_| Said::done(wording::DELETED)),
        Command::Password(None) => return needs_password("password OLD NEW"),
        Command::Password(Some(Change { old, new })) => {
            client.password(&old, &new).await.map(|_| Said::done(wording::PASSWORD_CHANGED))
        }
        Command::Status => client.status().await.map(|status| Said::lines(wording::status(&status))),
        Command::List { pattern } => list(client, names, &pattern).await,
        Command::Send { to, text } => client.send(&to, &text).await.map(|sent| Said::done(wording::sent(&to, &sent))),
        Command::ListPending => list_pending(client).await,
        Command::History { with, count } => history(client, &with, count).await,
        Command::Help => Ok(Said::lines(HELP.map(String::from).to_vec())),
        Command::Quit => Ok(Said::lines(Vec::new())),
    };
    said.unwrap_or_else(|error| refused(asked, &error))
}

/// In a pipe nobody can be asked for a password.
fn needs_password(form: &str) -> Said {
    Said { lines: vec![format!("The password is missing: {form}")], done: false, pending: 0 }
}

async fn create(client: &Client, name: &str, password: Option<String>) -> Result<Said, Error> {
    let Some(password) = password else { return Ok(needs_password("create NAME PASSWORD")) };
    client.create(name, &password).await?;
    let mut said = Said::done(wording::CREATED);
    listen(client, &mut said).await;
    Ok(said)
}

async fn login(client: &Client, name: &str, password: Option<String>) -> Result<Said, Error> {
    let Some(password) = password else { return Ok(needs_password("login NAME PASSWORD")) };
    let account = client.login(name, &password).await?;
    let mut said = Said::lines(std::iter::once(wording::LOGGED_IN.into()).chain(account.notice).collect());
    listen(client, &mut said).await;
    Ok(said)
}

/// The login has succeeded whatever becomes of this.
async fn listen(client: &Client, said: &mut Said) {
    match client.listen().await {
        Ok(listening) => {
            said.lines.extend(wording::recent(listening.pending));
            said.pending = listening.pending;
        }
        Err(error) => {
            said.lines.push(format!("Messages can't be received: {error}"));
            said.done = false;
        }
    }
}

async fn list(client: &Client, known: &Names, pattern: &str) -> Result<Said, Error> {
    let mut names: Vec<String> = Vec::new();
    let more = loop {
        let page = client.list(pattern, None, names.last().map(String::as_str)).await?;
        let more = page.more && !page.names.is_empty();
        names.extend(page.names);
        if !more || names.len() >= SHOWN {
            break more;
        }
    };
    names.iter().for_each(|name| known.learn(name));
    Ok(Said::done(wording::matches(&names, more)))
}

async fn list_pending(client: &Client) -> Result<Said, Error> {
    let mut messages = Vec::new();
    let more = loop {
        let after = messages.last().map(|last: &lastword_client::protocol::answer::PendingMessage| &last.message);
        let page = client.pending(None, after.map(String::as_str)).await?;
        let more = page.more && !page.messages.is_empty();
        messages.extend(page.messages);
        if !more || messages.len() >= SHOWN {
            break more;
        }
    };
    Ok(Said::lines(wording::pending(&messages, more)))
}

async fn history(client: &Client, with: &str, count: u32) -> Result<Said, Error> {
    let mut messages: Vec<Message> = Vec::new();
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(SHOWN);
    while messages.len() < count {
        let limit = u32::try_from(count - messages.len()).unwrap_or(u32::MAX);
        let page = client.history(with, Some(limit), messages.last().map(|last| last.pos.as_str())).await?;
        let more = page.more && !page.messages.is_empty();
        messages.extend(page.messages);
        if !more {
            break;
        }
    }
    messages.truncate(count);
    Ok(Said::lines(wording::history(with, &messages)))
}
