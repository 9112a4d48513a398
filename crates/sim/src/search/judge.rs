//! What must be true of the group as a whole after every step.

use super::group::{Group, Taken};
use super::invariants;
use super::scenario::REPLICAS;
use super::state::{Stage, State, pair_of};

impl Group {
    /// A message is on as many disks as its sender is told, and on those of all that were in sync.
    ///
    /// A peer counts if its disk has the message now. If its link is broken and the replica that answers has
    /// not heard of it yet, the disk may have been emptied meanwhile: then it counts if it ever had it.
    pub(super) fn check_copies(
        &self,
        state: &State,
        replica: usize,
        operation: usize,
        copies: u8,
        in_sync: usize,
    ) -> Result<(), String> {
        let Some(identity) = self.scenario.identity(operation) else { return Ok(()) };
        let mut most = 0;
        for other in 0..REPLICAS {
            let disk = self.replica(state, other);
            let has = disk.disk.log.iter().any(|fact| (fact.author, fact.key) == identity);
            most += u8::from(if other == replica {
                has
            } else {
                let (pair, end) = pair_of(replica, other);
                let link = self.pair(state, pair);
                let known = link.ends[end].known != 0;
                known && (has || link.ends[end].is_stale(link) && disk.had.contains(&identity))
            });
        }
        let who = invariants::name(replica);
        if copies > most {
            return Err(format!("{who} tells of {copies} copies of operation {operation}, and {most} disks have it"));
        }
        if usize::from(copies) < 1 + in_sync {
            return Err(format!("{who} tells of {copies} copies, and {in_sync} peers are in sync"));
        }
        Ok(())
    }

    /// What can be seen only of the group as a whole.
    pub(super) fn judge(&mut self, before: &State, taken: &mut Taken) {
        let state = taken.state;
        for holder in 0..REPLICAS {
            for made in 0..REPLICAS {
                let (one, other) = (state.replicas[holder], state.replicas[made]);
                let new = one != before.replicas[holder] || other != before.replicas[made];
                if holder != made && new && self.agree.insert((one, made, other)) {
                    let (one, other) = (self.replicas.of(one), self.replicas.of(other));
                    if let Err(what) = invariants::holds_what_was_made(one, made, other) {
                        taken.violation.get_or_insert(format!("{}: {what}", invariants::name(holder)));
                    }
                }
            }
        }
        self.judge_names(taken);
    }

    /// Two who want one name never both get it, if their replicas were connected all the time, directly or
    /// through the third.
    fn judge_names(&self, taken: &mut Taken) {
        let creates: Vec<usize> = (0..self.scenario.operations())
            .filter(|&number| number >= self.scenario.before.len() && self.scenario.name_wanted(number).is_some())
            .collect();
        let [one, other] = creates[..] else { return };
        let (Some(first), Some(second)) = (self.scenario.name_wanted(one), self.scenario.name_wanted(other)) else {
            return;
        };
        let stages = [one, other].map(|number| taken.state.operations[number]);
        let at = |number: usize| self.scenario.operation(number).map_or(0, |operation| operation.at);
        if stages.iter().any(|&stage| !matches!(stage, Stage::Ahead | Stage::Never)) && at(one) != at(other) {
            let up = |one: usize, other: usize| self.pair(&taken.state, pair_of(one, other).0).is_up();
            let (one, other) = (at(one), at(other));
            let third = REPLICAS - one - other;
            taken.state.split |= !(up(one, other) || up(one, third) && up(third, other));
        }
        let same = first.eq_ignore_ascii_case(second) && self.scenario.identity(one) != self.scenario.identity(other);
        if same && stages == [Stage::Created; 2] && !taken.state.split {
            taken.violation.get_or_insert("two users have got one name".to_owned());
        }
    }
}
