//! The group: to what state a step leads.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use lastword_core::PeerMessage;

use super::driver::Driver;
use super::invariants;
use super::replica::{Effect, Happening, Replica};
use super::scenario::{Budget, OPERATIONS, REPLICAS, Scenario};
use super::state::{PAIRS, Pair, Stage, State, Step, Table, pair_of};

/// What one happening does to one replica.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) happening: Happening,
    pub(super) replica: usize,
    pub(super) effects: Vec<Effect>,
    /// The numbers of the messages among the effects, in their order.
    messages: Vec<u32>,
    after: u32,
}

/// A group, and everything that was ever worked out about it.
pub(super) struct Group {
    pub(super) scenario: Scenario,
    pub(super) replicas: Table<u128, Rc<Replica>>,
    pairs: Table<Pair, Pair>,
    messages: Table<Vec<u8>, PeerMessage>,
    outcomes: HashMap<(usize, u32, u16, Happening), Rc<Outcome>>,
    /// Pairs of a holder and a maker that agree.
    pub(super) agree: HashSet<(u32, usize, u32)>,
}

/// Where a step has led, and what happened to whom on the way.
pub(super) struct Taken {
    pub(super) state: State,
    pub(super) outcomes: Vec<Rc<Outcome>>,
    pub(super) violation: Option<String>,
}

impl Group {
    pub(super) fn new(scenario: Scenario) -> Self {
        assert!(scenario.operations() <= OPERATIONS, "{}: at most {OPERATIONS} operations", scenario.name);
        Self {
            scenario,
            replicas: Table::default(),
            pairs: Table::default(),
            messages: Table::default(),
            outcomes: HashMap::new(),
            agree: HashSet::new(),
        }
    }

    /// Nobody runs yet.
    pub(super) fn empty(&mut self) -> State {
        let replica = Replica::default();
        let replica = self.replicas.number(replica.hash(), || Rc::new(replica));
        let pair = self.pairs.number(Pair::default(), Pair::default);
        State {
            time: 0,
            replicas: [replica; REPLICAS],
            pairs: [pair; REPLICAS],
            operations: [Stage::Never; OPERATIONS],
            left: Budget::default(),
            split: false,
        }
    }

    pub(super) fn replica(&self, state: &State, number: usize) -> &Rc<Replica> {
        self.replicas.of(state.replicas[number])
    }

    pub(super) fn pair(&self, state: &State, number: usize) -> &Pair {
        self.pairs.of(state.pairs[number])
    }

    pub(super) fn message(&self, number: u32) -> &PeerMessage {
        self.messages.of(number)
    }

    /// Replicas and happenings that were worked out.
    pub(super) fn worked_out(&self) -> (usize, usize) {
        (self.replicas.len(), self.outcomes.len())
    }

    /// Takes a step, and then those that take no time.
    pub(super) fn take(&mut self, state: &State, step: Step) -> Taken {
        let mut taken = self.take_one(state, step);
        let near = self.scenario.near;
        let of_near = |step: &Step| match *step {
            Step::Up { pair, .. } | Step::Down { pair, .. } | Step::Deliver { pair, .. } => near[pair],
            _ => false,
        };
        let mut steps = Vec::new();
        while near.contains(&true) && taken.violation.is_none() {
            steps.clear();
            self.going_on(&taken.state, &mut steps);
            let Some(&step) = steps.iter().find(|step| of_near(step)) else { break };
            let after = self.take_one(&taken.state, step);
            taken.outcomes.extend(after.outcomes);
            (taken.state, taken.violation) = (after.state, after.violation);
        }
        taken
    }

    fn take_one(&mut self, state: &State, step: Step) -> Taken {
        let mut taken = Taken { state: *state, outcomes: Vec::new(), violation: None };
        match step {
            Step::Up { pair, end } => {
                let mut link = self.pair(state, pair).clone();
                (link.ends[end].known, link.ends[end].coming) = (link.link, false);
                let (replica, peer) = sides(pair, end);
                let id = link_id(pair, link.link);
                self.put_pair(&mut taken.state, pair, link);
                self.happen(&mut taken, replica, Happening::Up { peer, link: id });
            }
            Step::Down { pair, end } => {
                let mut link = self.pair(state, pair).clone();
                let known = std::mem::take(&mut link.ends[end].known);
                if known == link.link {
                    link.ends[end].inbox.clear();
                }
                let (replica, peer) = sides(pair, end);
                self.put_pair(&mut taken.state, pair, link);
                self.happen(&mut taken, replica, Happening::Down { peer, link: link_id(pair, known) });
            }
            Step::Deliver { pair, end } => {
                let mut link = self.pair(state, pair).clone();
                let message = link.ends[end].inbox.remove(0);
                let (replica, peer) = sides(pair, end);
                let id = link_id(pair, link.link);
                self.put_pair(&mut taken.state, pair, link);
                self.happen(&mut taken, replica, Happening::Message { peer, link: id, message });
            }
            Step::Sync(replica) => self.happen(&mut taken, replica, Happening::Sync),
            Step::Ask(number) => {
                taken.state.operations[number] = Stage::Asked;
                if let Some(at) = self.scenario.operation(number).map(|operation| operation.at) {
                    self.happen(&mut taken, at, Happening::Ask(number));
                }
            }
            Step::Crash { replica, survives } => {
                taken.state.left.crashes = state.left.crashes.saturating_sub(1);
                self.happen(&mut taken, replica, Happening::Crash { survives });
                self.after_crash(&mut taken.state, replica);
            }
            Step::Start(replica) => self.happen(&mut taken, replica, Happening::Start),
            Step::Wipe(replica) => {
                taken.state.left.wipes = state.left.wipes.saturating_sub(1);
                self.happen(&mut taken, replica, Happening::Wipe);
            }
            Step::Cut(pair) => {
                taken.state.left.cuts = state.left.cuts.saturating_sub(1);
                let mut link = self.pair(state, pair).clone();
                link.break_link();
                self.put_pair(&mut taken.state, pair, link);
            }
            Step::Join(pair) => {
                let mut link = self.pair(state, pair).clone();
                link.join();
                self.put_pair(&mut taken.state, pair, link);
            }
            Step::Pass => {
                taken.state.left.passes = state.left.passes.saturating_sub(1);
                taken.state.time += 1;
                for replica in 0..REPLICAS {
                    if self.replica(&taken.state, replica).is_up() {
                        self.happen(&mut taken, replica, Happening::Timer);
                    }
                }
            }
        }
        if taken.state.left.crashes == 0 && (0..REPLICAS).all(|replica| self.replica(&taken.state, replica).is_up()) {
            // Nobody will be down any more.
            taken.state.left.wipes = 0;
        }
        self.judge(state, &mut taken);
        taken
    }

