//! The two files of the original program: `userinfo.json` and `pending.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `{"user1": {"password": "pwd1"}}`
pub(crate) type UserInfo = BTreeMap<String, User>;

/// What is known of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    /// In the original the password itself; in an export its argon2 hash.
    pub(crate) password: String,
}

/// One of `[{"sender": …, "receiver": …, "timestamp": …, "message": …}]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) sender: String,
    pub(crate) receiver: String,
    /// Seconds since 1970, or nothing.
    pub(crate) timestamp: Option<f64>,
    pub(crate) message: String,
}
