//! The network: what goes through, how fast, and in which order.
//!
//! The fault model: a link or a connection is in order, like TCP. A cut holds everything back; what is
//! held back goes on when the cut heals, if the link lives until then, and is lost with it.

use std::collections::BTreeMap;

use lastword_core::Mono;
use lastword_core::io::LinkId;

/// Where something comes from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Node(usize),
    Person(usize),
}

#[derive(Default)]
pub(crate) struct Network {
    /// Nothing goes through from the one to the other, until this time.
    cuts: BTreeMap<(Place, Place), Mono>,
    /// The links of replicas: by pair, the lower first; and who knows of it.
    pub(crate) links: BTreeMap<(usize, usize), LinkId>,
    /// The last arrival on each way: later things arrive later.
    arrivals: BTreeMap<(Place, Place, u64), Mono>,
    pub(crate) slow_until: Mono,
}

impl Network {
    pub(crate) fn cut(&mut self, from: Place, to: Place, until: Mono) {
        let cut = self.cuts.entry((from, to)).or_default();
        *cut = (*cut).max(until);
    }

    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
        self.slow_until = Mono::default();
    }

    /// Until when nothing goes through.
    pub(crate) fn cut_until(&self, from: Place, to: Place, now: Mono) -> Option<Mono> {
        self.cuts.get(&(from, to)).copied().filter(|&until| until > now)
    }

    pub(crate) fn is_cut(&self, one: Place, other: Place, now: Mono) -> bool {
        self.cut_until(one, other, now).is_some() || self.cut_until(other, one, now).is_some()
    }

    /// When something arrives that would take until `at`, on the way with this number.
    pub(crate) fn arrival(&mut self, from: Place, to: Place, way: u64, now: Mono, at: Mono) -> Mono {
        let free = self.cut_until(from, to, now).map_or(at, |until| at.max(until));
        let last = self.arrivals.entry((from, to, way)).or_default();
        *last = free.max(*last);
        *last
    }
}
