//! What may happen next, and what of it has to be tried.

use super::group::{Group, sides};
use super::scenario::{Budget, REPLICAS};
use super::state::{End, PAIRS, Stage, State, Step};

impl Group {
    /// What goes on by itself, without trouble and without time.
    pub(super) fn going_on(&self, state: &State, into: &mut Vec<Step>) {
        for (pair, _) in PAIRS.iter().enumerate() {
            let link = self.pair(state, pair);
            for (end, side) in link.ends.iter().enumerate() {
                if side.coming {
                    into.push(Step::Up { pair, end });
                } else if side.known == link.link && !side.inbox.is_empty() {
                    into.push(Step::Deliver { pair, end });
                }
                if side.is_stale(link) {
                    into.push(Step::Down { pair, end });
                }
            }
        }
        for replica in 0..REPLICAS {
            if self.replica(state, replica).is_up() && self.replica(state, replica).syncs() {
                into.push(Step::Sync(replica));
            }
        }
    }

    /// What is to be tried next: all that may happen, or, where that loses nothing, only what may happen to
    /// some of the replicas.
    ///
    /// When no trouble can come any more, steps of different replicas commute: each takes from the front of
    /// what is on its way to it, and adds to the end of what is on its way to others. If besides nothing that
    /// the others do can offer the chosen ones a step that they have not got already, then whatever the others
    /// do first may as well be done after the next step of the chosen ones, whichever that is. (A persistent
    /// set, in the words of Godefroid.) What is checked loses nothing either: disks only gain by what others
    /// do first.
    pub(super) fn to_try(&self, state: &State, into: &mut Vec<Step>) {
        self.enabled(state, into);
        // Whether those who want one name were connected is judged at every step: until all have asked, it
        // matters who hears of a link first.
        let wanted =
            |number: usize| state.operations[number] == Stage::Ahead && self.scenario.name_wanted(number).is_some();
        let links_come = (0..PAIRS.len()).any(|pair| self.pair(state, pair).whole && !self.pair(state, pair).is_up());
        if !self.scenario.reduced
            || state.left != Budget::default()
            || links_come && (0..self.scenario.operations()).any(wanted)
        {
            return;
        }
        let of = |chosen: u8| move |replica: usize| chosen & 1 << replica != 0;
        let count = |chosen: u8| into.iter().filter(|step| self.happens_to(**step).is_some_and(of(chosen))).count();
        let sets = (1..(1u8 << REPLICAS) - 1).filter(|&chosen| self.is_closed(state, of(chosen)));
        let fewest = sets.map(|chosen| (count(chosen), chosen)).filter(|&(steps, _)| steps > 0).min();
        if let Some((_, chosen)) = fewest {
            into.retain(|step| self.happens_to(*step).is_some_and(of(chosen)));
        }
    }

    /// Nothing that the others do can offer these replicas a step that they have not got already: wherever
    /// something can come from another, something is on its way already.
    fn is_closed(&self, state: &State, chosen: impl Fn(usize) -> bool) -> bool {
        let all_up = (0..REPLICAS).all(|replica| !chosen(replica) || self.replica(state, replica).is_up());
        all_up
            && PAIRS.iter().enumerate().all(|(pair, &(one, other))| {
                let link = self.pair(state, pair);
                let filled = |end: &End| match end.coming {
                    true => end.known == 0,
                    false => end.known == link.link && !end.inbox.is_empty(),
                };
                let never = self.scenario.apart[pair] && link.ends.iter().all(|end| end.known == 0);
                match (chosen(one), chosen(other)) {
                    (false, false) => true,
                    (true, true) => link.whole || never,
                    (true, false) => never || link.whole && filled(&link.ends[0]),
                    (false, true) => never || link.whole && filled(&link.ends[1]),
                }
            })
    }

    /// The replica that a step happens to, if it is one alone.
    fn happens_to(&self, step: Step) -> Option<usize> {
        match step {
            Step::Up { pair, end } | Step::Down { pair, end } | Step::Deliver { pair, end } => Some(sides(pair, end).0),
            Step::Sync(replica) => Some(replica),
            Step::Ask(number) => self.scenario.operation(number).map(|operation| operation.at),
            _ => None,
        }
    }

    /// All that may happen next.
    pub(super) fn enabled(&self, state: &State, into: &mut Vec<Step>) {
        self.going_on(state, into);
        let up = |replica: usize| self.replica(state, replica).is_up();
        // Of those at one replica the first that has not asked yet.
        let mut asks = [false; REPLICAS];
        for number in 0..self.scenario.operations() {
            let Some(operation) = self.scenario.operation(number) else { continue };
            let ahead = state.operations[number] == Stage::Ahead;
            if ahead && !std::mem::replace(&mut asks[operation.at], true) && up(operation.at) {
                into.push(Step::Ask(number));
            }
        }
        for replica in 0..REPLICAS {
            if !up(replica) {
                into.push(Step::Start(replica));
                if state.left.wipes > 0 && !self.replica(state, replica).disk.log.is_empty() {
                    into.push(Step::Wipe(replica));
                }
            } else if state.left.crashes > 0 && self.scenario.mortal[replica] {
                into.push(Step::Crash { replica, survives: false });
                if self.replica(state, replica).syncs() {
                    into.push(Step::Crash { replica, survives: true });
                }
            }
        }
        for (pair, _) in PAIRS.iter().enumerate() {
            if self.pair(state, pair).is_up() && state.left.cuts > 0 && self.scenario.breakable[pair] {
                into.push(Step::Cut(pair));
            }
            if !self.scenario.apart[pair] && self.may_join(state, pair) {
                into.push(Step::Join(pair));
            }
        }
        if state.left.passes > 0 {
            into.push(Step::Pass);
        }
    }

    pub(super) fn may_join(&self, state: &State, pair: usize) -> bool {
        let ((one, other), link) = (PAIRS[pair], self.pair(state, pair));
        let heard = self.scenario.overtaking || link.ends.iter().all(|end| end.known == 0);
        self.replica(state, one).is_up() && self.replica(state, other).is_up() && !link.whole && heard
    }
}
