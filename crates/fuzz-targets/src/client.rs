//! A client with three servers that say anything: the client's machine, with all done at once that it wants to have
//! done.
//!
//! It checks what the callers of a machine may rely on, and panics where that is not so: each command is answered
//! once, what is sent is no longer than a line, events are numbered without a gap, and it comes to rest.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use lastword_client::cutting::take_lines;
use lastword_client::machine::{CommandId, Config, Epoch, EventNumber, Input, Machine, Output, ReplicaIndex, Time};
use lastword_protocol::request::Receiver;
use lastword_protocol::{LINE_BYTES, Op, RequestId, ServerLine, Uuid};

/// Inputs that one input may lead to, one after the other.
const AT_ONCE: usize = 5_000;
/// How much time passes between two pieces of the input, and with how many timers at most.
const PASSES: Duration = Duration::from_millis(300);
const TIMERS: usize = 50;

/// A client and what it knows of its servers.
pub(crate) struct Client {
    machine: Machine,
    now: Time,
    links: [Link; Self::REPLICAS],
    inputs: VecDeque<Input>,
    unanswered: BTreeSet<CommandId>,
    last_event: EventNumber,
}

/// A connection to a server.
#[derive(Default)]
struct Link {
    epoch: Option<Epoch>,
    read: Vec<u8>,
    asked: VecDeque<u64>,
}

impl Client {
    pub(crate) const REPLICAS: usize = 3;

    /// Connected to all three, with everything asked for that can be.
    pub(crate) fn new() -> Self {
        let addresses = (0..Self::REPLICAS).map(|n| format!("replica {n}")).collect();
        let mut client = Self {
            machine: Machine::new(Config::default(), addresses),
            now: Time::default(),
            links: Default::default(),
            inputs: VecDeque::new(),
            unanswered: BTreeSet::new(),
            last_event: EventNumber::default(),
        };
        client.give(Input::Timer);
        for (n, op) in ops().into_iter().enumerate() {
            let id = CommandId(n as u64);
            client.unanswered.insert(id);
            client.give(Input::Command { id, op });
        }
        client
    }

    /// A server says something. What can't be read ends the connection.
    pub(crate) fn read(&mut self, replica: usize, bytes: &[u8]) {
        let Link { epoch: Some(epoch), ref mut read, .. } = self.links[replica] else { return };
        read.extend(bytes);
        let (lines, flow) = take_lines(read);
        for mut line in lines {
            self.address(replica, &mut line);
            self.give(Input::Line { replica: ReplicaIndex(replica), epoch, line });
        }
        if flow.is_break() && self.links[replica].epoch == Some(epoch) {
            self.links[replica] = Link::default();
            self.give(Input::Lost { replica: ReplicaIndex(replica), epoch });
        }
    }

    /// Gives an answer with the id 0 that of the oldest request.
    fn address(&mut self, replica: usize, line: &mut ServerLine) {
        let ServerLine::Reply(reply) = line else { return };
        let asked = &mut self.links[replica].asked;
        match &mut reply.id {
            Some(RequestId::Number(id @ 0)) => *id = asked.pop_front().unwrap_or_default(),
            Some(RequestId::Number(id)) => asked.retain(|asked| asked != id),
            _ => {}
        }
    }

    /// Lets some time pass.
    pub(crate) fn pass(&mut self) {
        self.pass_until(self.now + PASSES);
    }

    /// Lets so much time pass that every command is answered.
    pub(crate) fn end(&mut self) {
        let end = self.now + Config::default().request_timeout;
        while self.now < end {
            self.pass_until(self.now + Duration::from_secs(1));
        }
        assert!(self.unanswered.is_empty(), "not answered: {:?}", self.unanswered);
    }

    fn pass_until(&mut self, end: Time) {
        for _ in 0..TIMERS {
            let Some(due) = self.machine.poll_timeout().filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            self.give(Input::Timer);
        }
        self.now = end;
        self.give(Input::Timer);
    }

    fn give(&mut self, input: Input) {
        self.inputs.push_back(input);
        let mut given = 0;
        while let Some(input) = self.inputs.pop_front() {
            given += 1;
            assert!(given <= AT_ONCE, "it does not come to rest: {input:?}");
            self.machine.handle(self.now, input);
            while let Some(output) = self.machine.poll_output() {
                self.carry_out(output);
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Dial { replica, epoch } => {
                self.links[replica.0] = Link { epoch: Some(epoch), ..Link::default() };
                self.inputs.push_back(Input::Connected { replica, epoch });
            }
            Output::Send { replica, epoch, request } => {
                let link = &mut self.links[replica.0];
                if link.epoch == Some(epoch) {
                    let RequestId::Number(id) = request.id else { panic!("its ids are numbers") };
                    link.asked.push_back(id);
                    let mut line = Vec::new();
                    request.write_json(&mut line);
                    assert!(line.len() <= LINE_BYTES, "a line of {} bytes for a server", line.len());
                }
            }
            Output::Close { replica, epoch } => {
                if self.links[replica.0].epoch == Some(epoch) {
                    self.links[replica.0] = Link::default();
                }
            }
            Output::Done { id, .. } => assert!(self.unanswered.remove(&id), "{id:?} is answered twice"),
            Output::Event { number, .. } => {
                assert_eq!(number.0, self.last_event.0 + 1, "events are numbered without a gap");
                self.last_event = number;
                self.inputs.push_back(Input::Shown { upto: number });
            }
        }
    }
}

/// All that a caller can want, in an order in which it makes sense.
fn ops() -> Vec<Op> {
    let (key, text) = (Uuid::from_u128, str::to_owned);
    let send = |to, n| Op::Send { to, text: text("hi"), key: key(n) };
    let to_bob = || Receiver::Name(text("bob"));
    vec![
        Op::Create { name: text("alice"), password: text("secret"), key: key(1) },
        Op::Login { name: text("alice"), password: text("secret") },
        Op::Listen,
        send(to_bob(), 2),
        send(to_bob(), 3),
        send(Receiver::Account("0".repeat(32)), 4),
        Op::Status,
        Op::Ping,
        Op::List { pattern: text("."), limit: None, after: None },
        Op::Pending { limit: None, after: None },
        Op::History { with: Receiver::Name(text("bob")), limit: None, before: None, bytes: None },
        Op::Conversations { limit: None, before: None },
        Op::Password { old: text("secret"), new: text("secreter"), key: key(5) },
        send(to_bob(), 6),
        Op::Logout { key: key(7) },
        Op::Login { name: text("alice"), password: text("secreter") },
        Op::Delete { key: key(8) },
    ]
}
