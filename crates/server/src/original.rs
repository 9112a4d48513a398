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
    #[error("the file is not what the original program writes: {0}")]
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

/// An account that gets another name: what it is called in the file, and what it will be called.
pub type Renamed = (String, String);

/// The name that an account of a file gets. A second owner of a name is exported as `bob~2a90`, which nobody can choose; it
/// becomes `bob-2a90`.
fn imported_name(name: &str) -> String {
    match name.split_once('~') {
        Some((base, suffix)) if Name::new(base).is_ok() && suffix.len() < limits::NAME_CHARS => {
            let room = limits::NAME_CHARS - 1 - suffix.len();
            format!("{}-{suffix}", &base[..base.len().min(room)])
        }
        _ => name.to_owned(),
    }
}

/// Reads the accounts, and says which get another name.
///
/// # Errors
/// The file is not right, and which user is not.
pub fn read_users(text: &str) -> Result<(UserInfo, Vec<Renamed>), WrongFile> {
    let exported: UserInfo = serde_json::from_str(text)?;
    let mut renamed = Vec::new();
    let mut users = UserInfo::new();
    for (name, user) in exported {
        let imported = imported_name(&name);
        if imported != name {
            renamed.push((name.clone(), imported.clone()));
        }
        if users.insert(imported, user).is_some() {
            return Err(WrongFile::User { name, what: ": another entry has the name that this one would get" });
        }
    }
    let mut folded = BTreeSet::new();
    for (name, user) in &users {
        let wrong = |what| Err(WrongFile::User { name: name.clone(), what });
        if Name::new(name).is_err() {
            return wrong(
                ": a name has 1 to 32 characters, each a letter A-Z or a-z, a digit, a dot, an underscore or a hyphen",
            );
        }
        if user.password.len() > limits::PASSWORD_BYTES {
            return wrong(": the password has more than 1,024 bytes");
        }
        if user.hash().is_some_and(|hash| !is_usable_hash(hash)) {
            return wrong(": its password begins like an argon2id hash but is not a usable one");
        }
        if !folded.insert(name.to_ascii_lowercase()) {
            return wrong(": another entry differs in case only");
        }
    }
    Ok((users, renamed))
}

/// Checks that nobody has one of the names already.
///
/// # Errors
/// Somebody has.
pub fn check_new<'names>(users: &UserInfo, existing: impl IntoIterator<Item = &'names str>) -> Result<(), WrongFile> {
    let existing: BTreeSet<String> = existing.into_iter().map(str::to_ascii_lowercase).collect();
    match users.keys().find(|name| existing.contains(&name.to_ascii_lowercase())) {
        Some(name) => Err(WrongFile::User { name: name.clone(), what: " already exists in this data directory" }),
        None => Ok(()),
    }
}

/// Reads the messages. Their people must be among the users.
///
/// # Errors
/// The file is not right, and which entry is not.
pub fn read_pending(text: &str, users: &UserInfo) -> Result<Vec<Pending>, WrongFile> {
    let mut pending: Vec<Pending> = serde_json::from_str(text)?;
    for (n, entry) in pending.iter_mut().enumerate() {
        (entry.sender, entry.receiver) = (imported_name(&entry.sender), imported_name(&entry.receiver));
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
            Some(timestamp) => Err(format!("the timestamp {timestamp} is not a number of seconds since 1970")),
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

#[cfg(test)]
mod tests {
    use super::{imported_name, read_pending, read_users};

    #[test]
    fn second_owners_of_a_name_get_one_that_is_allowed() {
        assert_eq!(imported_name("bob"), "bob");
        assert_eq!(imported_name("bob~2a90"), "bob-2a90");
        assert_eq!(imported_name(&format!("{}~2a90", "x".repeat(32))), format!("{}-2a90", "x".repeat(27)));
        for strange in ["~2a90", "b ob~1", "bob~~"] {
            assert!(read_users(&format!("{{\"{strange}\":{{\"password\":\"x\"}}}}")).is_err(), "{strange}");
        }
        let both = r#"{"bob~1":{"password":"x"},"bob-1":{"password":"y"}}"#;
        assert!(read_users(both).unwrap_err().to_string().contains("another entry has the name"));
        let (users, _) = read_users(r#"{"bob~1":{"password":"x"},"bob":{"password":"y"}}"#).unwrap();
        let pending = r#"[{"sender":"bob","receiver":"bob~1","timestamp":1,"message":"x"}]"#;
        assert_eq!(read_pending(pending, &users).unwrap()[0].receiver, "bob-1");
    }
}
