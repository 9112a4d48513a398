//! What the driver does for the core, and what is to be done when it is done.

use std::collections::BTreeMap;

use lastword_facts::ids::{AccountId, Key, Order};
use lastword_facts::token::SessionToken;

use crate::io::{ConnectionId, JobId, LinkId, Notice, Receiver, ReplicaId, Tag};
use crate::peer_message::Pull;

/// What is to be done when a job is done.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// A create's password is hashed.
    Create { connection: ConnectionId, tag: Tag, name: String, key: Key },
    /// A create of an account that exists: its password is checked.
    CreateAgain { connection: ConnectionId, tag: Tag, name: String, key: Key, hash: String },
    /// A login's password is checked against those of these accounts.
    Login { connection: ConnectionId, tag: Tag, asked: String, candidates: Vec<Candidate> },
    /// The old password is checked, the one that this fact has set.
    OldPassword { connection: ConnectionId, tag: Tag, new: crate::io::Password, key: Key, replaces: Option<Order> },
    /// The new password is hashed.
    NewPassword { connection: ConnectionId, tag: Tag, key: Key, replaces: Option<Order> },
    /// How many messages wait for an account that logs in.
    LoginCount {
        connection: ConnectionId,
        tag: Tag,
        account: AccountId,
        token: Option<SessionToken>,
        notice: Option<Notice>,
    },
    /// How many messages wait for a connection that begins to listen.
    ListenCount { connection: ConnectionId, tag: Tag },
    /// How many messages wait for an account to which somebody writes.
    MailboxCount { account: AccountId },
    /// A page of what waits for a connection.
    Inbox { connection: ConnectionId },
    /// What an account sent that was not delivered.
    Outbox { connection: ConnectionId, tag: Tag },
    /// A conversation.
    History { connection: ConnectionId, tag: Tag, with: AccountId },
    /// The last messages of an account's conversations: of a page that is the first one, or goes on behind another.
    Conversations { connection: ConnectionId, tag: Tag, account: AccountId, limit: u32, goes_on: bool },
    /// Whether a message with this key is known.
    KnownMessage { connection: ConnectionId, tag: Tag, to: Receiver, text: String, key: Key },
    /// Facts that a peer asked for.
    Serve { peer: ReplicaId, link: LinkId, pull: Pull },
    /// Own facts to be pushed to a peer that is far behind.
    ReadAhead { peer: ReplicaId, link: LinkId },
}

/// An account that a login may mean, as it was when its password went to be checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) account: AccountId,
    /// Which password: what a session names.
    pub(crate) password: Option<Order>,
    /// Which hash of it.
    pub(crate) hash: Option<Order>,
}

/// The jobs under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jobs {
    last: u64,
    jobs: BTreeMap<JobId, Job>,
}

impl Jobs {
    pub(crate) fn begin(&mut self, job: Job) -> JobId {
        self.last += 1;
        let id = JobId(self.last);
        self.jobs.insert(id, job);
        id
    }

    pub(crate) fn done(&mut self, id: JobId) -> Option<Job> {
        self.jobs.remove(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }
}
