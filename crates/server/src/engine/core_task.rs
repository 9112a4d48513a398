//! The core's task: inputs in, outputs to where they belong.
//!
//! It runs on the network's thread, and has its turn when all connections at which something has come have had
//! theirs. So nothing is handed from thread to thread but what the disks are for, and it gets in one go what came at
//! once. A pass takes microseconds a message; what takes longer (hashes, disks) has threads of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use lastword_core::io::{ConnectionId, JobId, LinkId, Output, ReplicaId};
use lastword_core::{Core, Input, Now};
use lastword_facts::views::Applied;
use tokio::sync::mpsc;

use super::clients::Clients;
use super::log_thread::ToLog;
use super::matching::ToMatch;
use super::outbox::{LinkOutbox, ToClient, size_of_message};
use super::start::Clock;
use super::views_thread::{ToViews, weight};
use super::{Engine, ToCore};
use crate::group::Group;
use crate::metrics::Hashing;
use crate::metrics::scrape::Sample;
use crate::passwords::{Ask, Passwords};
use crate::reports::Reports;

/// Inputs that are handed in before the outputs are carried out.
const BATCH: usize = 1024;
/// What came is taken in for so long before others have their turn: a replica that catches up has megabytes at its door,
/// and so has one at which many write at once; it still has to confirm what people wait for, and to answer who knocks.
const TURN: Duration = Duration::from_millis(1);
/// Changes for the views are gathered until they are so many, or so old, or the views are asked something: nobody
/// waits for them, and each time their thread is woken it takes the processor from somebody.
const CHANGES: usize = 512;
const CHANGES_AGE: Duration = Duration::from_millis(40);

pub(super) struct CoreTask {
    core: Core,
    clock: Clock,
    reports: Reports,
    engine: Engine,
    threads: Threads,
    /// Bytes of changes that the views have not taken in yet.
    views_behind: Arc<AtomicU64>,
    /// What they are to take in, and is still gathered here.
    changes: Vec<Applied>,
    changes_sent: Instant,
    clients: Clients,
    links: HashMap<LinkId, (ReplicaId, Arc<LinkOutbox>)>,
}

/// Who does for the core what takes long.
pub(super) struct Threads {
    pub(super) to_log: Sender<ToLog>,
    pub(super) to_views: Sender<ToViews>,
    pub(super) to_match: Sender<ToMatch>,
    pub(super) passwords: Passwords,
}

/// A server without a core is no use to anybody, and others take over only when it is gone.
struct EndsServer(Engine);

impl Drop for EndsServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail();
        }
    }
}

