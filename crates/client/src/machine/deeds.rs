//! What the caller asked for, in the order it was asked: one list.
//!
//! A deed stays in the list until it is answered; and then on, if its answer said that not every disk
//! has it (`stored` < `of`), until a later answer of the same replica says so of itself: that replica
//! had stored both, in this order. At a failover the whole list is sent again, in order, before
//! anything new. So the client is one more replica for what only one disk had.
//!
//! Invariants:
//! 1. Before `cursor` nothing is waiting to be sent.
//! 2. A deed that changes the session ([`is_barrier`]) is sent when nothing is in flight, and nothing
//!    is sent while it is in flight: logins are not answered in order.
//! 3. A deed that waits for its time holds up all after it. Sends never overtake one another.
//! 4. A replica that has not caught up may refuse a message for want of its receiver, and learn of them before
//!    the next one. So the first message to somebody goes alone, until it is clear that the leader knows them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lastword_marks::{Bug, planted};
use lastword_protocol::Op;
use lastword_protocol::request::Receiver;

use super::io::{CommandId, Time};

/// Something the caller asked for.
pub(super) struct Deed {
    /// Whom to answer; `None` once answered.
    pub command: Option<CommandId>,
    /// What to do.
    pub op: Op,
    /// How far it is.
    pub state: State,
    /// It was sent on a connection that is gone: it may have been done.
    pub sent_before: bool,
    /// It was ever sent.
    pub sent: bool,
    /// How often it was delayed, or sent again for want of a login.
    pub retries: u32,
    /// Which replicas said that they can't do it now.
    pub refused_by: BTreeSet<usize>,
}

/// How far a deed is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// To be sent, not before this time.
    Waiting(Time),
    /// Sent to the leader, not answered.
    Sent,
    /// Answered by this replica, but not on every disk.
    Uncovered(usize),
}

/// The list.
pub(super) struct Deeds {
    list: BTreeMap<u64, Deed>,
    next: u64,
    cursor: u64,
    in_flight: usize,
    unanswered: usize,
    barrier: Option<u64>,
    /// By address: the message in flight to somebody of whom it is not clear that the leader knows them.
    probing: BTreeMap<String, u64>,
    /// Receivers that the leader has taken a message for.
    known_here: BTreeSet<String>,
    /// By replica: which deeds are [`State::Uncovered`].
    uncovered: Vec<BTreeSet<u64>>,
    uncovered_most: usize,
    /// Every command has the same patience, so this is in order of time.
    deadlines: VecDeque<(Time, u64)>,
}

/// Whether a deed changes the session of the connection.
pub(super) fn is_barrier(op: &Op) -> bool {
    is_slow(op) || matches!(op, Op::Logout { .. } | Op::Delete { .. })
}

/// Whether a deed costs a password hash or a verdict on a name.
pub(super) fn is_slow(op: &Op) -> bool {
    matches!(op, Op::Create { .. } | Op::Login { .. } | Op::Password { .. })
}

/// How many receivers are remembered that a leader knows. Beyond, they are asked about again.
const KNOWN_MOST: usize = 10_000;

/// To whom a message goes.
fn receiver(op: &Op) -> Option<&Receiver> {
    match op {
        Op::Send { to, .. } => Some(to),
        _ => None,
    }
}

/// The same as a text: no name has a `#`.
fn address(to: &Receiver) -> String {
    match to {
        Receiver::Account(account) => format!("#{account}"),
        Receiver::Name(name) => name.to_ascii_lowercase(),
    }
}

impl Deeds {
    pub fn new(replicas: usize, uncovered_most: usize) -> Self {
        Self {
            list: BTreeMap::new(),
            next: 0,
            cursor: 0,
            in_flight: 0,
            unanswered: 0,
            barrier: None,
            probing: BTreeMap::new(),
            known_here: BTreeSet::new(),
            uncovered: vec![BTreeSet::new(); replicas],
            uncovered_most,
            deadlines: VecDeque::new(),
        }
    }

    /// Whether there is nothing to do, nor anything kept for the next replica.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many wait for an answer that their caller waits for.
    pub fn unanswered(&self) -> usize {
        self.unanswered
    }

    pub fn push(&mut self, command: CommandId, op: Op, deadline: Time) {
        let number = self.next;
        self.next += 1;
        self.unanswered += 1;
        self.deadlines.push_back((deadline, number));
        let deed = Deed {
            command: Some(command),
            op,
            state: State::Waiting(Time::default()),
            sent_before: false,
            sent: false,
            retries: 0,
            refused_by: BTreeSet::new(),
        };
        self.list.insert(number, deed);
    }

    pub fn deed(&mut self, number: u64) -> Option<&mut Deed> {
        self.list.get_mut(&number)
    }

    /// The first deed that may be sent now. Call [`Self::sent`] for it before asking again.
    pub fn next_to_send(&mut self, now: Time) -> Option<u64> {
        let number = self.first_waiting()?;
        let deed = &self.list[&number];
        let due = matches!(deed.state, State::Waiting(at) if at <= now);
        (due && !(is_barrier(&deed.op) && self.in_flight > 0) && !self.waits_for_probe(&deed.op)).then_some(number)
    }

