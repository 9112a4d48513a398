//! What each command asks the client library, and what it has to say about the answer.

use lastword_client::protocol::answer::{BlockedPerson, Message, Sent};
use lastword_client::{Answering, Client, Error};
use serde_json::{Value, json};

use super::command::{Change, Command, help_lines};
use super::json;
use super::names::Names;
use super::said::Said;
use super::wording::{self, Asked};

/// How many names `list`, and messages `list_pending`, show at most.
const SHOWN: usize = 10_000;

/// What a command is carried out with.
pub(super) struct Context {
    pub client: Client,
    pub names: Names,
    /// A person reads it. In a pipe the wording is the original's: scripts read it.
    pub at_terminal: bool,
}

/// Whether a command can't be carried out without a replica.
pub(super) fn needs_server(command: &Command) -> bool {
    !matches!(command, Command::Help(_) | Command::Quit)
}

/// Waits for the answer to a message.
pub(super) async fn sent(to: String, text: String, sent: Result<Answering<Sent>, Error>, at_terminal: bool) -> Said {
    let answer = match sent {
        Ok(answering) => answering.await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(sent) => Said::done(wording::sent(&to, &sent)).with(json::sent(&sent)),
        Err(error) => refused(Asked::Send { to: &to, text: &text }, &error, at_terminal),
    }
}

/// Carries a command out.
pub(super) async fn answer(context: Context, command: Command) -> Said {
    let asked = match &command {
        Command::Create { .. } => Asked::Create,
        Command::Login { .. } => Asked::Login,
        _ => Asked::Other,
    };
    let client = &context.client;
    let said = match command {
        Command::Create { name, password } => create(&context, &name, password).await,
        Command::Login { name, password } => login(&context, &name, password).await,
        Command::Logout => client.logout().await.map(|_| Said::done(wording::LOGGED_OUT).login(false)),
        Command::Delete => client.delete().await.map(|_| Said::done(wording::DELETED).login(false)),
        Command::Password(None) => return needs_password("password OLD NEW"),
        Command::Password(Some(Change { old, new })) => {
            client.password(&old, &new).await.map(|_| Said::done(wording::PASSWORD_CHANGED))
        }
        Command::Status => {
            let status = client.status().await;
            status.map(|status| Said::lines(wording::status(&status, context.at_terminal)).with(json::status(&status)))
        }
        Command::List { pattern } => list(&context, &pattern).await,
        Command::Send { to, text } => {
            let begun = start_send(client, &to, &text).await;
            return sent(to, text, begun, context.at_terminal).await;
        }
        Command::ListPending => list_pending(client).await,
        Command::History { with, count } => history(&context, &with, count).await,
        Command::Block { name } => client.block(&name).await.map(|_| Said::done(wording::blocked_now(&name))),
        Command::Unblock { name } => client.unblock(&name).await.map(|_| Said::done(wording::unblocked(&name))),
        Command::Blocked => list_blocked(&context).await,
        Command::Help(about) => {
            let lines = help_lines(about);
            let answer = json!({ "help": lines });
            Ok(Said::lines(lines).with(answer))
        }
        Command::Quit => Ok(Said::lines(Vec::new())),
    };
    said.unwrap_or_else(|error| refused(asked, &error, context.at_terminal))
}

async fn start_send(client: &Client, to: &str, text: &str) -> Result<Answering<Sent>, Error> {
    client.start_send(lastword_client::protocol::Uuid::now_v7(), to, text).await
}

pub(super) fn refused(asked: Asked, error: &Error, at_terminal: bool) -> Said {
    let given_up = matches!(error, Error::NoReplica { .. } | Error::NoAnswer { .. });
    Said { given_up, ..Said::refused(wording::refused(asked, error, at_terminal), &json::code(error)) }
}

/// In a pipe nobody can be asked for a password.
fn needs_password(form: &str) -> Said {
    Said::refused(format!("The password is missing: {form}"), "bad_command")
}

async fn create(context: &Context, name: &str, password: Option<String>) -> Result<Said, Error> {
    let Some(password) = password else { return Ok(needs_password("create NAME PASSWORD")) };
    let created = context.client.create(name, &password).await?;
    let answer = json!({
        "account": created.account, "name": created.name, "stored": created.stored, "of": created.of,
    });
    Ok(listen(context, Said::done(wording::CREATED), answer).await)
}

async fn login(context: &Context, name: &str, password: Option<String>) -> Result<Said, Error> {
    let Some(password) = password else { return Ok(needs_password("login NAME PASSWORD")) };
    let account = context.client.login(name, &password).await?;
    let answer = json!({ "account": account.account, "name": account.name, "notice": account.notice });
    let lines = std::iter::once(wording::LOGGED_IN.into()).chain(account.notice).collect();
    Ok(listen(context, Said::lines(lines), answer).await)
}

/// The login has succeeded whatever becomes of this.
async fn listen(context: &Context, mut said: Said, mut answer: Value) -> Said {
    match context.client.listen().await {
        Ok(listening) => {
            said.lines.extend(wording::recent(listening.pending, context.at_terminal));
            said.pending = listening.pending;
            answer["pending"] = listening.pending.into();
        }
        Err(error) => {
            said.lines.push(wording::not_listening(&error));
            answer["not_listening"] = json!({ "code": json::code(&error), "text": error.to_string() });
            said.done = false;
        }
    }
    said.with(answer).login(true)
}

async fn list(context: &Context, pattern: &str) -> Result<Said, Error> {
    let mut names: Vec<String> = Vec::new();
    let more = loop {
        let page = context.client.list(pattern, None, names.last().map(String::as_str)).await?;
        let more = page.more && !page.names.is_empty();
        names.extend(page.names);
        if !more || names.len() >= SHOWN {
            break more;
        }
    };
    names.iter().for_each(|name| context.names.learn(name));
    let line = wording::matches(&names, more, context.at_terminal);
    Ok(Said::done(line).with(json!({ "names": names, "more": more })))
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
    let answer = json!({ "messages": messages.iter().map(json::pending).collect::<Value>(), "more": more });
    Ok(Said::lines(wording::pending(&messages, more)).with(answer))
}

async fn list_blocked(context: &Context) -> Result<Said, Error> {
    let mut people: Vec<BlockedPerson> = Vec::new();
    loop {
        let page = context.client.blocked(Some(500), people.last().map(|last| last.account.as_str())).await?;
        let more = page.more && !page.blocked.is_empty();
        people.extend(page.blocked);
        if !more {
            break;
        }
    }
    let mut names: Vec<String> = people.into_iter().map(|person| person.name).collect();
    names.sort();
    names.iter().for_each(|name| context.names.learn(name));
    let answer = json!({ "names": names });
    Ok(Said::lines(wording::blocked(&names)).with(answer))
}

async fn history(context: &Context, with: &str, count: u32) -> Result<Said, Error> {
    let mut messages: Vec<Message> = Vec::new();
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(SHOWN);
    while messages.len() < count {
        let limit = u32::try_from(count - messages.len()).unwrap_or(u32::MAX);
        let page = context.client.history(with, Some(limit), messages.last().map(|last| last.pos.as_str())).await?;
        let more = page.more && !page.messages.is_empty();
        messages.extend(page.messages);
        if !more {
            break;
        }
    }
    messages.truncate(count);
    let answer = json!({ "messages": messages.iter().rev().map(json::message).collect::<Value>() });
    Ok(Said::lines(wording::history(with, &messages, context.at_terminal)).with(answer))
}
