//! The machine on tokio: one task that owns it, and one for each connection.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use lastword_protocol::answer::Done;
use lastword_protocol::line::Reply;
use lastword_protocol::{Op, ServerLine};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::connection::{Connection, News, Report};
use crate::error::Error;
use crate::event::Event;
use crate::events::{Shown, Taker};
use crate::machine::{CommandId, Config, EventNumber, Input, Machine, Output, ReplicaIndex, Time};
use crate::tls::Tls;

/// How many commands wait for the driver, before their callers wait.
const COMMANDS: usize = 1024;
/// How many reports of connections wait for the driver, before they read no further.
const REPORTS: usize = 64;
/// Room in the events' channel beside what the machine bounds itself.
const MORE_EVENTS: u64 = 1024;

/// What a [`crate::Client`] wants.
pub(crate) enum Command {
    Do { op: Op, answer: oneshot::Sender<Result<Done, Error>> },
    Close,
}

struct Driver {
    machine: Machine,
    started: Instant,
    addresses: Vec<String>,
    tls: Option<Tls>,
    /// What a person could do something about, of replicas that were not reached for it.
    troubles: BTreeMap<ReplicaIndex, String>,
    connections: BTreeMap<ReplicaIndex, Connection>,
    reports: mpsc::Sender<Report>,
    answers: HashMap<u64, oneshot::Sender<Result<Done, Error>>>,
    next_command: u64,
    events: mpsc::Sender<(u64, Event)>,
    leader: Arc<Mutex<Option<String>>>,
    /// What is to be written, collected over one round.
    batches: BTreeMap<ReplicaIndex, Vec<u8>>,
}

/// Starts the driver's task.
pub(crate) fn start(
    addresses: Vec<String>,
    config: Config,
    tls: Option<Tls>,
) -> (mpsc::Sender<Command>, Taker, Arc<Mutex<Option<String>>>) {
    let config = Config { spread: config.spread.or_else(|| Some(Uuid::now_v7().as_u64_pair().1)), ..config };
    let (commands, commands_in) = mpsc::channel(COMMANDS);
    let (reports, reports_in) = mpsc::channel(REPORTS);
    let room = usize::try_from(config.events_most.saturating_add(MORE_EVENTS)).unwrap_or(usize::MAX);
    let (events, taken) = mpsc::channel(room.min(tokio::sync::Semaphore::MAX_PERMITS));
    let (shown, leader) = (Arc::<Shown>::default(), Arc::<Mutex<Option<String>>>::default());
    let driver = Driver {
        machine: Machine::new(config, addresses.clone()),
        started: Instant::now(),
        addresses,
        tls,
        troubles: BTreeMap::new(),
        connections: BTreeMap::new(),
        reports,
        answers: HashMap::new(),
        next_command: 0,
        events,
        leader: Arc::clone(&leader),
        batches: BTreeMap::new(),
    };
    tokio::spawn(driver.run(commands_in, reports_in, Arc::clone(&shown)));
    (commands, Taker { events: taken, shown }, leader)
}