    /// Whether this is a message to somebody whom the leader may not know, as far as one under way will tell.
    fn waits_for_probe(&self, op: &Op) -> bool {
        let Some(to) = receiver(op).filter(|_| !self.probing.is_empty()) else { return false };
        // Whom a name means may be just the account that is asked about: those stand first.
        let by_account = |(address, _): (&String, _)| address.starts_with('#');
        let may_be_it = matches!(to, Receiver::Name(_)) && self.probing.first_key_value().is_some_and(by_account);
        may_be_it || self.probing.contains_key(&address(to))
    }

    /// Of whom a message in flight will tell whether the leader knows them.
    fn probed_by(&self, number: u64) -> Option<String> {
        let deed = self.list.get(&number).filter(|_| !self.probing.is_empty())?;
        receiver(&deed.op).map(address).filter(|to| self.probing.get(to) == Some(&number))
    }

    /// Of the receiver of a message there is nothing more to find out: the leader knows them, or it was waited for
    /// long enough.
    pub fn note_receiver(&mut self, number: u64) {
        if let Some(to) = self.probed_by(number) {
            if self.known_here.len() >= KNOWN_MOST {
                self.known_here.clear();
            }
            self.known_here.insert(to);
        }
    }

    fn first_waiting(&mut self) -> Option<u64> {
        if self.barrier.is_some() {
            return None;
        }
        let found = self.list.range(self.cursor..).find(|(_, deed)| matches!(deed.state, State::Waiting(_)));
        let number = found.map(|(number, _)| *number);
        self.cursor = number.unwrap_or(self.next);
        number
    }

    /// When the first deed that waits for its time is due.
    pub fn due(&self, now: Time) -> Option<Time> {
        let (_, deed) = self.list.range(self.cursor..).find(|(_, deed)| matches!(deed.state, State::Waiting(_)))?;
        match deed.state {
            State::Waiting(at) if at > now && self.barrier.is_none() => Some(at),
            _ => None,
        }
    }

    /// Notes that a deed is sent, and hands out its operation.
    pub fn sent(&mut self, number: u64) -> Option<Op> {
        let deed = self.list.get_mut(&number)?;
        deed.state = State::Sent;
        deed.sent = true;
        self.in_flight += 1;
        self.cursor = number + 1;
        if let Some(to) = receiver(&deed.op).map(address).filter(|to| !self.known_here.contains(to)) {
            self.probing.insert(to, number);
        }
        if is_barrier(&deed.op) {
            self.barrier = Some(number);
        }
        let mut op = deed.op.clone();
        if planted(Bug::NewKeyOnResend)
            && deed.sent_before
            && let Op::Send { key, .. } = &mut op
        {
            *key = lastword_protocol::Uuid::from_u128(key.as_u128() ^ 1);
        }
        Some(op)
    }

    /// Puts a deed that was refused for now back into the list.
    pub fn wait(&mut self, number: u64, until: Time) {
        self.leave(number);
        if let Some(deed) = self.list.get_mut(&number) {
            deed.state = State::Waiting(until);
            deed.retries += 1;
            deed.refused_by.clear();
            self.cursor = self.cursor.min(number);
        }
    }

    /// Whether this is a message that was answered, and is kept for those who have not got it.
    pub fn is_kept(&self, number: u64) -> bool {
        self.list.get(&number).is_some_and(|deed| deed.command.is_none() && matches!(deed.op, Op::Send { .. }))
    }

    /// Takes out the messages behind a deed that wait to be sent, and whose callers wait for them.
    pub fn drop_behind(&mut self, number: u64) -> Vec<CommandId> {
        let waits = |deed: &Deed| {
            matches!(deed.state, State::Waiting(_)) && deed.command.is_some() && matches!(deed.op, Op::Send { .. })
        };
        let behind: Vec<u64> =
            self.list.range(number + 1..).filter(|(_, deed)| waits(deed)).map(|(number, _)| *number).collect();
        behind.into_iter().filter_map(|number| self.remove(number)?.command).collect()
    }

    /// Takes a deed out for good.
    pub fn remove(&mut self, number: u64) -> Option<Deed> {
        self.leave(number);
        let deed = self.list.remove(&number)?;
        if deed.command.is_some() {
            self.unanswered -= 1;
        }
        Some(deed)
    }

    /// A deed leaves its state.
    fn leave(&mut self, number: u64) {
        if let Some(to) = self.probed_by(number) {
            self.probing.remove(&to);
        }
        match self.list.get(&number).map(|deed| deed.state) {
            Some(State::Sent) => self.in_flight -= 1,
            Some(State::Uncovered(by)) => {
                self.uncovered[by].remove(&number);
            }
            Some(State::Waiting(_)) | None => {}
        }
        if self.barrier == Some(number) {
            self.barrier = None;
        }
    }

