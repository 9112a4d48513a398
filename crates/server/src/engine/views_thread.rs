//! The views' thread: applies what the log has, and looks things up, in the order of asking.
//!
//! On a full disk the views answer from what they could write last. For who reads a history that is good enough. But a
//! connection that was sent a page of what waits for it gets, from then on, what is released: what was released
//! before, and is missing on the page, it would not get at all, and later messages would come before it. So what
//! the core decides by waits until the views have everything again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use lastword_core::Input;
use lastword_core::io::JobId;
use lastword_facts::views::{Applied, Change, Found, Query};
use lastword_store::{LogReader, StoreError, Views};

use super::making::Making;
use super::reads::{Read, Reads};
use super::{Engine, ToCore};
use crate::error::ServerError;

/// Changes are committed after so long.
const COMMIT_AFTER: Duration = Duration::from_secs(2);
/// Changes are committed when they take so many bytes.
const COMMIT_BYTES: u64 = 8 * 1024 * 1024;

/// While somebody waits for it, a full disk is tried again after so long.
const ROOM_AGAIN: Duration = Duration::from_millis(100);
/// How much this thread stands back behind the others.
const NICE: i32 = 5;

/// About how many bytes a change takes in memory: those of its fact, and the same once more, decoded.
pub(super) fn weight(applied: &[Applied]) -> u64 {
    applied.iter().map(|applied| 200 + 2 * bytes(applied)).sum()
}

/// How many bytes its fact has, where they are many.
fn bytes(applied: &Applied) -> u64 {
    if let Change::Message(fact) = &applied.change { fact.bytes().len() as u64 } else { 0 }
}

/// What the views' thread is asked to do.
pub(crate) enum ToViews {
    Apply(Vec<Applied>),
    Query(JobId, Query),
}

pub(super) struct ViewsThread {
    pub(super) views: Views,
    pub(super) making: Option<Making>,
    pub(super) reader: LogReader,
    pub(super) reads: Reads,
    pub(super) engine: Engine,
    pub(super) behind: Arc<AtomicU64>,
    /// Pages that are to be looked up when nothing else is to be done. The core bounds how many there can be.
    pub(super) pages: VecDeque<(JobId, Query)>,
    /// Other things that were done since the last of them.
    pub(super) since_page: u32,
    /// Questions that wait until the disk has room. The core bounds how many there can be.
    pub(super) held: Vec<(JobId, Query)>,
    /// When the disk was last tried for them.
    pub(super) tried: Option<Instant>,
}

/// While other things come all the time, a page has its turn after this many of them.
const PAGE_EVERY: u32 = 16;

/// Whether this is a page that somebody reads: much work, for one person only. Everybody's logins and messages go first.
fn is_page(query: &Query) -> bool {
    matches!(query, Query::History { .. } | Query::Outbox { .. } | Query::Conversations { .. })
}

/// Whether the core rests on the answer: then it must have all that was applied before the question.
fn must_be_complete(query: &Query) -> bool {
    matches!(query, Query::Inbox { .. } | Query::PendingCount(_) | Query::Mailbox { .. } | Query::Known { .. })
}

impl ViewsThread {
    pub(super) fn run(mut self, jobs: &Receiver<ToViews>) -> Result<(), ServerError> {
        // Hardly anybody waits for the views: answers go first. On Linux this is of one thread alone.
        if cfg!(target_os = "linux") {
            // Refused, it is as it was.
            let _ = rustix::process::nice(NICE);
        }
        match self.work(jobs) {
            Ok(()) => Ok(self.views.close()?),
            Err(error) if error.is_damage() => {
                tracing::error!("the views are damaged: {error}; the server restarts and rebuilds them");
                self.views.void().inspect_err(|_| self.engine.fail())?;
                self.engine.start_anew();
                Ok(())
            }
            Err(error) => {
                tracing::error!("the views failed: {error}; the server stops");
                self.engine.fail();
                Err(error.into())
            }
        }
    }

