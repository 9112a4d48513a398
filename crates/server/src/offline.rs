//! A replica's data without its server: for bringing accounts and messages in, and out again.
//!
//! The core is driven by hand, as in a group of one. What it makes is gathered and written in one
//! transaction at the end: all of it, or nothing. From there it spreads to the group as everything
//! does that a replica brings along.

use std::path::Path;
use std::sync::Arc;

use lastword_core::io::{Answer, ConnectionId, JobId, Password, Receiver, Refusal, Request, Tag};
use lastword_core::{Input, Now, Output, Settings};
use lastword_facts::Fact;
use lastword_facts::ids::{Key, LogIndex};
use lastword_facts::token::SessionToken;
use lastword_facts::views::{Applied, Found, MessageRecord, Query};
use sha2::{Digest, Sha256};

use crate::engine::start::{self, Opened};
use crate::error::ServerError;
use crate::group::{Address, Group};
use crate::{ClusterKey, Options, passwords};

/// Messages in a page while everything pending is read.
const PAGE: u32 = 1000;

/// An open data directory, without a server.
pub struct Offline {
    opened: Opened,
    made: Vec<Arc<Fact>>,
    applied: Vec<Applied>,
    last_connection: u64,
}

/// Somebody who can be written for.
#[derive(Debug, Clone, Copy)]
pub struct Author(ConnectionId);

/// An account, as it is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name it goes by.
    pub name: String,
    /// Its password's hash, in the PHC string format.
    pub password_hash: String,
}

/// A pending message, as it is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The name of its author.
    pub sender: String,
    /// The name of its receiver.
    pub receiver: String,
    /// Milliseconds since 1970, where it is known.
    pub at_ms: Option<u64>,
    /// What it says.
    pub text: String,
}

impl Offline {
    /// Opens a data directory of which no server runs.
    ///
    /// # Errors
    /// It is in use, damaged, or of a newer version.
    pub fn open(data: &Path) -> Result<Self, ServerError> {
        let nowhere = Address { host: "127.0.0.1".to_owned(), port: 0 };
        let mut options = Options::new(nowhere, data.to_owned());
        // Nobody is met: any key will do.
        options.key = Some(ClusterKey::generate()?);
        let group = Group::new(&options)?;
        // Passwords of elsewhere may be shorter than new ones have to be.
        let settings = Settings { password_bytes_min: 0, ..Settings::default() };
        let opened = start::open(data, &group, settings, u64::MAX, start::Clock::start(), |_| {})?;
        Ok(Self { opened, made: Vec::new(), applied: Vec::new(), last_connection: 0 })
    }

    /// All accounts that live, by name.
    pub fn accounts(&self) -> Vec<Account> {
        let accounts = self.opened.core.accounts();
        let mut accounts: Vec<Account> = accounts
            .map(|(_, name, hash)| Account { name: name.to_string(), password_hash: hash.to_owned() })
            .collect();
        accounts.sort_by(|one, other| one.name.cmp(&other.name));
        accounts
    }

    /// All messages that wait for their receivers, in the order of the history.
    ///
    /// # Errors
    /// The views can't be read.
    pub fn pending(&mut self) -> Result<Vec<Pending>, ServerError> {
        let mut messages: Vec<MessageRecord> = Vec::new();
        let accounts: Vec<_> = self.opened.core.accounts().map(|(account, ..)| account).collect();
        for account in accounts {
            let mut after = LogIndex::NONE;
            loop {
                let query = Query::Inbox { account, after, limit: PAGE, bytes: u32::MAX };
                let Found::Messages { messages: page, more } = self.opened.views.query(&query)? else { break };
                after = page.last().map_or(after, |message| message.index);
                messages.extend(page);
                if !more {
                    break;
                }
            }
        }
        messages.sort_by_key(|message| message.order);
        let names: std::collections::BTreeMap<_, _> =
            self.opened.core.accounts().map(|(account, name, _)| (account, name)).collect();
        let name = |account| names.get(&account).map_or_else(String::new, ToString::to_string);
        let pending = messages.into_iter().map(|message| Pending {
            sender: name(message.author),
            receiver: name(message.to),
            at_ms: Some(message.at_ms),
            text: message.text,
        });
        Ok(pending.collect())
    }

