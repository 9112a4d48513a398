//! What the driver does for the core, and what is to be done when it is done.

use std::collections::BTreeMap;

use lastword_facts::ids::{AccountId, Key, Order};
use lastword_facts::token::SessionToken;

use crate::io::{ConnectionId, JobId, LinkId, Notice, Receiver, ReplicaId, Tag};
use crate::peer_message::Pull;

/// What is to be done when a job is done.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// A create's password is hashed. It is kept for the case that the account is there by then.
    Create { connection: ConnectionId, tag: Tag, name: String, key: Key, password: crate::io::Password },
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

impl Job {
    /// The connection that it is for, if it is for one.
    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Create { connection, .. }
            | Self::CreateAgain { connection, .. }
            | Self::Login { connection, .. }
            | Self::OldPassword { connection, .. }
            | Self::NewPassword { connection, .. }
            | Self::LoginCount { connection, .. }
            | Self::ListenCount { connection, .. }
            | Self::Inbox { connection }
            | Self::Outbox { connection, .. }
            | Self::History { connection, .. }
            | Self::Conversations { connection, .. }
            | Self::KnownMessage { connection, .. } => Some(*connection),
            Self::MailboxCount { .. } | Self::Serve { .. } | Self::ReadAhead { .. } => None,
        }
    }

    /// It reads a page of messages for somebody.
    pub(crate) fn is_page(&self) -> bool {
        matches!(self, Self::Inbox { .. } | Self::Outbox { .. } | Self::History { .. } | Self::Conversations { .. })
    }
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

/// To whom a job belongs: no one of them may take the places of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// A connection without a login.
    Connection(ConnectionId),
    Account(AccountId),
}

/// The jobs under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jobs {
    last: u64,
    /// With their owners; those of the replica itself have none.
    jobs: BTreeMap<JobId, (Job, Option<Owner>)>,
    owners: BTreeMap<Owner, Held>,
    /// Bytes of what clients sent that the jobs hold.
    bytes: usize,
}

/// What the jobs of one owner come to.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    jobs: usize,
    bytes: usize,
}

/// Bytes that everybody may have, however many others have some: more than one message has.
const LEAST_PART: usize = 20 * 1024;

impl Job {
    /// How many bytes of what a client sent it holds: what is sure to be short is not counted.
    fn bytes(&self) -> usize {
        match self {
            Self::Create { name, .. } | Self::CreateAgain { name, .. } => name.len(),
            Self::Login { asked, .. } => asked.len(),
            Self::OldPassword { new, .. } => new.0.len(),
            Self::KnownMessage { text, .. } => text.len(),
            _ => 0,
        }
    }
}

impl Jobs {
    pub(crate) fn begin(&mut self, job: Job, owner: Option<Owner>) -> JobId {
        self.last += 1;
        let id = JobId(self.last);
        let bytes = job.bytes();
        self.bytes += bytes;
        self.jobs.insert(id, (job, owner));
        if let Some(owner) = owner {
            let held = self.owners.entry(owner).or_default();
            *held = Held { jobs: held.jobs + 1, bytes: held.bytes + bytes };
        }
        id
    }

    pub(crate) fn done(&mut self, id: JobId) -> Option<Job> {
        let (job, owner) = self.jobs.remove(&id)?;
        let bytes = job.bytes();
        self.bytes -= bytes;
        if let Some(owner) = owner
            && let Some(held) = self.owners.get_mut(&owner)
        {
            *held = Held { jobs: held.jobs - 1, bytes: held.bytes - bytes };
            if held.jobs == 0 {
                self.owners.remove(&owner);
            }
        }
        Some(job)
    }

    /// To whom a job under way belongs.
    pub(crate) fn owner_of(&self, id: JobId) -> Option<Owner> {
        self.jobs.get(&id).and_then(|(_, owner)| *owner)
    }

    /// Whether one of them may have another job, if all jobs should hold at most `most` bytes of what clients sent: beyond
    /// that each may have an equal part of it, and no less than [`LEAST_PART`]. So whoever holds most waits, and nobody else.
    /// (The driver bounds what all clients have sent and is not answered yet, of which this is a part.)
    pub(crate) fn has_room_for(&self, owner: Owner, most: usize) -> bool {
        let part = (most / self.owners.len().max(1)).max(LEAST_PART);
        // Alone nobody takes what others would have.
        self.held(owner).bytes < part.min(most / 2) || self.bytes < most / 2
    }

    fn held(&self, owner: Owner) -> Held {
        self.owners.get(&owner).copied().unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// How many belong to one of them.
    pub(crate) fn of(&self, owner: Owner) -> usize {
        self.held(owner).jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_counted_for_their_owners_until_they_are_done() {
        let (ann, mut jobs) = (Owner::Account(AccountId(1)), Jobs::default());
        let begun: Vec<_> = (0..3).map(|n| jobs.begin(Job::Inbox { connection: ConnectionId(n) }, Some(ann))).collect();
        jobs.begin(Job::MailboxCount { account: AccountId(1) }, None);
        assert_eq!((jobs.of(ann), jobs.of(Owner::Connection(ConnectionId(1))), jobs.len()), (3, 0, 4));
        for id in begun {
            assert!(jobs.done(id).is_some() && jobs.done(id).is_none());
        }
        assert_eq!((jobs.of(ann), jobs.len(), jobs.owners.len()), (0, 1, 0));
    }

    #[test]
    fn whoever_holds_most_bytes_waits_and_nobody_else() {
        const MOST: usize = 1024 * 1024;
        let [ann, bob, cid] = [1, 2, 3].map(|n| Owner::Account(AccountId(n)));
        let (mut jobs, mut begun) = (Jobs::default(), Vec::new());
        let mut fill = |jobs: &mut Jobs, owner| {
            let before = jobs.held(owner).bytes;
            while jobs.has_room_for(owner, MOST) {
                let (new, key) = (crate::io::Password("x".repeat(1000)), Key(1));
                let (connection, tag) = (ConnectionId(1), Tag(1));
                let job = Job::OldPassword { connection, tag, new, key, replaces: None };
                begun.push(jobs.begin(job, Some(owner)));
            }
            jobs.held(owner).bytes - before
        };
        let of_ann = fill(&mut jobs, ann);
        assert!((MOST / 2..MOST / 2 + 2000).contains(&of_ann), "{of_ann}");
        let of_bob = fill(&mut jobs, bob);
        assert!(of_bob > MOST / 3, "{of_bob}, although one has filled what there was");
        assert!(fill(&mut jobs, cid) > MOST / 4);
        assert!(!jobs.has_room_for(ann, MOST) && !jobs.has_room_for(bob, MOST));
        assert!(jobs.has_room_for(Owner::Connection(ConnectionId(9)), MOST));
        begun.into_iter().for_each(|id| drop(jobs.done(id)));
        assert!(jobs.bytes == 0 && jobs.owners.is_empty());
    }
}