    fn work(&mut self, jobs: &Receiver<ToViews>) -> Result<(), StoreError> {
        let mut uncommitted = 0;
        let mut committed = Instant::now();
        self.tell_pending();
        loop {
            match self.next(jobs) {
                Ok(ToViews::Apply(applied)) => uncommitted += self.apply(&applied)?,
                Ok(ToViews::Query(job, Query::Facts { from, upto, limit_bytes })) => {
                    self.reads.push(Read { job, from, upto, limit_bytes });
                }
                Ok(ToViews::Query(job, query)) => self.look_up(job, query)?,
                Err(RecvTimeoutError::Timeout) => uncommitted += self.make()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.look_up_held()?;
            self.read_for_peers()?;
            if self.making.is_none() && self.views.has_to_drop() {
                self.views.drop_some()?;
            }
            let waits = uncommitted > 0 || self.views.is_full();
            if uncommitted >= COMMIT_BYTES || waits && committed.elapsed() >= COMMIT_AFTER {
                self.views.commit()?;
                self.tell_pending();
                (uncommitted, committed) = (0, Instant::now());
            }
        }
    }

    /// What waits is known once the views are made.
    fn tell_pending(&self) {
        self.engine.metrics.set_pending(self.making.is_none().then(|| self.views.pending()));
    }

    /// Answers a question, if the views have what it asks for.
    fn look_up(&mut self, job: JobId, query: Query) -> Result<(), StoreError> {
        let found = self.views.query(&query)?;
        if self.views.is_full() && must_be_complete(&query) {
            self.held.push((job, query));
            return Ok(());
        }
        self.engine.give_blocking(ToCore::Input(Input::Found(job, found)));
        Ok(())
    }

    /// Tries whether the disk has room again, for those who wait for that.
    fn look_up_held(&mut self) -> Result<(), StoreError> {
        if self.held.is_empty() || self.tried.is_some_and(|tried| tried.elapsed() < ROOM_AGAIN) {
            return Ok(());
        }
        self.tried = Some(Instant::now());
        self.views.commit()?;
        if self.views.is_full() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        held.into_iter().try_for_each(|(job, query)| self.look_up(job, query))
    }

    /// The next job. Without one: views in the making are gone on with, and what peers ask for is read in its time.
    fn next(&mut self, jobs: &Receiver<ToViews>) -> Result<ToViews, RecvTimeoutError> {
        let can_go_on = self.making.is_some() && !self.views.is_full() || self.views.has_to_drop();
        let wait = self.reads.wait(Instant::now()).unwrap_or(COMMIT_AFTER);
        let patience = if self.held.is_empty() { COMMIT_AFTER } else { ROOM_AGAIN };
        let wait = if can_go_on { Duration::ZERO } else { wait.min(patience) };
        loop {
            let next = match self.pages.is_empty() {
                true => jobs.recv_timeout(wait),
                false if self.since_page < PAGE_EVERY => jobs.recv_timeout(Duration::ZERO),
                false => Err(RecvTimeoutError::Timeout),
            };
            match next {
                Ok(ToViews::Query(job, query)) if is_page(&query) => self.pages.push_back((job, query)),
                Err(RecvTimeoutError::Timeout) => {
                    self.since_page = 0;
                    let page = self.pages.pop_front().map(|(job, query)| ToViews::Query(job, query));
                    return page.ok_or(RecvTimeoutError::Timeout);
                }
                next => {
                    self.since_page = self.since_page.saturating_add(1);
                    return next;
                }
            }
        }
    }

    /// Reads a piece of the log for a peer, if its time has come.
    fn read_for_peers(&mut self) -> Result<(), StoreError> {
        if let Some(Read { job, from, upto, limit_bytes }) = self.reads.next(Instant::now()) {
            let found = self.reader.facts(from, upto, limit_bytes)?;
            if let Found::Facts { facts, .. } = &found {
                let bytes = facts.iter().map(|fact| fact.bytes().len() as u64).sum();
                self.reads.on_read(Instant::now(), bytes);
            }
            self.engine.give_blocking(ToCore::Input(Input::Found(job, found)));
        }
        Ok(())
    }

    /// Takes changes in, unless they are read from the log later. Says what they weigh.
    fn apply(&mut self, applied: &[Applied]) -> Result<u64, StoreError> {
        let weight = weight(applied);
        self.behind.fetch_sub(weight, Ordering::Relaxed);
        self.reads.on_written(Instant::now(), applied.iter().map(bytes).sum());
        if let Some(making) = &mut self.making {
            making.pass_over(applied);
            return Ok(0);
        }
        // Views that were just made may have read the first of them in the log.
        let known = applied.partition_point(|applied| applied.index <= self.views.stand());
        self.views.apply(&applied[known..])?;
        Ok(weight)
    }

    /// Goes on with views in the making. Says what it took in weighs.
    fn make(&mut self) -> Result<u64, StoreError> {
        let Some(making) = self.making.as_mut().filter(|_| !self.views.is_full()) else { return Ok(0) };
        let (weight, done) = making.go_on(&mut self.views, &self.reader)?;
        if done {
            tracing::info!("views.db is rebuilt: logins work again");
            self.making = None;
            self.engine.give_blocking(ToCore::Input(Input::ViewsReady(true)));
        }
        Ok(weight)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use lastword_facts::fact::Message;
    use lastword_facts::ids::{AccountId, Incarnation, Key, LogIndex, Position, Seq, Stamp};
    use lastword_facts::{Body, Fact};
    use lastword_store::{DataDir, Log};
    use tokio::sync::mpsc;

    use super::*;

    const BOB: AccountId = AccountId(2);

    fn message(seq: u64) -> Arc<Fact> {
        let position = Position { incarnation: Incarnation(1), seq: Seq(seq) };
        let body = Body::Message(Message { to: BOB, text: "hello".to_owned(), at_ms: 1, unwanted: None });
        Arc::new(Fact::new(position, Vec::new(), Stamp(seq), AccountId(1), Key(u128::from(seq)), body))
    }

    fn thread_in(parent: &std::path::Path) -> (ViewsThread, mpsc::Receiver<ToCore>, DataDir, Log) {
        let dir = DataDir::open(parent.join("data")).unwrap();
        let log = Log::open(&dir).unwrap();
        let views = Views::open(&dir, LogIndex::NONE, 0).unwrap();
        let (to_core, answers) = mpsc::channel(10);
        let options = crate::Options::new("127.0.0.1:1".parse().unwrap(), parent.to_owned());
        let thread = ViewsThread {
            views,
            making: None,
            reader: LogReader::open(&dir).unwrap(),
            reads: Reads::new(Instant::now()),
            engine: Engine::new(to_core, Arc::new(crate::metrics::Metrics::new(&options))),
            behind: Arc::new(AtomicU64::new(0)),
            pages: VecDeque::new(),
            since_page: 0,
            held: Vec::new(),
            tried: None,
        };
        (thread, answers, dir, log)
    }

    /// Whoever reads a lot keeps nobody from logging in, and whoever logs in all the time keeps nobody from reading.
    #[test]
    fn logins_go_before_pages_and_pages_have_their_turn() {
        let parent = tempfile::tempdir().unwrap();
        let (mut thread, ..) = thread_in(parent.path());
        let (to_views, jobs) = std::sync::mpsc::channel();
        let page = Query::Conversations { account: BOB, before: None, limit: 10, bytes: 1000 };
        for n in 0..3 {
            to_views.send(ToViews::Query(JobId(n), page.clone())).unwrap();
        }
        for n in 100..140 {
            to_views.send(ToViews::Query(JobId(n), Query::PendingCount(BOB))).unwrap();
        }
        let order: Vec<u64> = (0..43)
            .map(|_| match thread.next(&jobs) {
                Ok(ToViews::Query(JobId(n), _)) => n,
                _ => panic!("there is more"),
            })
            .collect();
        let places: Vec<usize> = (0..3).map(|n| order.iter().position(|&job| job == n).unwrap()).collect();
        let every = PAGE_EVERY as usize;
        assert_eq!(places, [every, 2 * every + 1, 42], "{order:?}");
    }

    /// Found by real processes on a full disk: a client came to a replica whose views lacked the last second, got the
    /// next messages, and not those.
    #[test]
    fn a_page_of_what_waits_is_whole_also_after_a_full_disk() {
        let parent = tempfile::tempdir().unwrap();
        let (mut thread, mut answers, _dir, mut log) = thread_in(parent.path());
        let facts: Vec<_> = (1..=2000).map(message).collect();
        log.append(&facts).unwrap();
        let applied = |(n, fact): (usize, &Arc<Fact>)| Applied {
            index: LogIndex(n as u64 + 1),
            position: fact.position,
            stamp: fact.stamp,
            change: Change::Message(fact.clone()),
        };
        thread.views.apply(&facts.iter().enumerate().map(applied).collect::<Vec<_>>()).unwrap();
        thread.views.limit_pages(1).unwrap();
        let page = Query::Inbox { account: BOB, after: LogIndex::NONE, limit: 5000, bytes: u32::MAX };
        thread.look_up(JobId(1), page).unwrap();
        thread.look_up_held().unwrap();
        assert!(answers.try_recv().is_err(), "the disk is full: this page is not whole");
        thread.views.limit_pages(1 << 20).unwrap();
        thread.tried = None;
        thread.look_up_held().unwrap();
        let Ok(ToCore::Input(Input::Found(JobId(1), Found::Messages { messages, .. }))) = answers.try_recv() else {
            panic!("answered as soon as there is room")
        };
        assert_eq!(messages.len(), 2000);
    }
}
