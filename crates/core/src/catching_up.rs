//! Catching up: pull what is missing, serve what others miss.
//!
//! One path for a replica that was down for a minute, for a year, or is brand-new, and for facts that
//! find their way round a cut: whatever a peer has and this replica has not is pulled, of any
//! incarnation, unless the fact's own replica is connected and so about to push it.

use std::sync::Arc;

use lastword_facts::Fact;
use lastword_facts::ids::{Incarnation, Position, Seq};
use lastword_facts::views::Query;
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::io::{LinkId, Output, ReplicaId};
use crate::jobs::Job;
use crate::peer_message::{PeerMessage, Pull};
use crate::peers::Link;
use crate::replication::PIECE_BYTES;
use crate::time::{Mono, Now};

/// Facts asked for at once: about 64 KiB of chat. Taking in so many is a matter of milliseconds, for which all others
/// wait who want something of this replica.
const PIECE_FACTS: u64 = 256;
/// Pieces of one incarnation under way at a time.
const PIECES: usize = 16;
/// So much of the room for what has to wait is filled by asking ahead: one part of so many.
const AHEAD: usize = 16;
/// Pulls under way on one link.
const PULLS: usize = 32;

impl Core {
    /// Somebody has everything of an incarnation up to this position, or something rests on it.
    pub(crate) fn want(&mut self, position: Position) {
        if position.incarnation != self.ledger.own() && !self.ledger.taken.covers(position) {
            let seq = self.wanted.entry(position.incarnation).or_default();
            *seq = (*seq).max(position.seq);
        }
    }

    /// Whether others may have what this replica has not. Somebody connected has it: what they had when they came, or
    /// what is to be pulled; or this replica has met nobody since it started, and was not the last one up.
    /// (What others are about to push is always on its way where people write.)
    pub(crate) fn is_behind(&self) -> bool {
        let taken = &self.ledger.taken;
        let lacks = |link: &Link| link.had.as_ref().is_none_or(|had| !taken.covers_all(had));
        let is_pulled = |incarnation| self.gaps.contains(incarnation) || !self.peers.pushes(*incarnation);
        let mut wanted = self.wanted.iter().filter(|(incarnation, seq)| taken.seq(**incarnation) < **seq);
        self.peers.links().any(|(_, link)| lacks(link))
            || wanted.any(|(incarnation, _)| is_pulled(incarnation))
            || self.damage.leaves_gaps()
            || self.health.stale
    }

    /// Asks for what is missing, as far as somebody connected has it.
    pub(crate) fn pull_missing(&mut self, now: Now) {
        if self.wanted.is_empty() {
            return;
        }
        let taken = &self.ledger.taken;
        self.wanted.retain(|&incarnation, &mut seq| taken.seq(incarnation) < seq);
        self.gaps.retain(|incarnation| self.wanted.contains_key(incarnation));
        self.blocked.retain(|incarnation, missing| !taken.covers(*missing) && self.wanted.contains_key(incarnation));
        self.give_up_pulls(now.mono);
        // The disk may be slower than the peers are: what it has not taken yet is in memory.
        if self.ledger.on_its_way_bytes > self.config.settings.unsaved_bytes {
            hit("nothing pulled before the disk has what came");
            return;
        }
        let wanted = self.wanted.iter().map(|(&incarnation, &seq)| (incarnation, seq));
        let wanted: Vec<(Incarnation, Seq)> = wanted
            .filter(|(incarnation, _)| self.gaps.contains(incarnation) || !self.peers.pushes(*incarnation))
            .collect();
        // What has to wait takes room. With much of it, first what it waits for; and where that can't be had now,
        // whatever else there is, a piece of each.
        let crowded = self.ledger.held.bytes() > self.config.settings.held_bytes / AHEAD;
        for &(incarnation, target) in &wanted {
            if !crowded || self.ledger.held.is_waited_for(incarnation) {
                self.pull_incarnation(now.mono, incarnation, target, crowded, PIECES);
            }
        }
        if crowded && self.peers.links().all(|(_, link)| link.pulls.is_empty()) {
            for (incarnation, target) in wanted {
                self.pull_incarnation(now.mono, incarnation, target, crowded, 1);
            }
        }
    }

