//! What is kept in reach for reading, and what can be asked of it.
//!
//! The log is the only truth; the *views* are made from it and can be made again. The core decides
//! what a fact changes and says so as [`Applied`]; the store only writes that down, in log order, and
//! answers a [`Query`]. Neither knows the other: these types are all they share.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::fact::Fact;
use crate::ids::{AccountId, Key, LogIndex, Order, Position, Seq, Stamp};
use crate::token::TokenHash;
use crate::vector::VersionVector;

/// An account, with all that facts have said about it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AccountRecord {
    /// Which account.
    #[n(0)]
    pub id: AccountId,
    /// The name that it claimed. What it is *called* follows from all claims on that name.
    #[n(1)]
    pub name: String,
    /// Its claims on that name, in the order of display. Mostly one; a retried create makes another.
    #[n(2)]
    pub claims: Vec<ClaimRecord>,
    /// The password that it was created with: of the first of its claims, in the order of display.
    #[n(3)]
    pub first_password: String,
    /// The password in force, if it is another one.
    #[n(4)]
    pub password: Option<PasswordRecord>,
    /// Its sessions that were not ended, newest first in the order of display.
    #[n(5)]
    pub sessions: Vec<SessionRecord>,
    /// Deleted: a tombstone, which wins over everything, for ever.
    #[n(6)]
    pub deleted: bool,
    /// Its passwords that were hashed again, by the order of the fact that set them: one for each, also of those that are
    /// not in force.
    #[n(7)]
    pub rehashes: Vec<RehashRecord>,
    /// All changes of its password, in the order of display, also those that lost against another one.
    #[n(8)]
    pub changes: Vec<ChangeRecord>,
    /// The sessions that were ended last, the last one first: at most [`crate::limits::SESSIONS_ENDED`].
    #[n(9)]
    pub ended: Vec<EndedRecord>,
}

/// A claim of an account on its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ClaimRecord {
    /// Where it was written.
    #[n(0)]
    pub position: Position,
    /// Its place in the order of display: the earliest claim of those that hold keeps the name.
    #[n(1)]
    pub order: Order,
    /// It was confirmed.
    #[n(2)]
    pub confirmed: bool,
    /// It was withdrawn.
    #[n(3)]
    pub withdrawn: bool,
}

/// A change of a password: kept for ever, whether it is in force or not.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ChangeRecord {
    /// The password that it sets.
    #[n(0)]
    pub set: PasswordRecord,
    /// The order of the fact that set the password that it replaces, if it says so.
    #[n(1)]
    pub replaces: Option<Order>,
}

/// A session that was ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct EndedRecord {
    /// The order of the fact that ended it; of several, the largest.
    #[n(0)]
    pub order: Order,
    /// The hash of its token.
    #[n(1)]
    pub token: TokenHash,
}

/// A password that took the place of the first one.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PasswordRecord {
    /// The order of the fact that set it.
    #[n(0)]
    pub order: Order,
    /// The key of the fact that set it: a retry of the same change is known by it.
    #[n(1)]
    pub key: Key,
    /// Its hash, in the PHC string format.
    #[n(2)]
    pub hash: String,
    /// The session that went on.
    #[n(3)]
    pub keep: Option<TokenHash>,
    /// Where the fact was written.
    #[n(4)]
    pub position: Position,
    /// How many other changes were known where it was made, if it says so.
    #[n(5)]
    pub known: Option<u64>,
}

/// A password hashed anew.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct RehashRecord {
    /// The order of the fact that set the password.
    #[n(0)]
    pub of: Order,
    /// Of several for one password, the one with the largest order counts.
    #[n(1)]
    pub order: Order,
    /// Its hash, in the PHC string format.
    #[n(2)]
    pub hash: String,
}

/// A session of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SessionRecord {
    /// Its place in the order of display.
    #[n(0)]
    pub order: Order,
    /// The hash of its token.
    #[n(1)]
    pub token: TokenHash,
    /// Which password opened it.
    #[n(2)]
    pub password: Option<Order>,
    /// When it was last used, as far as is known: milliseconds since 1970.
    #[n(4)]
    pub last_used_ms: Option<u64>,
    /// The largest order of the facts that say that it was opened or used.
    #[n(5)]
    pub used: Order,
}

/// Whether an account blocks another one, as far as is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct BlockRecord {
    /// Whose block it is.
    #[n(0)]
    pub account: AccountId,
    /// Whom.
    #[n(1)]
    pub whom: AccountId,
    /// Blocked, or not any more.
    #[n(2)]
    pub on: bool,
    /// Of several, the one with the largest order counts.
    #[n(3)]
    pub order: Order,
    /// The key of the fact that says so: a retry is known by it.
    #[n(4)]
    pub key: Key,
    /// Where that fact was written.
    #[n(5)]
    pub position: Position,
}

/// What a fact changes in the views.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing.
    None,
    /// The record of this position could not be read: whatever it says is missing in the views.
    Unreadable(Position),
    /// This account's record is now so.
    Account(Box<AccountRecord>),
    /// The fact is a message: to be shown in both histories, and pending unless it was delivered
    /// already, or one of the two accounts is deleted. One that is unwanted is shown to its author alone, who sees it
    /// pending for as long as both live. The same identity may have been taken in before at another
    /// position: then the smallest order counts, and it is delivered when either is.
    Message(Arc<Fact>),
    /// Whom an account blocks is now so.
    Block(BlockRecord),
    /// Messages to this account are delivered: merged by maximum, for each incarnation.
    Delivered {
        /// Whose.
        account: AccountId,
        /// Of each incarnation, up to where.
        upto: Vec<Position>,
    },
    /// The account is gone: its record is now so, and what is pending from and to it is dropped (it
    /// stays in the histories).
    Deleted(Box<AccountRecord>),
}