    fn put_pair(&mut self, state: &mut State, pair: usize, link: Pair) {
        state.pairs[pair] = self.pairs.number(link.clone(), || link);
    }

    /// The process is gone: its clients hear nothing any more, and its links are broken.
    fn after_crash(&mut self, state: &mut State, replica: usize) {
        for (pair, &(one, other)) in PAIRS.iter().enumerate() {
            if one != replica && other != replica {
                continue;
            }
            let mut link = self.pair(state, pair).clone();
            link.break_link();
            link.ends[usize::from(other == replica)] = Default::default();
            self.put_pair(state, pair, link);
        }
        for number in 0..self.scenario.operations() {
            let here = self.scenario.operation(number).is_some_and(|operation| operation.at == replica);
            if here && state.operations[number] == Stage::Asked {
                state.operations[number] = Stage::Lost;
            }
        }
    }

    /// Lets something happen to a replica, and carries out what that one wants done.
    fn happen(&mut self, taken: &mut Taken, replica: usize, happening: Happening) {
        let outcome = self.outcome(&taken.state, replica, happening);
        taken.state.replicas[replica] = outcome.after;
        let mut messages = outcome.messages.iter();
        for effect in &outcome.effects {
            match *effect {
                Effect::Send { peer, link, .. } => {
                    let Some(&message) = messages.next() else { continue };
                    let (pair, end) = pair_of(replica, peer);
                    let mut between = self.pair(&taken.state, pair).clone();
                    if between.whole && link_id(pair, between.link) == link {
                        between.ends[1 - end].inbox.push(message);
                        self.put_pair(&mut taken.state, pair, between);
                    }
                }
                Effect::CloseLink { peer, link } => {
                    let (pair, end) = pair_of(replica, peer);
                    let mut between = self.pair(&taken.state, pair).clone();
                    if between.whole && link_id(pair, between.link) == link {
                        between.break_link();
                        between.ends[end] = Default::default();
                        self.put_pair(&mut taken.state, pair, between);
                    }
                }
                Effect::Answer { operation, stage, in_sync } => {
                    taken.state.operations[operation] = stage;
                    if let (Stage::Stored(copies), None) = (stage, &taken.violation) {
                        taken.violation = self.check_copies(&taken.state, replica, operation, copies, in_sync).err();
                    }
                }
                Effect::Violation(ref what) => {
                    taken.violation = Some(format!("{}: {what}", invariants::name(replica)));
                }
            }
        }
        taken.outcomes.push(outcome);
    }

    fn outcome(&mut self, state: &State, number: usize, happening: Happening) -> Rc<Outcome> {
        let key = (number, state.replicas[number], state.time, happening);
        if let Some(known) = self.outcomes.get(&key) {
            return known.clone();
        }
        let message = match happening {
            Happening::Message { message, .. } => Some(self.message(message).clone()),
            _ => None,
        };
        let replica = Replica::clone(self.replica(state, number));
        let (after, effects) = Driver::new(&self.scenario, number, state.time, replica).happen(happening, message);
        let after = self.replicas.number(after.hash(), || Rc::new(after));
        let mut messages = Vec::new();
        for effect in &effects {
            if let Effect::Send { message, .. } = effect {
                let mut bytes = Vec::new();
                message.encode(&mut bytes);
                messages.push(self.messages.number(bytes, || message.clone()));
            }
        }
        let outcome = Rc::new(Outcome { happening, replica: number, effects, messages, after });
        self.outcomes.insert(key, outcome.clone());
        outcome
    }
}

/// The replica at one end of a pair, and the one at the other.
pub(super) fn sides(pair: usize, end: usize) -> (usize, usize) {
    let (one, other) = PAIRS[pair];
    if end == 0 { (one, other) } else { (other, one) }
}

/// Links of different pairs, and of one pair after each other, never have the same id.
fn link_id(pair: usize, link: u16) -> u64 {
    (pair as u64 + 1) * 1000 + u64::from(link)
}