    /// A deed was done, but is not on every disk: it is kept for the next replica. Gives back whom to
    /// answer.
    pub fn keep(&mut self, number: u64, by: usize, to_account: Option<String>) -> Option<CommandId> {
        self.leave(number);
        let deed = self.list.get_mut(&number)?;
        deed.state = State::Uncovered(by);
        // The name may be somebody else's by the time it is sent again.
        if let (Some(account), Op::Send { to, .. }) = (to_account, &mut deed.op) {
            *to = Receiver::Account(account);
        }
        let command = deed.command.take();
        self.unanswered -= usize::from(command.is_some());
        self.uncovered[by].insert(number);
        if self.uncovered.iter().map(BTreeSet::len).sum::<usize>() > self.uncovered_most
            && let Some(oldest) = self.uncovered.iter().filter_map(|set| set.first().copied()).min()
        {
            self.remove(oldest);
        }
        command
    }

    /// A replica answered something with `stored` = `of`: this covers all that it answered before.
    pub fn cover(&mut self, by: usize) {
        for number in std::mem::take(&mut self.uncovered[by]) {
            self.list.remove(&number);
        }
    }

    /// A new leader: everything is to be sent again, from the first. A `create` that was answered
    /// stays where it is: whoever knows the session knows the account.
    pub fn restart(&mut self) {
        for deed in self.list.values_mut() {
            deed.sent_before |= deed.state == State::Sent;
        }
        self.take_back(None);
        if planted(Bug::ResendsLast) {
            let kept: Vec<u64> = self.list.keys().copied().filter(|&number| self.is_kept(number)).collect();
            for number in kept {
                self.list.remove(&number).and_then(|deed| self.list.insert(self.next, deed));
                self.next += 1;
            }
        }
    }

    /// A `create` that the leader was sent and has not answered.
    pub fn create_in_flight(&self) -> Option<u64> {
        let number = self.barrier?;
        matches!(self.list.get(&number)?.op, Op::Create { .. }).then_some(number)
    }

    /// What was sent to the leader, but for one, was not taken in, for want of a login: it is to be sent again.
    pub fn take_back(&mut self, but: Option<u64>) {
        for (number, deed) in &mut self.list {
            match deed.state {
                _ if Some(*number) == but => {}
                State::Uncovered(_) if matches!(deed.op, Op::Create { .. }) => {}
                State::Uncovered(by) => {
                    self.uncovered[by].remove(number);
                    deed.state = State::Waiting(Time::default());
                }
                State::Sent => deed.state = State::Waiting(Time::default()),
                State::Waiting(_) => {}
            }
        }
        (self.cursor, self.in_flight, self.barrier) = (0, usize::from(but.is_some()), but);
        self.probing.clear();
        self.known_here.clear();
    }

    /// The `create` of this session, if it was answered and not every disk had it.
    pub fn uncovered_create(&self) -> Option<u64> {
        self.list
            .iter()
            .find(|(_, deed)| deed.command.is_none() && matches!(deed.op, Op::Create { .. }))
            .map(|(number, _)| *number)
    }

    /// Whether this replica has answered it, and not every disk had it.
    pub fn is_uncovered_by(&self, number: u64, replica: usize) -> bool {
        self.uncovered[replica].contains(&number)
    }

    /// Has it sent again after all, unless it is in flight.
    pub fn send_create_again(&mut self, number: u64) {
        if self.create_in_flight() == Some(number) {
            return;
        }
        self.leave(number);
        if let Some(deed) = self.list.get_mut(&number) {
            deed.state = State::Waiting(Time::default());
            self.cursor = self.cursor.min(number);
        }
    }

    /// The first deed that matches and may have been done on a connection that is gone.
    pub fn find_sent_before(&self, matches: impl Fn(&Op) -> bool) -> Option<u64> {
        self.list.iter().find(|(_, deed)| deed.sent_before && matches(&deed.op)).map(|(number, _)| *number)
    }

    /// Whether a deed that matches is not answered yet.
    pub fn is_under_way(&self, matches: impl Fn(&Op) -> bool) -> bool {
        self.list.values().any(|deed| deed.command.is_some() && matches(&deed.op))
    }

    /// Whether anything stands in the list before this one.
    pub fn is_first(&self, number: u64) -> bool {
        self.list.first_key_value().is_none_or(|(first, _)| *first >= number)
    }

    /// Whether anything answered is kept for the next replica.
    pub fn keeps_any(&self) -> bool {
        self.list.values().any(|deed| deed.command.is_none())
    }

    /// The session that they belong to is over: forgets what was answered.
    pub fn forget_answered(&mut self, before: u64) {
        let answered: Vec<u64> =
            self.list.range(..before).filter(|(_, deed)| deed.command.is_none()).map(|(number, _)| *number).collect();
        for number in answered {
            self.remove(number);
        }
    }

    /// When the next command's time is up.
    pub fn deadline(&mut self) -> Option<Time> {
        while let Some((deadline, number)) = self.deadlines.front() {
            if self.list.get(number).is_some_and(|deed| deed.command.is_some()) {
                return Some(*deadline);
            }
            self.deadlines.pop_front();
        }
        None
    }

    /// A command whose time is up.
    pub fn pop_overdue(&mut self, now: Time) -> Option<Deed> {
        if self.deadline()? > now {
            return None;
        }
        let (_, number) = self.deadlines.pop_front()?;
        self.remove(number)
    }
}