impl CoreTask {
    pub(super) fn new(
        core: Core,
        clock: Clock,
        group: &Group,
        engine: Engine,
        threads: Threads,
        views_behind: Arc<AtomicU64>,
    ) -> Self {
        Self {
            core,
            clock,
            reports: Reports::new(group),
            engine,
            threads,
            views_behind,
            changes: Vec::new(),
            changes_sent: Instant::now(),
            clients: Clients::new(),
            links: HashMap::new(),
        }
    }

    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<ToCore>) {
        let _ends = EndsServer(self.engine.clone());
        let mut batch = Vec::with_capacity(BATCH);
        self.core.handle(self.clock.now(), Input::Timer);
        loop {
            self.carry_out();
            self.reports.settle();
            let wait = self.core.poll_timeout().map(|moment| self.clock.until(moment));
            // Something long is done in pieces, a long list for example: others have their turn in between.
            if wait.is_some_and(|wait| wait.is_zero()) {
                tokio::task::yield_now().await;
            }
            let received = inputs.recv_many(&mut batch, BATCH);
            match wait {
                // What is due already must not keep anybody at the door waiting.
                Some(wait) => drop(tokio::time::timeout(wait, received).await),
                None => drop(received.await),
            }
            // A process that was frozen finds a lot at its door: that goes before any timer.
            let mut now = self.clock.now();
            for input in batch.drain(..) {
                match input {
                    ToCore::Stop => return self.send_changes(),
                    // Nobody may wait for it any more.
                    ToCore::Sample(answer) => drop(answer.send(self.sample(now))),
                    ToCore::Input(input) => {
                        self.forget_what_ended(&input);
                        self.count_hash(&input);
                        self.core.handle(now, input);
                        now = self.let_others(now).await;
                    }
                    ToCore::Open(connection, address, outbox) => {
                        self.clients.open(connection, address, outbox);
                        self.core.handle(now, Input::Opened(connection));
                    }
                    ToCore::Requests(connection, requests) => {
                        for (tag, request) in requests {
                            self.core.handle(now, Input::Request(connection, tag, request));
                            now = self.let_others(now).await;
                        }
                    }
                    ToCore::LinkUp(peer, link, outbox) => {
                        self.replace_link(peer, link, outbox);
                        self.core.handle(now, Input::LinkUp(peer, link));
                    }
                    ToCore::LinkMessages(peer, link, messages) => {
                        for message in messages {
                            self.core.handle(now, Input::Link(peer, link, message));
                            now = self.let_others(now).await;
                        }
                    }
                }
            }
            if self.core.poll_timeout().is_some_and(|moment| moment <= now.mono) {
                self.core.handle(now, Input::Timer);
            }
        }
    }

    /// After a while of taking in what came, what that brought about is carried out, and all others at the
    /// network's thread have a turn. Says what time it is then.
    async fn let_others(&mut self, since: Now) -> Now {
        let now = self.clock.now();
        if now.mono.since(since.mono) < TURN {
            return since;
        }
        self.carry_out();
        tokio::task::yield_now().await;
        self.clock.now()
    }

    /// What was not written yet to a connection or link that has ended goes with it.
    fn forget_what_ended(&mut self, input: &Input) {
        match input {
            Input::Closed(connection) => self.clients.close(*connection),
            Input::LinkDown(_, link) => drop(self.links.remove(link)),
            _ => {}
        }
    }

    fn count_hash(&self, input: &Input) {
        let outcome = match input {
            Input::Hashed(_, Some(_), _) | Input::Checked(_, Ok(_), _) => Hashing::Done,
            Input::Hashed(_, None, _) | Input::Checked(_, Err(_), _) => Hashing::Refused,
            _ => return,
        };
        self.engine.metrics.hashes.add(outcome, 1);
    }

    /// How it is. Every client's outbox is looked at: about 10 ns each.
    fn sample(&self, now: Now) -> Box<Sample> {
        Box::new(Sample {
            gauges: self.core.gauges(now),
            inputs: self.engine.waiting(),
            views_behind_bytes: self.views_behind.load(Ordering::Relaxed) + weight(&self.changes),
            hashes: self.threads.passwords.waiting(),
            most_for_client: self.clients.most_held(),
            for_peers: self.links.values().map(|(peer, outbox)| (*peer, outbox.held().1)).collect(),
        })
    }

    /// One link a replica: an older one is ended.
    fn replace_link(&mut self, peer: ReplicaId, link: LinkId, outbox: Arc<LinkOutbox>) {
        self.links.retain(|_, (of, old)| {
            if *of == peer {
                old.close();
            }
            *of != peer
        });
        self.links.insert(link, (peer, outbox));
    }

    /// Carries out what the core wants done. Clients are woken at the end: each gets all of it in one write. What
    /// goes to other replicas comes first, and goes at once.
    fn carry_out(&mut self) {
        self.carry_out_all();
        self.clients.wake();
        // The core wants a turn every 50 ms at the latest.
        if self.changes.len() >= CHANGES || self.changes_sent.elapsed() >= CHANGES_AGE {
            self.send_changes();
        }
    }

    fn carry_out_all(&mut self) {
        while let Some(output) = self.core.poll_output() {
            // A disk that has failed must not have promised anything.
            if self.engine.has_failed() {
                return;
            }
            match output {
                Output::Store(_, facts) => {
                    self.engine.metrics.log_queue.fetch_add(facts.len() as u64, Ordering::Relaxed);
                    self.log(ToLog::Append(facts));
                }
                Output::Repair { fact, anew } => self.log(ToLog::Repair { fact, anew }),
                Output::StartAnew => self.engine.start_anew(),
                Output::Alone(alone) => self.log(ToLog::Alone(alone)),
                Output::Apply(mut applied) => self.changes.append(&mut applied),
                Output::Query(job, query) => {
                    self.send_changes();
                    self.views(ToViews::Query(job, query));
                }
                Output::Hash(job, client, password) => self.ask(client, job, Ask::Hash(password)),
                Output::Check(job, client, password, hashes) => self.ask(client, job, Ask::Check(password, hashes)),
                Output::Match(job, pattern, names) => drop(self.threads.to_match.send((job, pattern, names))),
                Output::Answer(connection, tag, result) => self.clients.tell(connection, ToClient::Answer(tag, result)),
                Output::Event { connection, event, drain } => self.clients.tell_event(connection, event, drain),
                Output::Close(connection, reason) => self.clients.tell(connection, ToClient::Close(reason)),
                Output::Send(_, link, message) => {
                    if let Some((_, outbox)) = self.links.get(&link) {
                        let size = size_of_message(&message);
                        if outbox.put(message, size) {
                            outbox.wake();
                        }
                    }
                }
                Output::CloseLink(_, link) => {
                    if let Some((_, outbox)) = self.links.remove(&link) {
                        outbox.close();
                    }
                }
                Output::Report(report) => {
                    self.engine.metrics.on_report(&report);
                    self.reports.log(&report);
                }
            }
        }
    }

    /// Has a password hashed. What there is no room for is answered at once.
    fn ask(&mut self, client: ConnectionId, job: JobId, ask: Ask) {
        let address = self.clients.address(client);
        if let Some(refused) = self.threads.passwords.ask(address, job, ask) {
            self.count_hash(&refused);
            self.core.handle(self.clock.now(), refused);
        }
    }

    fn log(&self, job: ToLog) {
        // Gone only when its disk has failed, and then nothing is told to anybody.
        let _ = self.threads.to_log.send(job);
    }

    fn send_changes(&mut self) {
        self.changes_sent = Instant::now();
        let changes = std::mem::take(&mut self.changes);
        if !changes.is_empty() {
            self.views_behind.fetch_add(weight(&changes), Ordering::Relaxed);
            self.views(ToViews::Apply(changes));
        }
    }

    fn views(&self, job: ToViews) {
        let _ = self.threads.to_views.send(job);
    }
}
