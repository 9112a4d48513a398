//! An exhaustive search: all interleavings of a small group of real cores, within bounds.
//!
//! The seeds of the simulator reach far, and miss what needs one exact order of few steps. Here every
//! order is tried: from a healthy group, whatever may happen next happens, each in a state of its own,
//! until nothing new comes up. States are told apart exactly, but for replicas, which are told apart by
//! 128 bits of hash over all that they are.
//!
//! Time stands still but for steps of its own, which are counted like crashes; between them whatever is
//! on its way may take as long as it likes. What is not searched: signs of life (links break, or work),
//! damaged records, full disks, and the crash between two effects of one input (a link that breaks with
//! what is on its way, and a sync that does not survive, come to the same).
//!
//! * [`scenario`]: what a search begins with, and how much may go wrong.
//! * `state`: a state in numbers. `next`: what may happen in it. `group`: where that leads.
//! * `replica`, `disk`: one core with its disk. `driver`: what happens to it.
//! * `invariants`, `judge`: what must be true. `settle`: what must be true at the end of every path.
//! * `transcript`: how it came to a violation, in words.

mod disk;
mod driver;
mod group;
mod invariants;
mod judge;
mod next;
mod replica;
pub mod scenario;
mod settle;
mod state;
mod transcript;

use std::collections::{BTreeSet, HashSet};

use group::Group;
use settle::Settle;
use state::{Stage, State, Step};

pub use scenario::{Budget, Deed, Operation, Scenario};

/// What a search has found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// States that were reached, each looked at once.
    pub states: usize,
    /// Those among them in which nothing is left to happen.
    pub ends: usize,
    /// Steps that were taken between them.
    pub steps: u64,
    /// Steps from states to the ends of their paths.
    pub settling: u64,
    /// Replicas that differ, and happenings to them that were worked out.
    pub worked_out: (usize, usize),
    /// How far operations have come in any of the states: what was answered, and what was not.
    pub answers: BTreeSet<String>,
    /// Whether every state that can be reached was looked at.
    pub complete: bool,
    /// What is wrong, with the steps that lead there.
    pub violation: Option<String>,
}

struct Node {
    state: State,
    parent: u32,
    step: Step,
}

/// Searches a scenario, nearest states first, up to the first violation.
pub fn search(scenario: Scenario) -> Found {
    let most = scenario.most_states;
    let mut group = Group::new(scenario);
    let mut settle = Settle::default();
    let mut found = Found::default();
    let start = match begin(&mut group, &mut settle) {
        Ok(start) => start,
        Err(violation) => return Found { violation: Some(violation), ..found },
    };
    let mut nodes = vec![Node { state: start, parent: 0, step: Step::Pass }];
    let mut numbers = HashSet::from([start]);
    let mut answers = BTreeSet::new();
    let mut steps = Vec::new();
    let mut at = 0;
    'search: while at < nodes.len() {
        let state = nodes[at].state;
        steps.clear();
        group.to_try(&state, &mut steps);
        found.ends += usize::from(steps.is_empty());
        for &step in &steps {
            found.steps += 1;
            let taken = group.take(&state, step);
            if let Some(what) = taken.violation {
                let path = path_to(&nodes, at).chain([step]).collect();
                found.violation = Some(transcript::write(&mut group, &start, path, Vec::new(), &what));
                break 'search;
            }
            if !numbers.insert(taken.state) {
                continue;
            }
            answers.extend(taken.state.operations);
            nodes.push(Node { state: taken.state, parent: at as u32, step });
            if let Err((what, end)) = settle.settle(&mut group, &taken.state) {
                let path = path_to(&nodes, nodes.len() - 1).collect();
                found.violation = Some(transcript::write(&mut group, &start, path, end, &what));
                break 'search;
            }
            if nodes.len() >= most {
                break 'search;
            }
        }
        at += 1;
    }
    found.complete = at == nodes.len();
    (found.states, found.settling, found.worked_out) = (nodes.len(), settle.steps, group.worked_out());
    found.answers = answers.into_iter().map(|answer| format!("{answer:?}")).collect();
    found
}

/// The steps that lead to a state.
fn path_to(nodes: &[Node], mut at: usize) -> impl Iterator<Item = Step> {
    let mut path = Vec::new();
    while at > 0 {
        path.push(nodes[at].step);
        at = nodes[at].parent as usize;
    }
    path.into_iter().rev()
}

/// A healthy group at rest, with what is done before the search; then whoever is to be apart is. If that goes
/// wrong already, says how.
fn begin(group: &mut Group, settle: &mut Settle) -> Result<State, String> {
    let empty = group.empty();
    let rest = |group: &mut Group, settle: &mut Settle, state: State| match settle.settle(group, &state) {
        Ok(state) => Ok(state),
        Err((what, path)) => Err(transcript::write(group, &state, Vec::new(), path, &what)),
    };
    let mut state = rest(group, settle, empty)?;
    for number in 0..group.scenario.before.len() {
        state = group.take(&state, Step::Ask(number)).state;
        state = rest(group, settle, state)?;
        if state.operations[number] != Stage::Created {
            return Err(format!("{}: operation {number} is refused before the search", group.scenario.name));
        }
    }
    for pair in 0..group.scenario.apart.len() {
        if group.scenario.apart[pair] {
            state = group.take(&state, Step::Cut(pair)).state;
            for end in 0..2 {
                state = group.take(&state, Step::Down { pair, end }).state;
            }
        }
    }
    for number in group.scenario.before.len()..group.scenario.operations() {
        state.operations[number] = Stage::Ahead;
    }
    Ok(State { left: group.scenario.budget, split: false, ..state })
}
