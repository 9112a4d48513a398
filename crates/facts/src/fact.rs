//! The facts.
//!
//! # Invariants
//! 1. A fact's bytes never change: [`Fact::bytes`] is what its replica wrote, and is what is stored
//!    and passed on, also of a fact that this program does not understand.
//! 2. The envelope (position, changes, stamp, author, key) is for ever the same, for all versions.
//! 3. Nothing that came from outside makes using a fact panic: what can't be is
//!    [impossible](Fact::impossible), and is kept and ignored.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::ids::{AccountId, Key, Order, Position, Stamp};
use crate::limits;
use crate::name::Name;
use crate::token::TokenHash;

/// One fact, as written once and for ever.
#[derive(Clone, PartialEq, Eq)]
pub struct Fact {
    /// Where it was written.
    pub position: Position,
    /// What its replica had taken in since its own previous fact: the changes of its version vector.
    /// A replica takes this fact into its log only after those.
    pub changes: Vec<Position>,
    /// Its place in the order of display, together with the incarnation.
    pub stamp: Stamp,
    /// Whose deed it is.
    pub author: AccountId,
    /// How its author's client named it. Author and key are the fact's identity: the same identity at
    /// two positions is one fact.
    pub key: Key,
    /// What it says.
    pub body: Body,
    pub(crate) bytes: Arc<[u8]>,
}

/// What a fact says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// The author wants this name.
    Claim(Claim),
    /// A claim of the author holds.
    Confirm(Verdict),
    /// A claim of the author does not hold.
    Withdraw(Verdict),
    /// The author wrote to somebody.
    Message(Message),
    /// The author's client has shown what was sent to it.
    Delivered(Delivered),
    /// The author logged in.
    Session(Session),
    /// A session of the author ended.
    Logout(Logout),
    /// The author has a new password, and all other sessions end.
    Password(Password),
    /// The author's account is gone, for ever.
    Delete,
    /// The author's password is the same, and hashed anew.
    Rehash(Rehash),
    /// The author has used a session.
    Used(Used),
    /// The author blocks somebody, or does so no more.
    Block(Block),
    /// The fact of this position was damaged on every replica: this fills the gap that it left.
    Lost,
    /// A fact of a newer version, or one that can't be read: kept, passed on, and without effect.
    Unknown(Unknown),
}

/// The author wants this name.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Claim {
    /// The name, as wanted.
    #[n(0)]
    pub name: String,
    /// The password's hash, in the PHC string format.
    #[n(1)]
    pub password: String,
    /// Milliseconds since 1970, by the clock of the replica that took it.
    #[n(2)]
    pub at_ms: u64,
}

/// A claim of the author was confirmed or withdrawn.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Verdict {
    /// Which claim: an account may have made several.
    #[n(0)]
    pub claim: Position,
    /// The name claimed, for those who have not taken in the claim itself.
    #[n(1)]
    pub name: String,
}

/// The author wrote to somebody.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Message {
    /// To whom: fixed when the name was resolved.
    #[n(0)]
    pub to: AccountId,
    /// What.
    #[n(1)]
    pub text: String,
    /// Milliseconds since 1970, by the clock of the replica that took it.
    #[n(2)]
    pub at_ms: u64,
    /// True: where this was taken in, it was known that the receiver blocks the author. Then it is shown to its author
    /// alone, on every replica and for ever. None, and in facts of older versions: it is for its receiver.
    #[n(3)]
    pub unwanted: Option<bool>,
}

/// Of each incarnation named, all messages to the author up to this seq have reached the user.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Delivered {
    /// Merged with what was delivered before by maximum, for each incarnation.
    #[n(0)]
    pub upto: Vec<Position>,
}