/// One fact of the log, as the core has applied it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// Its place in the log.
    pub index: LogIndex,
    /// Where it was written.
    pub position: Position,
    /// Its stamp; [`Stamp::default`] if it is impossible and does not count.
    pub stamp: Stamp,
    /// What it changes.
    pub change: Change,
}

/// A message, as the views keep it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageRecord {
    /// Where the replica's log has it first.
    pub index: LogIndex,
    /// Where it was written, where the replica's log has it first.
    pub position: Position,
    /// Its place in the history.
    pub order: Order,
    /// Who wrote it.
    pub author: AccountId,
    /// How its author's client named it.
    pub key: Key,
    /// To whom.
    pub to: AccountId,
    /// What.
    pub text: String,
    /// Milliseconds since 1970, by the clock of the replica that took it.
    pub at_ms: u64,
    /// Its receiver blocks its author: only the author sees it.
    pub unwanted: bool,
}

/// What a message takes in an answer besides its text, in bytes, roughly.
pub const MESSAGE_BYTES: usize = 300;

/// A question to the views, or to the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query {
    /// How many messages wait for this account.
    PendingCount(AccountId),
    /// How many messages wait for this account, and whose most of them are.
    Mailbox {
        /// Whose mailbox.
        account: AccountId,
        /// The senders of the most messages: this many at most.
        senders: u32,
    },
    /// The pending messages to this account after this place, in the order of the log.
    Inbox {
        /// Whose.
        account: AccountId,
        /// After which place.
        after: LogIndex,
        /// At most so many.
        limit: u32,
        /// No more of them once their texts have this many bytes, with [`MESSAGE_BYTES`] for each. At least one.
        bytes: u32,
    },
    /// The pending messages from this account, in the order of display.
    Outbox {
        /// Whose.
        account: AccountId,
        /// After the message with this key.
        after: Option<Key>,
        /// At most so many.
        limit: u32,
        /// No more of them once their texts have this many bytes, with [`MESSAGE_BYTES`] for each. At least one.
        bytes: u32,
    },
    /// What two accounts wrote to each other, newest first, as the one sees it: without what the other wrote that is
    /// unwanted.
    History {
        /// The one, who asks.
        one: AccountId,
        /// The other.
        other: AccountId,
        /// Before this one.
        before: Option<Order>,
        /// At most so many.
        limit: u32,
        /// No more of them once their texts have this many bytes, with [`MESSAGE_BYTES`] for each. At least one.
        bytes: u32,
    },
    /// The last message of each conversation of an account with somebody who is not deleted, newest first.
    Conversations {
        /// Whose.
        account: AccountId,
        /// Those whose last message stands before this one.
        before: Option<Order>,
        /// At most so many.
        limit: u32,
        /// No more of them once their texts have this many bytes, with [`MESSAGE_BYTES`] for each. At least one.
        bytes: u32,
    },
    /// The message of this identity.
    Known {
        /// Its author.
        author: AccountId,
        /// Its key.
        key: Key,
    },
    /// Facts of the log, for a peer: of one incarnation, from this position on, as many as are there
    /// without a gap, at most so many and (but for the first) so many bytes.
    Facts {
        /// Whose, and from where.
        from: Position,
        /// Up to which seq.
        upto: Seq,
        /// At most so many bytes.
        limit_bytes: u32,
    },
}

/// What a [`Query`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// To [`Query::PendingCount`].
    Count(u64),
    /// To [`Query::Mailbox`].
    Mailbox {
        /// How many messages wait.
        waiting: u64,
        /// Who wrote most of them, and how many each, most first.
        by: Vec<(AccountId, u64)>,
    },
    /// To [`Query::Inbox`], [`Query::Outbox`], [`Query::History`] and [`Query::Conversations`].
    Messages {
        /// In the order asked for.
        messages: Vec<MessageRecord>,
        /// There are more after these.
        more: bool,
    },
    /// To [`Query::Known`].
    Known(Option<MessageRecord>),
    /// To [`Query::Facts`].
    Facts {
        /// In order, without a gap.
        facts: Vec<Arc<Fact>>,
        /// The record after these is damaged: its checksum does not fit.
        damaged: Option<Position>,
    },
}

/// What the views hold in memory of the core when it starts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    /// The place in the log that the views stand for: what comes after must be applied again.
    pub index: LogIndex,
    /// What the log holds up to that place.
    pub vector: VersionVector,
    /// The largest stamp up to that place.
    pub stamp: Stamp,
    /// What could not be read, and so is missing in the views.
    pub unreadable: Vec<Position>,
    /// All accounts.
    pub accounts: Vec<AccountRecord>,
    /// Whom accounts block, or have blocked.
    pub blocks: Vec<BlockRecord>,
    /// The messages with the latest version 7 keys, by key: every one from [`Snapshot::keys_from`] on, but for those
    /// that [ran ahead](Key::runs_ahead).
    pub recent: Vec<MessageRecord>,
    /// From which key on `recent` is complete.
    pub keys_from: Option<Key>,
    /// Whose keys ran ahead, and the latest time that any of those has, in milliseconds since 1970.
    pub ahead: Vec<(AccountId, u64)>,
    /// This replica was the last one up when it stopped: nobody else can know more.
    pub alone: bool,
}