    /// Asks for what is missing of an incarnation, so many pieces ahead.
    fn pull_incarnation(&mut self, now: Mono, incarnation: Incarnation, target: Seq, crowded: bool, ahead: usize) {
        let mut next = self.ledger.taken.seq(incarnation).next();
        // What comes after a fact that has to wait is asked for only while little has to: the pulls under way are
        // limited, and what the others wait for must find a place among them.
        let waits = self.ledger.held.contains(Position { incarnation, seq: next });
        if self.blocked.contains_key(&incarnation) || waits && crowded {
            hit("not pulled before what it waits for");
            return;
        }
        for _ in 0..ahead {
            let mut from = Position { incarnation, seq: next };
            while from.seq <= target && self.ledger.held.contains(from) {
                from.seq = from.seq.next();
            }
            if from.seq > target {
                return;
            }
            let under_way = self.peers.links().find_map(|(_, link)| {
                let (first, &(upto, _)) = link.pulls.range(..=from).next_back()?;
                (first.incarnation == incarnation && upto >= from.seq).then_some(upto)
            });
            next = match under_way {
                Some(upto) => upto.next(),
                None => match self.pull(now, from, target) {
                    Some(upto) => upto.next(),
                    None => return,
                },
            };
        }
    }

    /// Asks whoever has it and has the least to do for a piece from this position on. Says up to where.
    fn pull(&mut self, now: Mono, from: Position, target: Seq) -> Option<Seq> {
        let able = self
            .peers
            .links_mut()
            .filter(|(_, link)| link.confirmed.covers(from) && link.pulls.len() < PULLS && link.dry_until <= now)
            .filter(|(_, link)| link.incarnation == Some(from.incarnation) || !planted(Bug::PullsFromMakerOnly));
        let (peer, link) = able.min_by_key(|(peer, link)| (link.pulls.len(), *peer))?;
        if link.incarnation != Some(from.incarnation) {
            hit("pulled through a third");
        }
        let there = link.confirmed.seq(from.incarnation);
        let upto = Seq((from.seq.0 + PIECE_FACTS - 1).min(target.0).min(there.0));
        link.pulls.insert(from, (upto, now + Self::PULL_PATIENCE));
        let id = link.id;
        self.send(peer, id, PeerMessage::Pull(Pull { from, upto }));
        Some(upto)
    }

    /// Gives up on what was asked for and did not come: somebody else may have it.
    fn give_up_pulls(&mut self, now: Mono) {
        for (_, link) in self.peers.links_mut() {
            let before = link.pulls.len();
            link.pulls.retain(|_, &mut (_, until)| until > now);
            if link.pulls.len() < before {
                hit("pull given up");
                link.dry_until = now + Self::PULL_PATIENCE / 2;
            }
        }
    }

    pub(crate) fn on_pulled(&mut self, now: Now, peer: ReplicaId, id: LinkId, pull: Pull, facts: Vec<Arc<Fact>>) {
        if let Some(link) = self.peers.link(peer, id) {
            link.pulls.remove(&pull.from);
            if facts.is_empty() {
                link.dry_until = now.mono + Self::PULL_PATIENCE / 6;
            }
        }
        for fact in facts {
            if !planted(Bug::DropsUnknown) || !matches!(fact.body, lastword_facts::Body::Unknown(_)) {
                self.take_in(now, fact);
            }
        }
        self.pull_missing(now);
    }

    /// A peer has not got what it was asked for.
    pub(crate) fn on_not_there(&mut self, now: Now, peer: ReplicaId, id: LinkId, position: Position) {
        let Some(link) = self.peers.link(peer, id) else { return };
        if link.pulls.remove(&position).is_some() {
            link.dry_until = now.mono + Self::PULL_PATIENCE / 6;
        }
        self.on_missing(now, peer, position);
    }

    /// A peer asks for facts. What is on its way to this disk, or too much at once, gets an empty answer.
    pub(crate) fn on_pull(&mut self, peer: ReplicaId, id: LinkId, pull: Pull) {
        let durable = self.ledger.durable.seq(pull.from.incarnation);
        // Facts are numbered from 1: a disk that is asked for what can't be would take it for lost.
        if pull.from.seq == Seq::NONE || self.is_missing(pull.from) {
            return self.send(peer, id, PeerMessage::Missing(pull.from));
        }
        let Some(link) = self.peers.link(peer, id) else { return };
        if pull.from.seq > durable || link.serving as usize >= 2 * PULLS {
            return self.send(peer, id, PeerMessage::Pulled(pull, Vec::new()));
        }
        link.serving += 1;
        let upto = pull.upto.min(durable);
        let job = self.jobs.begin(Job::Serve { peer, link: id, pull }, None);
        let query = Query::Facts { from: pull.from, upto, limit_bytes: PIECE_BYTES as u32 };
        self.outputs.push_back(Output::Query(job, query));
    }

    pub(crate) fn on_served(&mut self, peer: ReplicaId, id: LinkId, pull: Pull, facts: Vec<Arc<Fact>>) {
        if let Some(link) = self.peers.link(peer, id) {
            link.serving -= 1;
            self.send(peer, id, PeerMessage::Pulled(pull, facts));
        }
    }
}