/// The author logged in.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Session {
    /// The hash of the token that opens it.
    #[n(0)]
    pub token: TokenHash,
    /// Which password opened it: the order of the [`Password`] fact, none for the one of the claim.
    /// A session is good for as long as that is the account's password.
    #[n(1)]
    pub password: Option<Order>,
    /// When: milliseconds since 1970, by the clock of the replica that took it. None: that may have been wrong; and in
    /// facts of older versions.
    #[n(2)]
    pub at_ms: Option<u64>,
}

/// A session of the author ended.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Logout {
    /// Which.
    #[n(0)]
    pub token: TokenHash,
}

/// The author has a new password.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Password {
    /// Its hash, in the PHC string format.
    #[n(0)]
    pub password: String,
    /// The session that goes on: the one that changed it.
    #[n(1)]
    pub keep: Option<TokenHash>,
    /// Which password it replaces: the order of the fact that set it, a [`Claim`] or a [`Password`]. The password in
    /// force is found from the first one on: at each the successor with the lowest order counts. None in facts of older
    /// versions: they replace whichever comes before them in the order of display.
    #[n(2)]
    pub replaces: Option<Order>,
    /// How many other changes of this account's password its replica knew of. None in facts of older versions.
    #[n(3)]
    pub known: Option<u64>,
}

/// The author's password is the same, and hashed anew: with parameters that have changed since.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Rehash {
    /// Its hash, in the PHC string format.
    #[n(0)]
    pub password: String,
    /// Which password: the order of the fact that set it, a [`Claim`] or a [`Password`]. Of any other it says nothing.
    /// Of several for one password, the one with the largest order counts.
    #[n(1)]
    pub of: Order,
}

/// The author has used a session.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Used {
    /// Which.
    #[n(0)]
    pub token: TokenHash,
    /// Milliseconds since 1970, by the clock of the replica that took it. Of several the latest counts.
    #[n(1)]
    pub at_ms: u64,
}

/// The author blocks somebody, or does so no more. Of several for one person the one with the largest order counts.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Block {
    /// Whom.
    #[n(0)]
    pub whom: AccountId,
    /// Whether that one is blocked from now on.
    #[n(1)]
    pub on: bool,
}

/// A fact that this program does not understand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unknown {
    /// The number of its kind.
    pub kind: u32,
}

impl Fact {
    /// Writes a fact. What it is made of must be possible; [`Fact::impossible`] says what that means.
    pub fn new(
        position: Position,
        changes: Vec<Position>,
        stamp: Stamp,
        author: AccountId,
        key: Key,
        body: Body,
    ) -> Self {
        let mut fact = Self { position, changes, stamp, author, key, body, bytes: Arc::from([]) };
        fact.bytes = fact.encode().into();
        fact
    }

    /// The fact as its replica wrote it.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Its place in the order of display.
    pub fn order(&self) -> Order {
        Order { stamp: self.stamp, incarnation: self.position.incarnation }
    }

    /// The seq of the fact before it in its incarnation.
    pub fn previous(&self) -> Position {
        self.position.previous()
    }

    /// Why this fact can't be, if it can't: then it is kept, passed on and ignored.
    pub fn impossible(&self) -> Option<&'static str> {
        if self.stamp > Stamp::MAX {
            return Some("its stamp is beyond all bounds");
        }
        match &self.body {
            Body::Claim(Claim { name, .. })
            | Body::Confirm(Verdict { name, .. })
            | Body::Withdraw(Verdict { name, .. })
                if Name::new(name).is_err() =>
            {
                Some("it speaks of a name that breaks the rules")
            }
            Body::Claim(Claim { password, .. })
            | Body::Password(Password { password, .. })
            | Body::Rehash(Rehash { password, .. })
                if password.len() > limits::PASSWORD_HASH_BYTES =>
            {
                Some("its password hash is too long")
            }
            Body::Message(Message { text, .. }) if text.len() > limits::TEXT_BYTES => Some("its text is too long"),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{:?}{:?} {:?} {:?}", self.position, self.stamp, self.author, self.body)?;
        if self.changes.is_empty() { Ok(()) } else { write!(f, " after {:?}", self.changes) }
    }
}
