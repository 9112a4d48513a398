//! The log, as the core sees it: what was taken in, what is durable, what must wait.
//!
//! # Invariants
//! 1. A fact is taken in only after everything it rests on: the one before it in its incarnation, and
//!    its changes. So the log, and every older state of it, is closed under causes.
//! 2. `durable` covers only what [`Ledger::stored`] has said to be on disk.
//! 3. Own facts are numbered without a gap within an incarnation that is never reopened.
//! 4. A stamp is above every stamp that this replica has seen and believes. One that is out of all reach is not
//!    believed: nothing could come after it, so it would end the order of everything later.

#[cfg(test)]
mod stamps;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use lastword_facts::ids::{AccountId, Incarnation, Key, LogIndex, Position, Seq, Stamp};
use lastword_facts::{Body, Fact, VersionVector};
use lastword_marks::{Bug, planted};

use crate::held::Held;
use crate::time::{Mono, Now};

/// The log, as the core sees it.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    incarnation: Incarnation,
    /// The number of the last fact made here.
    pub(crate) last: Seq,
    /// What is in the log, on disk or on its way there.
    pub(crate) taken: VersionVector,
    /// What is in the log on disk.
    pub(crate) durable: VersionVector,
    /// The last place of the log.
    pub(crate) end: LogIndex,
    /// The last place of the log that is on disk.
    pub(crate) durable_end: LogIndex,
    /// The positions from `durable_end` to `end`, and how many bytes each fact has.
    on_its_way: VecDeque<(Position, usize)>,
    /// So many bytes in all.
    pub(crate) on_its_way_bytes: usize,
    /// Bytes of own facts that were made, and when the last one was.
    pub(crate) made_bytes: u64,
    made: Option<Mono>,
    /// The largest stamp ever seen.
    stamp: Stamp,
    /// What was taken in of others since the last own fact.
    changes: BTreeMap<Incarnation, Seq>,
    /// Taken in, and not handed to the disk yet.
    to_store: Vec<Arc<Fact>>,
    /// Came before what they rest on.
    pub(crate) held: Held,
    /// The latest own facts, for pushing.
    pub(crate) recent: Recent,
}

/// What became of a fact that came from outside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// It is in the log already, or held already.
    Known,
    /// It can be taken in now.
    Ready,
    /// It waits for this one.
    Held(Position),
    /// It would have to wait, and there is no room.
    Dropped(Position),
}

impl Ledger {
    pub(crate) fn new(incarnation: Incarnation, vector: VersionVector, end: LogIndex, stamp: Stamp) -> Self {
        // The first own fact of an incarnation names all that its replica has.
        let changes = vector.iter().map(|position| (position.incarnation, position.seq)).collect();
        Self {
            incarnation,
            last: Seq::NONE,
            durable: vector.clone(),
            taken: vector,
            end,
            durable_end: end,
            on_its_way: VecDeque::new(),
            on_its_way_bytes: 0,
            made_bytes: 0,
            made: None,
            stamp,
            changes,
            to_store: Vec::new(),
            held: Held::default(),
            recent: Recent::default(),
        }
    }

    /// The incarnation that own facts are written under.
    pub(crate) fn own(&self) -> Incarnation {
        self.incarnation
    }

    /// The largest stamp that this replica has seen: what it does next comes after it.
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Remembers a stamp that somebody has seen. One that is not believed does not count.
    pub(crate) fn observe(&mut self, stamp: Stamp) {
        if self.believes(stamp) && !planted(Bug::ForgetsStamps) || planted(Bug::BelievesImpossible) {
            self.stamp = self.stamp.max(stamp);
        }
    }

    /// Whether a stamp may push those that are made here ahead of it.
    fn believes(&self, stamp: Stamp) -> bool {
        let reach = self.stamp.max(Stamp::HORIZON).0.saturating_add(Stamp::STEP);
        (stamp.0 <= reach || planted(Bug::BelievesTheEnd)) && stamp <= Stamp::MAX
    }

    /// What a client is told that this replica has seen, with a message of this stamp. It never goes back.
    pub(crate) fn seen_with(&self, stamp: Stamp) -> Stamp {
        if self.believes(stamp) { self.stamp.max(stamp) } else { self.stamp }
    }

    /// The stamp of a fact that was taken in, if it counts: an impossible one must not push anybody ahead.
    pub(crate) fn counted(&self, fact: &Fact) -> Stamp {
        if fact.impossible().is_some() || !self.believes(fact.stamp) { Stamp::default() } else { fact.stamp }
    }

    /// Makes a fact: after all that was ever seen here, and that the client has seen.
    pub(crate) fn make(&mut self, now: Now, author: AccountId, key: Option<Key>, body: Body) -> Arc<Fact> {
        // A clock of the year 80,000 must not make own facts impossible.
        let clock = Stamp(now.wall_us.min(Stamp::HORIZON.0));
        // No stamp that was believed leaves less room than that for all facts that will ever be made.
        self.stamp = Stamp(self.stamp.max(clock).0 + 1).min(Stamp::MAX);
        if planted(Bug::CapsStamps) {
            self.stamp = self.stamp.min(Stamp(clock.0 + 60_000_000));
        }
        self.last = self.last.next();
        self.made = Some(now.mono);
        let position = Position { incarnation: self.incarnation, seq: self.last };
        let changes = std::mem::take(&mut self.changes)
            .into_iter()
            .filter(|_| !planted(Bug::NamesNoChanges))
            .map(|(incarnation, seq)| Position { incarnation, seq })
            .collect();
        let key = key.unwrap_or_else(|| Key::of_position(position));
        Arc::new(Fact::new(position, changes, self.stamp, author, key, body))
    }

