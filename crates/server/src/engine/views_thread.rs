//! The views' thread: applies what the log has, and looks things up, in the order of asking.

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
                tracing::error!("the views are damaged: {error}; the server starts anew, and makes them anew");
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
                Ok(ToViews::Query(job, query)) => {
                    let found = self.views.query(&query)?;
                    self.engine.give_blocking(ToCore::Input(Input::Found(job, found)));
                }
                Err(RecvTimeoutError::Timeout) => uncommitted += self.make()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.read_for_peers()?;
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

    /// The next job. Without one: views in the making are gone on with, and what peers ask for is read in its time.
    fn next(&mut self, jobs: &Receiver<ToViews>) -> Result<ToViews, RecvTimeoutError> {
        let can_go_on = self.making.is_some() && !self.views.is_full();
        let wait = self.reads.wait(Instant::now()).unwrap_or(COMMIT_AFTER);
        jobs.recv_timeout(if can_go_on { Duration::ZERO } else { wait.min(COMMIT_AFTER) })
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
            tracing::info!("views.db is made: people are let in");
            self.making = None;
            self.engine.give_blocking(ToCore::Input(Input::ViewsReady(true)));
        }
        Ok(weight)
    }
}
