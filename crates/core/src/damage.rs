//! Damaged records: promised to nobody, mended from others, filled in where everybody has lost them.
//!
//! 1. From the moment that a damaged record is known, no version vector that is told covers it. Vectors
//!    are only ever raised on a link, so the links are begun anew.
//! 2. It is asked for at everybody who is connected, a batch at a time: the next one when what came of the
//!    last is on disk, or after 2 s. Who has it sends it; who has neither it nor a copy on its way says
//!    that it is *missing*.
//! 3. When every other member of the group says so, nobody will ever have it again: its position is
//!    filled with a [`Body::Lost`], which is the same whoever makes it, so that vectors, and what rests
//!    on it, go on.
//! 4. A record that was never applied and comes back, or that was applied and is lost, makes the log
//!    another one than the state was made from: the replica starts anew on its log.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::Duration;

use lastword_facts::ids::{AccountId, Incarnation, Key, Position, Seq, Stamp};
use lastword_facts::{Body, Fact, VersionVector};
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::io::{Leave, LinkId, Output, ReplicaId, Report};
use crate::peer_message::{PeerMessage, Pull};
use crate::time::{Mono, Now};

/// How long an answer is waited for before the next ones are asked for.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Records asked for at once, on one link.
const ASKED: usize = 32;
/// Damaged records that are remembered: the first ones. Others are met again when those are mended.
const REMEMBERED: usize = 100_000;
/// Before it starts anew a replica waits so long for more to come back.
const SETTLE: Duration = Duration::from_secs(1);

/// What is known of damaged records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Damage {
    records: BTreeMap<Position, Record>,
    /// Mended, and to be applied when this replica starts anew.
    unapplied: BTreeSet<Position>,
    /// Messages, the first of each incarnation, that could not be shown: what says who wrote them, or
    /// whose they are, could not be read.
    unshown: BTreeMap<Incarnation, Seq>,
    /// The last one that was asked for.
    asked_last: Option<Position>,
    asked: Mono,
    /// How many are on their way to the disk.
    mending: usize,
    /// The log is not what the state was made from: when to start anew on it.
    start_anew_at: Option<Mono>,
}

#[derive(Debug, Clone, Default)]
struct Record {
    /// The state knows what stood there.
    applied: bool,
    /// What is to stand there was handed to the disk.
    mending: bool,
    /// Who has said, on the link that it has now, that it is missing there too.
    missing: BTreeSet<ReplicaId>,
}

impl Damage {
    /// With what could not be read when the views took in the log.
    pub(crate) fn new(unreadable: Vec<Position>) -> Self {
        let records = unreadable.into_iter().map(|position| (position, Record::default()));
        Self { records: records.collect(), ..Self::default() }
    }

    /// How many damaged records are known.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Remembers a damaged record. Says whether that is news, and whether there was room.
    fn note(&mut self, position: Position, applied: bool) -> bool {
        if self.records.contains_key(&position) {
            return false;
        }
        self.records.insert(position, Record { applied, ..Record::default() });
        if self.records.len() > REMEMBERED {
            let forgotten = self.records.pop_last();
            self.mending -= usize::from(forgotten.is_some_and(|(_, record)| record.mending));
        }
        self.records.contains_key(&position)
    }

    pub(crate) fn holds(&self, position: Position) -> bool {
        self.records.contains_key(&position)
    }

    /// The first damaged record of an incarnation.
    fn first_of(&self, incarnation: Incarnation) -> Option<Position> {
        let from = Position { incarnation, seq: Seq::NONE };
        let (&first, _) = self.records.range(from..).next()?;
        (first.incarnation == incarnation).then_some(first)
    }

    /// What is to be asked for next: all get their turn, also behind those that nobody can mend.
    fn batch(&self) -> Vec<Position> {
        let last = self.asked_last.map_or(Unbounded, Excluded);
        let again = self.asked_last.into_iter().flat_map(|last| self.records.range(..=last));
        let ahead = self.records.range((last, Unbounded)).chain(again);
        ahead.filter(|(_, record)| !record.mending).map(|(&position, _)| position).take(ASKED).collect()
    }

    /// Whether the state lacks what stands, or stood, in records of the log.
    pub(crate) fn leaves_gaps(&self) -> bool {
        !self.unapplied.is_empty() || self.records.values().any(|record| !record.applied)
    }

    /// Remembers a message of accounts that are not known: they may be, once more can be read.
    pub(crate) fn note_unshown(&mut self, position: Position) {
        if self.leaves_gaps() {
            hit("message of an account that could not be read");
            let first = self.unshown.entry(position.incarnation).or_insert(position.seq);
            *first = position.seq.min(*first);
        }
    }

    /// What was said on a link is forgotten with it.
    pub(crate) fn forget_link(&mut self, peer: ReplicaId) {
        for record in self.records.values_mut() {
            record.missing.remove(&peer);
        }
    }
}

