//! What a server answers, and the `ok` object of each operation.

use serde::{Deserialize, Serialize};

use crate::error::Refusal;

/// The id of a request, as the client drew it: a whole number, or a string of at most 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum RequestId {
    /// What nearly every client uses.
    Number(u64),
    /// For clients that would rather have names.
    Text(String),
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = RequestId;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a whole number from 0, or a string of at most 64 bytes, as `id`")
            }
            fn visit_u64<E>(self, number: u64) -> Result<RequestId, E> {
                Ok(RequestId::Number(number))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RequestId, E> {
                if text.len() > 64 {
                    return Err(E::invalid_length(text.len(), &self));
                }
                Ok(RequestId::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// One answer: the request's id, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The id of the request; `None` where the request had none that could be read.
    pub id: Option<RequestId>,
    /// What came of it.
    pub result: Result<Done, Refusal>,
}

impl Serialize for Answer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'a RequestId>,
            #[serde(skip_serializing_if = "Option::is_none")]
            ok: Option<&'a Done>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<&'a Refusal>,
        }
        let (ok, error) = match &self.result {
            Ok(done) => (Some(done), None),
            Err(refusal) => (None, Some(refusal)),
        };
        Wire { id: self.id.as_ref(), ok, error }.serialize(serializer)
    }
}

/// The `ok` object of each operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "each variant is the operation of its name")]
pub enum Done {
    Hello(Hello),
    Create(Created),
    Login(LoggedIn),
    Stored(Stored),
    Status(Status),
    List(Names),
    Send(Sent),
    Pending(PendingPage),
    Blocked(BlockedPage),
    Listen(Listening),
    History(HistoryPage),
    Conversations(ConversationsPage),
    Nothing(Nothing),
}

/// An `ok` object without fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// How this replica sees one of the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// `a`, `b`, `c`…, by its place in the group's list.
    pub name: String,
    /// `HOST:PORT`.
    pub address: String,
    /// How the answering replica sees it.
    pub state: ReplicaState,
    /// Why it can't be met although it may run, as a sentence for people: a fault of configuration, such as another
    /// cluster key. Somebody has to mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How the answering replica sees one of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaState {
    /// It is the one that answers.
    #[serde(rename = "self")]
    Own,
    /// Every answer waits for its disk.
    InSync,
    /// Connected, and taking in what it missed.
    CatchingUp,
    /// Not connected.
    Down,
    /// A state that this reader does not know.
    #[serde(other)]
    Unknown,
}

/// `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Program and version: `lastword/0.1.0`.
    pub server: String,
    /// The version of the protocol that is spoken.
    pub version: u32,
    /// The name of the replica that answers.
    pub replica: String,
    /// It started, was not the last one up, and may still lack what others have.
    pub stale: bool,
    /// Its disk has no room for new messages and accounts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disk_full: bool,
    /// The whole group.
    pub replicas: Vec<Replica>,
}

/// `create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The new account's id.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Opens the account at any replica (`resume`), until logout. A secret.
    pub token: String,
    /// On how many disks the account is.
    pub stored: u32,
    /// Of how many replicas.
    pub of: u32,
}

/// `login` and `resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedIn {
    /// The account's id.
    pub account: String,
    /// The name it goes by now.
    pub name: String,
    /// A new session's token; not after `resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// How many messages wait for it.
    pub pending: u64,
    /// A sentence to show the person, for example that the account's name has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// `delete`, `logout`, `password`, `block` and `unblock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// On how many disks it is.
    pub stored: u32,
    /// Of how many replicas.
    pub of: u32,
}

/// `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The name of the account that this connection is logged in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name of the replica that answers.
    pub replica: String,
    /// See [`Hello::stale`].
    pub stale: bool,
    /// See [`Hello::disk_full`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disk_full: bool,
    /// The whole group.
    pub replicas: Vec<Replica>,
}

/// `list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// In alphabetical order, without regard to case.
    pub names: Vec<String>,
    /// There are more after the last of these.
    pub more: bool,
}

/// `send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The message's id: the request's key.
    pub message: String,
    /// Whom it goes to.
    pub to_account: String,
    /// Milliseconds since 1970, by the clock of the replica that took it.
    pub at: u64,
    /// Hand the latest one in with `resume`.
    pub seen: String,
    /// On how many disks it is.
    pub stored: u32,
    /// Of how many replicas.
    pub of: u32,
    /// Its receiver is listening now.
    pub online: bool,
}

/// `pending`: what I sent that was not delivered yet, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingPage {
    /// A page of them.
    pub messages: Vec<PendingMessage>,
    /// There are more after the last of these.
    pub more: bool,
}

/// A message that was not delivered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingMessage {
    /// The message's id: also what to hand in as `after` for the next page.
    pub message: String,
    /// The name of whom it goes to.
    pub to: String,
    /// What it says.
    pub text: String,
    /// Milliseconds since 1970, by the clock of the replica that took it.
    pub at: u64,
}

/// `blocked`: whom this account blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedPage {
    /// A page of them, by their accounts.
    pub blocked: Vec<BlockedPerson>,
    /// There are more after the last of these.
    pub more: bool,
}

/// Somebody who is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedPerson {
    /// Whose account: also what to hand in as `after` for the next page.
    pub account: String,
    /// What they are called.
    pub name: String,
}

/// `listen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// How many messages wait, and come now.
    pub pending: u64,
}

/// `history`: a conversation, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The other one's account. (This and the next two: empty from a server that does not tell yet.)
    #[serde(default)]
    pub account: String,
    /// What the other one is called.
    #[serde(default)]
    pub name: String,
    /// The other one is listening now.
    #[serde(default)]
    pub online: bool,
    /// The other one's account is deleted: nobody can write to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// A page of it.
    pub messages: Vec<Message>,
    /// There are older ones.
    pub more: bool,
}

/// `conversations`: newest last message first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationsPage {
    /// Those with the newest messages.
    pub conversations: Vec<Conversation>,
    /// There are others: before the `pos` of the last one's message.
    pub more: bool,
}

/// A conversation, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The other one's account.
    pub account: String,
    /// What the other one is called.
    pub name: String,
    /// The other one is listening now.
    pub online: bool,
    /// The newest message.
    pub last: Message,
}

/// A message, as the event and the history show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id: the key that its author's client drew.
    pub message: String,
    /// The name of its author.
    pub from: String,
    /// The account of its author.
    pub from_account: String,
    /// The name of its receiver.
    pub to: String,
    /// The account of its receiver.
    pub to_account: String,
    /// What it says.
    pub text: String,
    /// Milliseconds since 1970, by the clock of the replica that took it.
    pub at: u64,
    /// Where it stands: for `delivered` (on the connection that it came on) and `history`. Opaque.
    pub pos: String,
    /// Hand the latest one in with `resume`. Opaque.
    pub seen: String,
}