    /// Makes an account. The same name and password make the same account on every replica.
    ///
    /// # Errors
    /// The core's refusal.
    pub fn create(&mut self, name: &str, password_hash: &str) -> Result<Author, Refusal> {
        let author = Author(self.connect());
        let key = key_of(&["account", name]);
        let now = self.opened.clock.now();
        // The hash stands where the password is asked for: it is handed back as it is.
        let password = Password(password_hash.to_owned());
        self.request(now, author.0, Request::Create { name: name.to_owned(), password, key })?;
        Ok(author)
    }

    /// Writes a message that was sent at some time, or nobody knows when: then it counts as sent now. The
    /// same message is the same on every replica that it is brought into; `again` tells apart messages that are the same in
    /// everything else.
    ///
    /// # Errors
    /// The core's refusal.
    pub fn send(&mut self, author: Author, pending: &Pending, again: u64) -> Result<(), Refusal> {
        let Pending { sender, receiver, at_ms, text } = pending;
        let given = at_ms.map_or_else(|| "unknown".to_owned(), |at_ms| at_ms.to_string());
        let key = key_of(&["message", sender, receiver, &given, text, &again.to_string()]);
        let now = self.opened.clock.now();
        let now = Now { wall_us: at_ms.map_or(now.wall_us, |at_ms| at_ms.saturating_mul(1000)), ..now };
        let to = Receiver::Name(receiver.clone());
        self.request(now, author.0, Request::Send { to, text: text.clone(), key })?;
        Ok(())
    }

    /// Writes everything that was made, in one transaction, and closes the directory.
    ///
    /// # Errors
    /// Nothing was written.
    pub fn write(mut self) -> Result<(), ServerError> {
        if !self.made.is_empty() {
            self.opened.log.append(&self.made)?;
            self.opened.views.apply(&self.applied)?;
        }
        self.opened.views.close()?;
        Ok(())
    }

    fn connect(&mut self) -> ConnectionId {
        self.last_connection += 1;
        let connection = ConnectionId(self.last_connection);
        self.opened.core.handle(self.opened.clock.now(), Input::Opened(connection));
        connection
    }

    /// Asks the core, and does for it whatever it wants to have done, until it answers.
    fn request(&mut self, now: Now, connection: ConnectionId, request: Request) -> Result<Answer, Refusal> {
        let mut inputs = vec![Input::Request(connection, Tag(0), request)];
        while let Some(input) = inputs.pop() {
            self.opened.core.handle(now, input);
            let mut answered = None;
            while let Some(output) = self.opened.core.poll_output() {
                match output {
                    Output::Store(_, facts) => {
                        // It counts as stored: nobody is told anything before it really is.
                        self.made.extend(facts);
                        let end = self.opened.log.end().0 + self.made.len() as u64;
                        inputs.push(Input::Stored(LogIndex(end)));
                    }
                    Output::Apply(applied) => self.applied.extend(applied),
                    Output::Query(job, query) => inputs.push(self.found(job, &query)),
                    Output::Hash(job, _, password) => {
                        let token = passwords::draw_token();
                        let hash = token.is_some().then_some(password.0);
                        inputs.push(Input::Hashed(job, hash, token.unwrap_or(SessionToken([0; 32]))));
                    }
                    Output::Answer(_, _, result) => answered = Some(result),
                    _ => {}
                }
            }
            if let Some(answer) = answered {
                return answer;
            }
        }
        Err(Refusal::Unavailable("The request was not answered."))
    }

    fn found(&mut self, job: JobId, query: &Query) -> Input {
        let nothing = Found::Known(None);
        Input::Found(job, self.opened.views.query(query).unwrap_or(nothing))
    }
}

/// A key that is the same wherever the same is brought in. A UUID of version 8.
fn key_of(parts: &[&str]) -> Key {
    let mut hash = Sha256::new();
    hash.update(b"lastword import\0");
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    Key(u128::from_be_bytes(half) & !(0xf << 76) | (0x8 << 76))
}