impl Core {
    /// The records of the own log that are known to be damaged.
    pub fn damaged(&self) -> impl Iterator<Item = Position> + '_ {
        self.damage.records.keys().copied()
    }

    /// What may be told to be on this disk.
    pub(crate) fn told_vector(&self) -> VersionVector {
        let mut vector = self.ledger.durable.clone();
        for &position in self.damage.records.keys().filter(|_| !planted(Bug::ClaimsDamaged)) {
            vector.lower(position);
        }
        vector
    }

    /// Of what has become durable, what may be told.
    pub(crate) fn told(&self, mut changes: Vec<Position>) -> Vec<Position> {
        changes.retain(|change| {
            let first = self.damage.first_of(change.incarnation).filter(|_| !planted(Bug::ClaimsDamaged));
            first.is_none_or(|first| change.seq < first.seq)
        });
        changes
    }

    /// This position, or the last one before what stands in front of it and could not be read, or shown.
    pub(crate) fn before_unreadable(&self, position: Position) -> Position {
        // To a replica on its own nothing comes back, and what stands behind it would wait for ever.
        if self.config.replicas == 1 {
            return position;
        }
        let from = Position { seq: Seq::NONE, ..position };
        let unreadable = self.damage.records.range(from..=position).filter(|(_, record)| !record.applied);
        let mended = self.damage.unapplied.range(from..=position);
        let unshown = self.damage.unshown.get(&position.incarnation);
        let unshown = unshown.map(|&seq| Position { seq, ..position }).filter(|unshown| unshown.seq <= position.seq);
        let first = unreadable.map(|(&unreadable, _)| unreadable).chain(mended.copied()).chain(unshown).min();
        first.map_or(position, |first| first.previous())
    }

    /// Takes in that a record of the log on disk is damaged, while that is applied again.
    pub(crate) fn note_damaged(&mut self, position: Position) {
        hit("damaged record met at the start");
        self.damage.note(position, false);
        self.report(Report::Damaged(position));
    }

    /// A record of the own log turned out to be damaged when it was read.
    pub(crate) fn on_damaged(&mut self, now: Now, position: Position) {
        if !self.damage.note(position, true) {
            return;
        }
        self.report(Report::Damaged(position));
        let in_memory = self.ledger.recent.at(position).cloned();
        if let Some(fact) = in_memory {
            hit("damaged record still in memory");
            return self.mend(now, fact);
        }
        hit("damaged record met in reading");
        let links: Vec<(ReplicaId, LinkId)> = self.peers.links().map(|(peer, link)| (peer, link.id)).collect();
        for (peer, link) in links {
            self.outputs.push_back(Output::CloseLink(peer, link));
            self.drop_link(now, peer, Leave::Disconnected);
        }
    }

    /// Asks everybody for what is damaged, now and then.
    pub(crate) fn ask_for_damaged(&mut self, now: Now) {
        if self.damage.start_anew_at.is_some_and(|at| at <= now.mono) {
            hit("started anew on a mended log");
            self.damage.start_anew_at = None;
            self.outputs.push_back(Output::StartAnew);
        }
        if self.damage.records.is_empty() || now.mono.since(self.damage.asked) < ASK_EVERY {
            return;
        }
        self.damage.asked = now.mono;
        let links: Vec<(ReplicaId, LinkId)> = self.peers.links().map(|(peer, link)| (peer, link.id)).collect();
        for (peer, link) in links {
            self.repair_from(peer, link);
        }
        self.damage.asked_last = self.damage.batch().last().copied();
    }

    /// Asks a peer for what is damaged here.
    pub(crate) fn repair_from(&mut self, peer: ReplicaId, id: LinkId) {
        for position in self.damage.batch().into_iter().filter(|_| !planted(Bug::LeavesDamaged)) {
            self.send(peer, id, PeerMessage::Pull(Pull { from: position, upto: position.seq }));
        }
    }

    /// Whether this replica has nothing at a position, and nothing on its way there either.
    pub(crate) fn is_missing(&self, position: Position) -> bool {
        match self.damage.records.get(&position) {
            Some(record) => !record.mending,
            None => !self.ledger.taken.covers(position) && !self.ledger.held.contains(position),
        }
    }

    /// A peer says that it has not got what was asked for.
    pub(crate) fn on_missing(&mut self, now: Now, peer: ReplicaId, position: Position) {
        let others = usize::from(self.config.replicas) - 1;
        let Some(record) = self.damage.records.get_mut(&position).filter(|record| !record.mending) else {
            return;
        };
        record.missing.insert(peer);
        if record.missing.len() == others || planted(Bug::GivesUpEarly) {
            hit("lost everywhere");
            self.report(Report::Lost(position));
            let (author, key) = (AccountId(0), Key::of_position(position));
            let lost = Fact::new(position, Vec::new(), Stamp::default(), author, key, Body::Lost);
            self.mend(now, Arc::new(lost));
        }
    }

    /// What stood in a damaged record has come back; or what is to stand there for ever.
    pub(crate) fn mend(&mut self, now: Now, fact: Arc<Fact>) {
        let Some(record) = self.damage.records.get_mut(&fact.position).filter(|record| !record.mending) else {
            return;
        };
        record.mending = true;
        self.damage.mending += 1;
        let anew = record.applied == (fact.body == Body::Lost);
        if anew {
            self.damage.start_anew_at = Some(now.mono + SETTLE);
        }
        self.outputs.push_back(Output::Repair { fact, anew });
    }

    /// It stands there, on disk: now it may be told.
    pub(crate) fn on_repaired(&mut self, position: Position) {
        let Some(record) = self.damage.records.remove(&position) else { return };
        self.damage.mending -= usize::from(record.mending);
        if self.damage.mending == 0 {
            self.damage.asked = Mono::default();
        }
        if !record.applied {
            self.damage.unapplied.insert(position);
        }
        if !self.damage.leaves_gaps() {
            // What is still not known was lost everywhere.
            self.damage.unshown.clear();
        }
        hit("damaged record mended");
        self.report(Report::Repaired(position));
        let seq = self.told_vector().seq(position.incarnation);
        self.send_to_all(&PeerMessage::Confirm(vec![Position { seq, ..position }]));
    }
}