    /// Whether a fact was made here within this time.
    pub(crate) fn has_made(&self, now: Mono, within: Duration) -> bool {
        self.made.is_some_and(|made| now.since(made) < within)
    }

    /// Looks at a fact from outside, and keeps it if it came too early.
    pub(crate) fn come(&mut self, fact: &Arc<Fact>, room_bytes: usize) -> Came {
        if self.taken.covers(fact.position)
            || fact.position.incarnation == self.incarnation
            || self.held.contains(fact.position)
        {
            return Came::Known;
        }
        match self.missing(fact) {
            None => Came::Ready,
            Some(missing) if self.held.hold(fact.clone(), missing, room_bytes) => Came::Held(missing),
            Some(missing) => Came::Dropped(missing),
        }
    }

    /// What a fact rests on and is not there yet: the first of it.
    fn missing(&self, fact: &Fact) -> Option<Position> {
        let previous = fact.previous();
        if previous.seq > Seq::NONE && !self.taken.covers(previous) && !planted(Bug::SkipsGap) {
            return Some(previous);
        }
        if planted(Bug::AppliesBeforeCause) {
            return None;
        }
        fact.changes.iter().copied().find(|&change| change.seq > Seq::NONE && !self.taken.covers(change))
    }

    /// Takes a fact into the log, and says where.
    pub(crate) fn admit(&mut self, fact: &Arc<Fact>) -> LogIndex {
        self.end = self.end.next();
        self.taken.raise(fact.position);
        self.observe(fact.stamp);
        if fact.position.incarnation == self.incarnation {
            self.made_bytes += fact.bytes().len() as u64;
            self.recent.push(fact.clone());
        } else {
            self.changes.insert(fact.position.incarnation, self.taken.seq(fact.position.incarnation));
        }
        self.on_its_way.push_back((fact.position, fact.bytes().len()));
        self.on_its_way_bytes += fact.bytes().len();
        self.to_store.push(fact.clone());
        self.end
    }

    /// The facts that were held and can be taken in, now that this position was. One at a time: each
    /// is to be admitted before the next is asked for.
    pub(crate) fn next_ready(&mut self, admitted: Position) -> Option<Arc<Fact>> {
        while let Some(fact) = self.held.wake(admitted) {
            if self.taken.covers(fact.position) {
                self.held.forget(&fact);
                continue;
            }
            match self.missing(&fact) {
                None => {
                    self.held.forget(&fact);
                    return Some(fact);
                }
                Some(missing) => self.held.wait(fact.position, missing),
            }
        }
        None
    }

    /// Takes in a fact that is in the log on disk already.
    pub(crate) fn replay(&mut self, index: LogIndex, position: Position, stamp: Stamp) {
        self.observe(stamp);
        self.taken.raise(position);
        self.durable.raise(position);
        self.changes.insert(position.incarnation, self.taken.seq(position.incarnation));
        (self.end, self.durable_end) = (index, index);
        if planted(Bug::ReusesIncarnation) && position.incarnation == self.incarnation {
            self.last = self.last.max(position.seq);
        }
    }

    /// What is to be handed to the disk now, and where in the log its first fact goes.
    pub(crate) fn take_to_store(&mut self) -> Option<(LogIndex, Vec<Arc<Fact>>)> {
        let facts = std::mem::take(&mut self.to_store);
        let first = LogIndex(self.end.0 + 1 - facts.len() as u64);
        (!facts.is_empty()).then_some((first, facts))
    }

    /// The log is on disk up to here. Says what has become durable: the last of each incarnation.
    pub(crate) fn stored(&mut self, upto: LogIndex) -> Vec<Position> {
        let mut changes = BTreeMap::new();
        while self.durable_end < upto.min(self.end) {
            let Some((position, bytes)) = self.on_its_way.pop_front() else { break };
            self.on_its_way_bytes -= bytes;
            self.durable_end = self.durable_end.next();
            self.durable.raise(position);
            changes.insert(position.incarnation, position.seq);
        }
        changes.into_iter().map(|(incarnation, seq)| Position { incarnation, seq }).collect()
    }
}

/// The latest own facts, without a gap: what is pushed to peers that are nearly there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent {
    facts: VecDeque<Arc<Fact>>,
    bytes: usize,
}

impl Recent {
    fn push(&mut self, fact: Arc<Fact>) {
        self.bytes += fact.bytes().len();
        self.facts.push_back(fact);
    }

    /// Forgets the oldest, as far as they are on disk, down to so many bytes.
    pub(crate) fn shrink(&mut self, bytes: usize, durable: Seq) {
        while self.bytes > bytes && self.facts.front().is_some_and(|fact| fact.position.seq <= durable) {
            if let Some(fact) = self.facts.pop_front() {
                self.bytes -= fact.bytes().len();
            }
        }
    }

    /// The seq of the oldest; what is before it must be read from disk.
    pub(crate) fn first(&self) -> Option<Seq> {
        self.facts.front().map(|fact| fact.position.seq)
    }

    /// The fact at this position, if it is among them.
    pub(crate) fn at(&self, position: Position) -> Option<&Arc<Fact>> {
        self.from(position.seq).next().filter(|fact| fact.position == position)
    }

    /// From this seq on.
    pub(crate) fn from(&self, seq: Seq) -> impl Iterator<Item = &Arc<Fact>> {
        let skip = self.first().map_or(0, |first| seq.0.saturating_sub(first.0) as usize);
        self.facts.iter().skip(skip)
    }
}
