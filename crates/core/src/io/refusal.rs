//! What a client is told where a request is not carried out.

use crate::pattern::BadPattern;

/// Why a request was not carried out. The text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It makes no sense.
    #[error("{0}")]
    BadRequest(&'static str),
    /// A `list` can't be matched.
    #[error("The pattern is not a regular expression that can be used here: {0}.")]
    BadPattern(BadPattern),
    /// Something is longer than its limit.
    #[error("{0}")]
    TooLong(&'static str),
    /// It needs a login.
    #[error("User not logged in")]
    NotLoggedIn,
    /// This connection is logged in to another account.
    #[error("This connection is logged in to another account: log out first.")]
    AlreadyLoggedIn,
    /// Somebody else has the name.
    #[error("Username is not unique, please try again.")]
    NameTaken,
    /// The name breaks the rules.
    #[error(transparent)]
    BadName(#[from] lastword_facts::name::BadName),
    /// The password is not good, or not the right one.
    #[error("{0}")]
    BadPassword(&'static str),
    /// A new password is too short.
    #[error("This password is too short: it needs at least {min} characters.")]
    ShortPassword {
        /// The least, in bytes.
        min: usize,
    },
    /// Name and password, or the token, open nothing.
    #[error("Failed to login, please check username and/or password and try again.")]
    WrongLogin,
    /// Name and password, or the token, open nothing here. But this replica may lack what others have.
    #[error(
        "Wrong name, password or session, or this server has not heard of it yet: it may lack what the other servers have. Try again in a moment, or try another server."
    )]
    NotKnownHere,
    /// There is no such account.
    #[error("{0}")]
    NoSuchUser(&'static str),
    /// Slow down.
    #[error("This replica has too much to do; try again in {retry_ms} ms.")]
    TooMany {
        /// Milliseconds after which another try makes sense.
        retry_ms: u64,
    },
    /// Too many messages wait for the one who is written to.
    #[error("Too many messages wait for this user already, or too many of yours: they have to be read first.")]
    MailboxFull {
        /// Milliseconds after which another try makes sense.
        retry_ms: u64,
    },
    /// An account has written enough for now.
    #[error("You have written as much as one account may write in a day; there is room for this message in {} s.", retry_ms.div_ceil(1000))]
    QuotaUsed {
        /// Milliseconds after which there is room for it.
        retry_ms: u64,
    },
    /// As many connections of the account listen here as may.
    #[error(
        "{most} connections of this account listen to this replica already: end one of them, or listen to another replica."
    )]
    TooManyListeners {
        /// So many may.
        most: usize,
        /// Milliseconds after which another try makes sense.
        retry_ms: u64,
    },
    /// The disk is full.
    #[error("The disk of this replica is full: it can read, deliver and delete, but not take in anything new.")]
    StorageFull,
    /// No more accounts are made.
    #[error("This replica has as many accounts as it may have: its operator can raise the limit (--accounts).")]
    Closed,
    /// Not here, not now.
    #[error("{0}")]
    Unavailable(&'static str),
}

impl Refusal {
    /// Whether it says something of accounts, names or sessions, and not only of the request itself.
    pub(crate) fn rests_on_state(&self) -> bool {
        use Refusal::{AlreadyLoggedIn, BadPassword, NameTaken, NoSuchUser, NotKnownHere, NotLoggedIn, WrongLogin};
        matches!(
            self,
            AlreadyLoggedIn | BadPassword(_) | NameTaken | NoSuchUser(_) | NotKnownHere | NotLoggedIn | WrongLogin
        )
    }
}
