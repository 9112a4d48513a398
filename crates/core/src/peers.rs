//! The other replicas: who is connected, who is in sync, who has what.
//!
//! A peer *comes in sync* when it has confirmed this replica's log end as it stood at a moment at most
//! 500 ms (or two round trips) ago. It *leaves* when its link breaks, when nothing comes from it, or
//! when the oldest fact that waits for it is too old; after the last it comes back with growing
//! patience. What a peer has confirmed is forgotten with its link: it may come back wiped.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use lastword_facts::VersionVector;
use lastword_facts::ids::{AccountId, Incarnation, Position, Seq};
use lastword_marks::{Bug, planted};

use crate::config::Settings;
use crate::io::{JobId, LinkId, ReplicaId};
use crate::pace::Pace;
use crate::time::{Mono, Now};

/// How often the log's end is noted.
const SAMPLE: Duration = Duration::from_millis(50);
/// A peer that comes nearer is not taken in before it is as near as this: from then on everybody waits for its disk, and
/// with what is still before them. Unless it does not come nearer than [`Settings::in_sync_lag`] for `NEAR.1`.
const NEAR: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// The first and the longest time that a slow peer is kept out.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// After so long in sync, a peer's slowness is forgotten.
const FORGIVEN: Duration = Duration::from_secs(60);

/// Another replica.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    pub(crate) link: Option<Link>,
    /// Not in sync before this time.
    barred_until: Mono,
    patience: Duration,
}

/// The connection to another replica.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) last_heard: Mono,
    /// Under which incarnation it writes; `None` until it has said hello.
    pub(crate) incarnation: Option<Incarnation>,
    /// What is durable there, as it said on this link.
    pub(crate) confirmed: VersionVector,
    /// What has become durable here and it was not told yet: nobody there waits for it.
    pub(crate) owed: VersionVector,
    /// What it had when it said hello: until this is here too, this replica may be behind.
    pub(crate) had: Option<VersionVector>,
    /// It may lack what others have, as it says itself.
    pub(crate) is_stale: bool,
    pub(crate) in_sync_since: Option<Mono>,
    /// Since when it could be taken in sync, if it is near enough.
    near_since: Option<Mono>,
    /// Own facts up to here were pushed on this link.
    pub(crate) pushed: Seq,
    /// Pushed and not confirmed: the last seq and the size of each push.
    pub(crate) in_flight: VecDeque<(Seq, usize)>,
    pub(crate) in_flight_bytes: usize,
    /// How fast, while it is not in sync.
    pub(crate) pace: Pace,
    /// Reads own facts from disk, to be pushed.
    pub(crate) reading: Option<JobId>,
    /// Asked for, by their first position: up to where, and until when an answer is awaited.
    pub(crate) pulls: BTreeMap<Position, (Seq, Mono)>,
    /// It had nothing to give: not asked again before this time.
    pub(crate) dry_until: Mono,
    /// Pulls that are answered for it now.
    pub(crate) serving: u32,
    /// Who listens there.
    pub(crate) online: BTreeSet<AccountId>,
    pub(crate) round_trip: Duration,
    pub(crate) pinged: (u64, Mono),
    /// What its wall clock showed, and when, on this monotonic clock.
    pub(crate) clock: Option<Now>,
}

impl Link {
    pub(crate) fn new(id: LinkId, now: Mono) -> Self {
        Self {
            id,
            last_heard: now,
            incarnation: None,
            confirmed: VersionVector::new(),
            owed: VersionVector::new(),
            had: None,
            is_stale: true,
            in_sync_since: None,
            near_since: None,
            pushed: Seq::NONE,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            pace: Pace::default(),
            reading: None,
            pulls: BTreeMap::new(),
            dry_until: Mono::default(),
            serving: 0,
            online: BTreeSet::new(),
            round_trip: Duration::ZERO,
            pinged: (0, now),
            clock: None,
        }
    }

    pub(crate) fn said_hello(&self) -> bool {
        self.incarnation.is_some()
    }

    /// Own facts up to this seq are confirmed: they are in flight no more.
    pub(crate) fn landed(&mut self, confirmed: Seq) {
        while let Some(&(last, size)) = self.in_flight.front() {
            if last > confirmed {
                break;
            }
            self.in_flight_bytes -= size;
            self.in_flight.pop_front();
        }
    }
}

/// All other replicas.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    own: Incarnation,
    peers: BTreeMap<ReplicaId, Peer>,
    /// The log's end as it stood at the last few moments, oldest first.
    samples: VecDeque<(Mono, VersionVector)>,
}

impl Peers {
    pub(crate) fn new(own: Incarnation, peers: impl Iterator<Item = ReplicaId>) -> Self {
        Self { own, peers: peers.map(|id| (id, Peer::default())).collect(), samples: VecDeque::new() }
    }

    pub(crate) fn peer(&mut self, id: ReplicaId) -> Option<&mut Peer> {
        self.peers.get_mut(&id)
    }

