//! The network: what goes through, how fast, and in which order.
//!
//! The fault model: a link or a connection is in order, like TCP. A cut holds everything back; what is
//! held back goes on when the cut heals, if the link lives until then, and is lost with it.

use std::collections::{BTreeMap, BTreeSet};

use lastword_core::Mono;
use lastword_core::io::LinkId;

/// Where something comes from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Node(usize),
    Person(usize),
}

/// Two replicas, the lower first; one twice is that replica itself.
pub(crate) type Pair = (usize, usize);

pub(crate) fn pair(one: usize, other: usize) -> Pair {
    (one.min(other), one.max(other))
}

#[derive(Default)]
pub(crate) struct Network {
    /// Nothing goes through from the one to the other, until this time.
    cuts: BTreeMap<(Place, Place), Mono>,
    /// The same, for ever.
    severed: BTreeSet<(Place, Place)>,
    /// Dials are refused until then.
    pub(crate) refused: BTreeMap<Pair, Mono>,
    /// The links of replicas, and who knows of it.
    pub(crate) links: BTreeMap<Pair, LinkId>,
    /// The last arrival on each way: later things arrive later.
    arrivals: BTreeMap<(Place, Place, u64), Mono>,
    pub(crate) slow_until: Mono,
    /// When something was between two replicas, or the matter with one.
    unrest: BTreeMap<Pair, Vec<(Mono, Mono)>>,
    /// Since when two are not linked.
    apart: BTreeMap<Pair, Mono>,
}

impl Network {
    pub(crate) fn cut(&mut self, from: Place, to: Place, now: Mono, until: Mono) {
        let cut = self.cuts.entry((from, to)).or_default();
        *cut = (*cut).max(until);
        if let (Place::Node(one), Place::Node(other)) = (from, to) {
            self.disturb(pair(one, other), now, until);
        }
    }

    /// Cuts for ever.
    pub(crate) fn sever(&mut self, from: Place, to: Place, now: Mono) {
        self.severed.insert((from, to));
        if let (Place::Node(one), Place::Node(other)) = (from, to) {
            self.disturb(pair(one, other), now, Mono(std::time::Duration::MAX));
        }
    }

    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
        self.refused.clear();
        self.slow_until = Mono::default();
    }

    /// Until when nothing goes through.
    pub(crate) fn cut_until(&self, from: Place, to: Place, now: Mono) -> Option<Mono> {
        if self.severed.contains(&(from, to)) {
            return Some(Mono(std::time::Duration::from_secs(1_000_000)));
        }
        self.cuts.get(&(from, to)).copied().filter(|&until| until > now)
    }

    pub(crate) fn is_cut(&self, one: Place, other: Place, now: Mono) -> bool {
        self.cut_until(one, other, now).is_some() || self.cut_until(other, one, now).is_some()
    }

    pub(crate) fn is_severed(&self, one: usize, other: usize) -> bool {
        let (one, other) = (Place::Node(one), Place::Node(other));
        self.severed.contains(&(one, other)) || self.severed.contains(&(other, one))
    }

    /// When something arrives that would take until `at`, on the way with this number.
    pub(crate) fn arrival(&mut self, from: Place, to: Place, way: u64, now: Mono, at: Mono) -> Mono {
        let free = self.cut_until(from, to, now).map_or(at, |until| at.max(until));
        let last = self.arrivals.entry((from, to, way)).or_default();
        *last = free.max(*last);
        *last
    }

    // What was between whom, for those who ask afterwards.

    /// Something is between two replicas, or the matter with one, from now until then.
    pub(crate) fn disturb(&mut self, pair: Pair, now: Mono, until: Mono) {
        self.unrest.entry(pair).or_default().push((now, until));
    }

    pub(crate) fn joined(&mut self, pair: Pair, now: Mono) {
        let since = self.apart.remove(&pair).unwrap_or_default();
        self.disturb(pair, since, now);
    }

    pub(crate) fn parted(&mut self, pair: Pair, now: Mono) {
        self.apart.entry(pair).or_insert(now);
    }

    /// Whether two replicas (or one) were linked and undisturbed all the time.
    pub(crate) fn was_calm(&self, pair: Pair, from: Mono, to: Mono) -> bool {
        let unrest = self.unrest.get(&pair).into_iter().flatten();
        let linked = pair.0 == pair.1
            || self.unrest.contains_key(&pair) && self.apart.get(&pair).is_none_or(|&since| since > to);
        linked && unrest.into_iter().all(|&(began, ended)| ended < from || began > to)
    }
}
