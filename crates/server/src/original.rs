//! The two files of the original program: `userinfo.json` and `pending.json`. Everything in them is checked here,
//! before anything of it is used.

use std::collections::{BTreeMap, BTreeSet};

use lastword_facts::{Name, limits};
use serde::{Deserialize, Serialize};

use crate::{is_usable_hash, offline, wire};

/// `{"user1": {"password": "pwd1"}}`
pub type UserInfo = BTreeMap<String, User>;

/// The first second that is no timestamp any more: the year 10000.
const SECONDS_END: f64 = 253_402_300_800.0;

/// What is known of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// In the original the password itself; in an export its argon2 hash.
    pub password: String,
}

impl User {
    /// The hash, if that is what stands in the place of the password.
    pub fn hash(&self) -> Option<&str> {
        self.password.starts_with("$argon2id$").then_some(&self.password)
    }
}

/// One of `[{"sender": …, "receiver": …, "timestamp": …, "message": …}]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// The name of its author.
    pub sender: String,
    /// The name of its receiver.
    pub receiver: String,
    /// Seconds since 1970, or nothing.
    pub timestamp: Option<f64>,
    /// What it says.
    pub message: String,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum WrongFile {
    /// It is not of the right form.
    #[error(transparent)]
    Form(#[from] serde_json::Error),
    /// A user can't be.
    #[error("user {name:?}{what}")]
    User {
        /// Who.
        name: String,
        /// Why not.
        what: &'static str,
    },
    /// A message can't be.
    #[error("entry {number}: {what}")]
    Entry {
        /// Which, from 1.
        number: usize,
        /// Why not.
        what: String,
    },
}

/// Reads the accounts.
///
/// # Errors
/// The file is not right, and which user is not.
pub fn read_users(text: &str) -> Result<UserInfo, WrongFile> {
    let users: UserInfo = serde_json::from_str(text)?;
    let mut folded = BTreeSet::new();
    for (name, user) in &users {
        let wrong = |what| Err(WrongFile::User { name: name.clone(), what });
        if Name::new(name).is_err() {
            return wrong(": a name has 1 to 32 characters of A-Z, a-z, 0-9, dot, underscore and hyphen");
        }
        if user.password.len() > limits::PASSWORD_BYTES {
            return wrong(": the password has more than 1,024 bytes");
        }
        if user.hash().is_some_and(|hash| !is_usable_hash(hash)) {
            return wrong(": what stands for the password begins as an argon2id hash does, and can't be used as one");
        }
        if !folded.insert(name.to_ascii_lowercase()) {
            return wrong(": another entry differs in case only");
        }
    }
    Ok(users)
}

/// Checks that nobody has one of the names already.
///
/// # Errors
/// Somebody has.
pub fn check_new<'names>(users: &UserInfo, existing: impl IntoIterator<Item = &'names str>) -> Result<(), WrongFile> {
    let existing: BTreeSet<String> = existing.into_iter().map(str::to_ascii_lowercase).collect();
    match users.keys().find(|name| existing.contains(&name.to_ascii_lowercase())) {
        Some(name) => Err(WrongFile::User { name: name.clone(), what: " exists in the data already" }),
        None => Ok(()),
    }
}

/// Reads the messages. Their people must be among the users.
///
/// # Errors
/// The file is not right, and which entry is not.
pub fn read_pending(text: &str, users: &UserInfo) -> Result<Vec<Pending>, WrongFile> {
    let pending: Vec<Pending> = serde_json::from_str(text)?;
    for (n, entry) in pending.iter().enumerate() {
        entry.check(users).map_err(|what| WrongFile::Entry { number: n + 1, what })?;
    }
    Ok(pending)
}

impl Pending {
    fn check(&self, users: &UserInfo) -> Result<(), String> {
        for (role, name) in [("sender", &self.sender), ("receiver", &self.receiver)] {
            if !users.contains_key(name) {
                return Err(format!("the {role} {name:?} is not among the users"));
            }
        }
        if self.message.is_empty() {
            return Err("the message is empty".to_owned());
        }
        if self.message.len() > limits::TEXT_BYTES {
            return Err("the message has more than 16,384 bytes".to_owned());
        }
        if !wire::fits_a_line(&self.message) {
            return Err("the message is too long when it is written as JSON".to_owned());
        }
        match self.timestamp.filter(|timestamp| !(0.0..SECONDS_END).contains(timestamp)) {
            Some(timestamp) => Err(format!("the timestamp {timestamp} is no number of seconds since 1970")),
            None => Ok(()),
        }
    }

    /// The message, as it is brought in.
    pub fn to_message(&self) -> offline::Pending {
        offline::Pending {
            sender: self.sender.clone(),
            receiver: self.receiver.clone(),
            at_ms: self.timestamp.map(|seconds| (seconds * 1000.0).round() as u64),
            text: self.message.clone(),
        }
    }
}
