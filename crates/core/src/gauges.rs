//! What an operator asks about a replica, in numbers.
//!
//! Nothing here changes what the core does. The numbers are taken when they are asked for, at a cost that does not
//! grow with accounts, connections or history: some hundred lookups, and some per incarnation.

use std::fmt;
use std::time::Duration;

use lastword_facts::VersionVector;
use lastword_facts::ids::Seq;

use crate::Core;
use crate::io::{Copies, ReplicaId};
use crate::time::Now;

/// How a replica is, in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauges {
    /// It started, was not the last one up, and may still lack what others have.
    pub stale: bool,
    /// There is room on its disk for new things.
    pub disk_has_room: bool,
    /// The views can be asked, and so people are let in.
    pub views_ready: bool,
    /// Facts in its log, on disk or on their way there.
    pub facts: u64,
    /// Of those, on disk.
    pub facts_on_disk: u64,
    /// Facts that another replica has and this one has not.
    pub facts_wanted: u64,
    /// Facts that came before what they rest on, in bytes.
    pub held_bytes: usize,
    /// Damaged records that are known.
    pub damaged: usize,
    /// Own facts that wait for an answer.
    pub unanswered: usize,
    /// How long the oldest of them has waited.
    pub oldest_unanswered: Option<Duration>,
    /// Of the answers so far: how many said that a fact is on so many disks; the first of one disk.
    pub acknowledged: Vec<u64>,
    /// What the last of them said.
    pub last_copies: Option<Copies>,
    /// Clients that are connected.
    pub connections: usize,
    /// Of those, logged in.
    pub logged_in: usize,
    /// Of those, listening.
    pub listening: usize,
    /// Lookups and hashes under way.
    pub jobs: usize,
    /// `list`s under way.
    pub lists: usize,
    /// Attempts at names under way.
    pub attempts: usize,
    /// Accounts that facts have named, also deleted ones.
    pub accounts: usize,
    /// Every other replica, in the order of the group's list.
    pub peers: Vec<PeerGauges>,
}

/// How another replica is, as this one sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerGauges {
    /// Which.
    pub id: ReplicaId,
    /// What is known of it by its link, if it is connected.
    pub link: Option<LinkGauges>,
}

/// How a connected replica is.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkGauges {
    /// Answers wait for its disk.
    pub in_sync: bool,
    /// Facts of this replica's log that it has not confirmed.
    pub behind: u64,
    /// For how long the oldest of those has been in the log. It is looked at every 50 ms, for the last 5 s: what is
    /// older is told as 5 s.
    pub behind_for: Duration,
    /// Pushed to it and not confirmed, in bytes.
    pub in_flight_bytes: usize,
    /// The last round trip.
    pub round_trip: Duration,
}

/// What has happened since the start.
///
/// It makes no difference to what happens next, and the search tells states apart by what `Debug` shows: so that
/// shows nothing.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    acknowledged: Vec<u64>,
    last_copies: Option<Copies>,
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Tally")
    }
}

impl Tally {
    /// Somebody was told that a fact is on so many disks.
    pub(crate) fn acknowledged(&mut self, copies: Copies) {
        self.last_copies = Some(copies);
        let place = (copies.stored as usize).saturating_sub(1);
        if self.acknowledged.len() <= place {
            self.acknowledged.resize(place + 1, 0);
        }
        self.acknowledged[place] += 1;
    }
}

impl Core {
    /// How this replica is, in numbers.
    pub fn gauges(&self, now: Now) -> Gauges {
        let taken = &self.ledger.taken;
        let peers = self.peers.all().map(|(id, peer)| {
            let link = peer.link.as_ref().map(|link| LinkGauges {
                in_sync: link.in_sync_since.is_some(),
                behind: missing(taken, &link.confirmed),
                behind_for: self.peers.behind_for(now.mono, link, taken),
                in_flight_bytes: link.in_flight_bytes,
                round_trip: link.round_trip,
            });
            PeerGauges { id, link }
        });
        let wanted = self.wanted.iter().map(|(&incarnation, upto)| upto.0.saturating_sub(taken.seq(incarnation).0));
        Gauges {
            stale: self.health.stale,
            disk_has_room: self.disk == crate::io::DiskRoom::Enough,
            views_ready: self.views_ready,
            facts: self.ledger.end.0,
            facts_on_disk: self.ledger.durable_end.0,
            facts_wanted: wanted.sum(),
            held_bytes: self.ledger.held.bytes(),
            damaged: self.damage.len(),
            unanswered: self.waiting.own,
            oldest_unanswered: self.waiting.oldest_after(Seq::NONE).map(|made| now.mono.since(made)),
            acknowledged: self.tally.acknowledged.clone(),
            last_copies: self.tally.last_copies,
            connections: self.connections.len(),
            logged_in: self.connections.logged_in,
            listening: self.connections.listeners,
            jobs: self.jobs.len(),
            lists: self.lists.len(),
            attempts: self.attempts.len(),
            accounts: self.directory.len(),
            peers: peers.collect(),
        }
    }
}

/// How many facts of `all` are missing in `of`.
fn missing(all: &VersionVector, of: &VersionVector) -> u64 {
    all.iter().map(|end| end.seq.0.saturating_sub(of.seq(end.incarnation).0)).sum()
}
