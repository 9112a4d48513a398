//! The views' thread: applies what the log has, and looks things up, in the order of asking.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use lastword_core::Input;
use lastword_core::io::JobId;
use lastword_facts::views::{Applied, Found, Query};
use lastword_store::{LogReader, StoreError, Views};

use super::{Engine, ToCore};
use crate::error::ServerError;

/// Changes are committed after so long.
const COMMIT_AFTER: Duration = Duration::from_secs(2);
/// Changes are committed when there are so many.
const COMMIT_CHANGES: usize = 20_000;

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
        let result = self.work(jobs);
        if let Err(error) = &result {
            tracing::error!(
                "the views failed: {error}; the server stops, and makes them anew at its next start if it must"
            );
            self.engine.fail();
        } else {
            self.views.close()?;
        }
        Ok(result?)
    }

    fn work(&mut self, jobs: &Receiver<ToViews>) -> Result<(), StoreError> {
        let mut uncommitted = 0;
        let mut committed = Instant::now();
        loop {
            match jobs.recv_timeout(COMMIT_AFTER) {
                Ok(ToViews::Apply(applied)) => {
                    self.views.apply(&applied)?;
                    self.behind.fetch_sub(applied.len() as u64, Ordering::Relaxed);
                    uncommitted += applied.len();
                }
                Ok(ToViews::Query(job, query)) => {
                    let found = self.find(&query)?;
                    self.engine.give_blocking(ToCore::Input(Input::Found(job, found)));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if uncommitted >= COMMIT_CHANGES || uncommitted > 0 && committed.elapsed() >= COMMIT_AFTER {
                self.views.commit()?;
                (uncommitted, committed) = (0, Instant::now());
            }
        }
    }

    fn find(&self, query: &Query) -> Result<Found, StoreError> {
        match *query {
            Query::Facts { from, upto, limit_bytes } => self.reader.facts(from, upto, limit_bytes),
            _ => self.views.query(query),
        }
    }
}