    /// The link to a peer, if it is the one with this id.
    pub(crate) fn link(&mut self, id: ReplicaId, link: LinkId) -> Option<&mut Link> {
        self.peers.get_mut(&id)?.link.as_mut().filter(|current| current.id == link)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (ReplicaId, &Peer)> {
        self.peers.iter().map(|(&id, peer)| (id, peer))
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = (ReplicaId, &Link)> {
        self.peers.iter().filter_map(|(&id, peer)| Some((id, peer.link.as_ref()?)))
    }

    pub(crate) fn links_mut(&mut self) -> impl Iterator<Item = (ReplicaId, &mut Link)> {
        self.peers.iter_mut().filter_map(|(&id, peer)| Some((id, peer.link.as_mut()?)))
    }

    pub(crate) fn connected(&self) -> BTreeSet<ReplicaId> {
        self.links().map(|(id, _)| id).collect()
    }

    /// Whether a replica that writes under this incarnation is connected, and so about to push it.
    pub(crate) fn pushes(&self, incarnation: Incarnation) -> bool {
        self.links().any(|(_, link)| link.incarnation == Some(incarnation))
    }

    pub(crate) fn in_sync(&self) -> impl Iterator<Item = (ReplicaId, &Link)> {
        self.links().filter(|(_, link)| link.in_sync_since.is_some())
    }

    /// Own facts up to here are on the disks of every peer in sync.
    pub(crate) fn acked(&self) -> Seq {
        self.in_sync().map(|(_, link)| link.confirmed.seq(self.own)).min().unwrap_or(Seq(u64::MAX))
    }

    /// Whether every peer in sync has this position on disk.
    pub(crate) fn all_cover(&self, position: Position) -> bool {
        self.in_sync().all(|(_, link)| link.confirmed.covers(position))
    }

    /// On how many other disks this position is known to be.
    pub(crate) fn copies(&self, position: Position) -> u32 {
        let pushed = |link: &Link| position.incarnation == self.own && link.pushed >= position.seq;
        let has = |link: &Link| link.confirmed.covers(position) || planted(Bug::CountsPushedCopies) && pushed(link);
        self.links().filter(|(_, link)| has(link)).count() as u32
    }

    /// On how many other disks all of this is known to be.
    pub(crate) fn copies_of_all(&self, vector: &VersionVector) -> u32 {
        self.links().filter(|(_, link)| link.confirmed.covers_all(vector)).count() as u32
    }

    /// Notes the log's end, if it is time.
    pub(crate) fn sample(&mut self, now: Mono, taken: &VersionVector) {
        if self.samples.back().is_some_and(|(at, _)| now.since(*at) < SAMPLE) {
            return;
        }
        self.samples.push_back((now, taken.clone()));
        // What is older than any lag that counts is needed no more: links slower than 5 s are closed.
        while self.samples.front().is_some_and(|(at, _)| now.since(*at) > Duration::from_secs(5)) {
            self.samples.pop_front();
        }
    }

    /// For how long the oldest fact that a link has not confirmed has been in the log, as far as the samples tell.
    pub(crate) fn behind_for(&self, now: Mono, link: &Link, taken: &VersionVector) -> Duration {
        if link.confirmed.covers_all(taken) {
            return Duration::ZERO;
        }
        // The log only grows: the older samples are confirmed, and the newer ones are not.
        let confirmed = self.samples.partition_point(|(_, end)| link.confirmed.covers_all(end));
        self.samples.get(confirmed).map_or(Duration::ZERO, |&(at, _)| now.since(at))
    }

    /// The peers that come in sync now.
    pub(crate) fn joining(&mut self, now: Mono, taken: &VersionVector, settings: &Settings) -> Vec<ReplicaId> {
        let mut joining = Vec::new();
        for (&id, peer) in &mut self.peers {
            let Some(link) = peer.link.as_mut() else { continue };
            if !link.said_hello() || link.in_sync_since.is_some() || now < peer.barred_until {
                continue;
            }
            let is_within = |lag: Duration| {
                let lag = lag.max(link.round_trip * 2);
                let recent = self.samples.iter().find(|(at, _)| now.since(*at) <= lag);
                let recent = recent.filter(|_| !planted(Bug::InSyncOnlyWhenIdle));
                link.confirmed.covers_all(recent.map_or(taken, |(_, end)| end)) || planted(Bug::InSyncAtHello)
            };
            if !is_within(settings.in_sync_lag) {
                link.near_since = None;
                continue;
            }
            let since = link.near_since.unwrap_or(now);
            link.near_since = Some(since);
            if is_within(NEAR.0.min(settings.in_sync_lag)) || now.since(since) >= NEAR.1 {
                link.in_sync_since = Some(now);
                joining.push(id);
            }
        }
        joining
    }

    /// Takes a peer out of sync; `slow`: it is to come back later each time. Says whether it was in.
    pub(crate) fn leave(&mut self, now: Mono, id: ReplicaId, slow: bool) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        let Some(since) = peer.link.as_mut().and_then(|link| link.in_sync_since.take()) else { return false };
        if now.since(since) > FORGIVEN {
            peer.patience = Duration::ZERO;
        }
        if slow {
            peer.patience = (peer.patience * 2).clamp(PATIENCE.0, PATIENCE.1);
            peer.barred_until = now + peer.patience;
        }
        true
    }
}
