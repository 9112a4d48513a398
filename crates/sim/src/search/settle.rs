//! The end of every path: the trouble is over, everything is delivered, and time passes.

use std::collections::HashSet;

use super::group::{Group, Taken};
use super::invariants;
use super::scenario::{Budget, REPLICAS};
use super::state::{PAIRS, Stage, State, Step};

/// By then all must be well: longer than an attempt at a name, and than all patience with peers.
const PASSES: u16 = 40;
/// Without time, everything comes to rest in so many steps.
const STEPS: usize = 5000;

/// The ends of paths, and which of them are known to be good.
#[derive(Default)]
pub(super) struct Settle {
    good: HashSet<State>,
    pub(super) steps: u64,
}

impl Settle {
    /// Goes from this state to its end, always by the same way. On a violation also says by which steps.
    pub(super) fn settle(&mut self, group: &mut Group, from: &State) -> Result<State, (String, Vec<Step>)> {
        let mut state = at_the_end(from);
        let (mut path, mut seen, end) = (Vec::new(), Vec::new(), from.time + PASSES);
        while !self.good.contains(&state) {
            seen.push(state);
            let step = match next(group, &state) {
                Some(step) => step,
                None => match is_well(group, &state) {
                    Ok(()) => break,
                    Err(what) if state.time >= end => return Err((what, path)),
                    Err(_) => Step::Pass,
                },
            };
            path.push(step);
            self.steps += 1;
            let Taken { state: after, violation, .. } = group.take(&state, step);
            if let Some(violation) = violation {
                return Err((violation, path));
            }
            if path.len() > STEPS {
                return Err(("it never comes to rest".to_owned(), path));
            }
            state = after;
        }
        self.good.extend(seen);
        Ok(state)
    }
}

/// The same state without all that will not happen any more.
pub(super) fn at_the_end(state: &State) -> State {
    let mut state = State { left: Budget::default(), ..*state };
    for stage in &mut state.operations {
        if *stage == Stage::Ahead {
            *stage = Stage::Never;
        }
    }
    state
}

/// What happens next of what must: first all run and are linked, then everything is delivered and synced.
pub(super) fn next(group: &Group, state: &State) -> Option<Step> {
    if let Some(replica) = (0..REPLICAS).find(|&replica| !group.replica(state, replica).is_up()) {
        return Some(Step::Start(replica));
    }
    let mut steps = Vec::new();
    group.going_on(state, &mut steps);
    let down = steps.iter().find(|step| matches!(step, Step::Down { .. })).copied();
    let join = || (0..PAIRS.len()).find(|&pair| group.may_join(state, pair)).map(Step::Join);
    down.or_else(join).or_else(|| steps.first().copied())
}

/// All is as it must be at the end.
pub(super) fn is_well(group: &Group, state: &State) -> Result<(), String> {
    let replicas: Vec<_> = (0..REPLICAS).map(|number| group.replica(state, number).as_ref()).collect();
    invariants::are_one(&replicas)?;
    if let Some(number) = state.operations.iter().position(|&stage| stage == Stage::Asked) {
        return Err(format!("operation {number} is never answered"));
    }
    for number in 0..group.scenario.operations() {
        let kept = matches!(state.operations[number], Stage::Stored(_) | Stage::Created);
        let Some(identity) = group.scenario.identity(number).filter(|_| kept) else { continue };
        let there = replicas[0].disk.log.iter().any(|fact| (fact.author, fact.key) == identity);
        // A disk that was not emptied still has all that it ever had.
        let wiped = |replica: &&super::replica::Replica| replica.wiped || !replica.had.contains(&identity);
        if !there && !replicas.iter().all(wiped) {
            return Err(format!("operation {number} was acknowledged, and is lost"));
        }
    }
    Ok(())
}