impl Driver {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut reports: mpsc::Receiver<Report>,
        shown: Arc<Shown>,
    ) {
        loop {
            let timeout = self.machine.poll_timeout().unwrap_or(Time(std::time::Duration::from_secs(3600)));
            let wake_at = self.started.checked_add(timeout.0);
            // In this order: what has arrived is read before anybody is judged by a timer.
            tokio::select! {
                biased;
                Some(report) = reports.recv() => {
                    self.on_report(report);
                    while let Ok(report) = reports.try_recv() {
                        self.on_report(report);
                    }
                }
                // Before commands: a caller that confirms, then waits for a `ping`, has confirmed.
                () = shown.changed() => {
                    self.handle(Input::Shown { upto: EventNumber(shown.upto()) });
                }
                command = commands.recv() => {
                    let mut next = command;
                    loop {
                        match next {
                            Some(Command::Do { op, answer }) => self.on_command(op, answer),
                            Some(Command::Close) | None => return,
                        }
                        let Ok(command) = commands.try_recv() else { break };
                        next = Some(command);
                    }
                }
                () = sleep_until(wake_at.unwrap_or_else(far)) => self.handle(Input::Timer),
            }
            // Under steady load the timer's turn would never come.
            let now = self.now();
            if reports.is_empty() && self.machine.poll_timeout().is_some_and(|due| due <= now) {
                self.handle(Input::Timer);
            }
            self.flush();
        }
    }

    fn now(&self) -> Time {
        Time(self.started.elapsed())
    }

    fn on_report(&mut self, Report { replica, epoch, news }: Report) {
        match news {
            News::Connected => self.handle(Input::Connected { replica, epoch }),
            News::Lost(why) => {
                if let Some(why) = why {
                    self.troubles.insert(replica, why);
                }
                self.handle(Input::Lost { replica, epoch });
            }
            News::Lines(lines) => {
                self.troubles.remove(&replica);
                for line in lines {
                    // An answer to nothing that was asked: why we are not let in.
                    if let ServerLine::Reply(Reply { id: None, result: Err(refusal), .. }) = &line {
                        self.troubles.insert(replica, refusal.text.clone());
                    }
                    self.handle(Input::Line { replica, epoch, line });
                }
            }
        }
    }

    fn on_command(&mut self, op: Op, answer: oneshot::Sender<Result<Done, Error>>) {
        let id = self.next_command;
        self.next_command += 1;
        self.answers.insert(id, answer);
        self.handle(Input::Command { id: CommandId(id), op });
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(self.now(), input);
        while let Some(output) = self.machine.poll_output() {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Dial { replica, epoch } => {
                self.batches.remove(&replica);
                let address = self.addresses[replica.0].clone();
                let connection = Connection::dial(address, self.tls.clone(), replica, epoch, self.reports.clone());
                self.connections.insert(replica, connection);
            }
            Output::Close { replica, epoch } => {
                if self.connections.get(&replica).is_some_and(|connection| connection.epoch == epoch) {
                    self.connections.remove(&replica);
                }
            }
            Output::Send { replica, request, .. } => {
                let batch = self.batches.entry(replica).or_default();
                request.write_json(batch);
                batch.push(b'\n');
            }
            Output::Done { id, mut result } => {
                if let Err(Error::NoReplica { tried, .. } | Error::NoAnswer { tried, .. }) = &mut result {
                    *tried = self.tried();
                }
                if let Some(answer) = self.answers.remove(&id.0) {
                    // Nobody may wait for it any more.
                    let _ = answer.send(result);
                }
            }
            Output::Event { number, mut event } => {
                if let Event::NoReplica { tried } = &mut event {
                    *tried = self.tried();
                }
                self.tell(number, event);
            }
        }
    }

    fn tell(&mut self, number: EventNumber, event: Event) {
        if matches!(event, Event::Moved { .. } | Event::NoReplica { .. })
            && let Ok(mut leader) = self.leader.lock()
        {
            *leader = self.machine.leader().map(Into::into);
        }
        // The machine bounds what waits; where nobody takes events, nobody misses them.
        let _ = self.events.try_send((number.0, event));
    }

    /// The addresses, each with its trouble.
    fn tried(&self) -> String {
        let addresses =
            self.addresses.iter().enumerate().map(|(n, address)| match self.troubles.get(&ReplicaIndex(n)) {
                Some(why) => format!("{address} ({why})"),
                None => address.clone(),
            });
        addresses.collect::<Vec<_>>().join(", ")
    }

    fn flush(&mut self) {
        for (replica, batch) in std::mem::take(&mut self.batches) {
            if let Some(connection) = self.connections.get(&replica) {
                // A connection that has ended reports it by itself.
                let _ = connection.out.send(batch);
            }
        }
    }
}

/// A moment that never comes.
fn far() -> Instant {
    Instant::now() + std::time::Duration::from_secs(86_400)
}
