//! The views' thread: applies what the log has, and looks things up, in the order of asking.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use lastword_core::Input;
use lastword_core::io::JobId;
use lastword_facts::views::{Applied, Change, Found, Query};
use lastword_store::{LogReader, StoreError, Views};

use super::{Engine, ToCore};
use crate::error::ServerError;

/// Changes are committed after so long.
const COMMIT_AFTER: Duration = Duration::from_secs(2);
/// Changes are committed when they take so many bytes.
const COMMIT_BYTES: u64 = 8 * 1024 * 1024;

/// How much this thread stands back behind the others.
const NICE: i32 = 5;

/// About how many bytes a change takes in memory.
pub(super) fn weight(applied: &[Applied]) -> u64 {
    let weight = |applied: &Applied| match &applied.change {
        // Its bytes, and the same once more, decoded.
        Change::Message(fact) => 200 + 2 * fact.bytes().len() as u64,
        _ => 200,
    };
    applied.iter().map(weight).sum()
}

/// What the views' thread is asked to do.
pub(crate) enum ToViews {
    Apply(Vec<Applied>),
    Query(JobId, Query),
}

pub(super) struct ViewsThread {
    pub(super) views: Views,
    pub(super) reader: LogReader,
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
        loop {
            match jobs.recv_timeout(COMMIT_AFTER) {
                Ok(ToViews::Apply(applied)) => {
                    self.views.apply(&applied)?;
                    let weight = weight(&applied);
                    self.behind.fetch_sub(weight, Ordering::Relaxed);
                    uncommitted += weight;
                }
                Ok(ToViews::Query(job, query)) => {
                    let found = self.find(&query)?;
                    self.engine.give_blocking(ToCore::Input(Input::Found(job, found)));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if uncommitted >= COMMIT_BYTES || uncommitted > 0 && committed.elapsed() >= COMMIT_AFTER {
                self.views.commit()?;
                (uncommitted, committed) = (0, Instant::now());
            }
        }
    }

    fn find(&mut self, query: &Query) -> Result<Found, StoreError> {
        match *query {
            Query::Facts { from, upto, limit_bytes } => self.reader.facts(from, upto, limit_bytes),
            _ => self.views.query(query),
        }
    }
}
