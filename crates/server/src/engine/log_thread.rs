//! The log's thread: a batch is whatever waits when the last sync ends.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use lastword_core::Input;
use lastword_facts::Fact;
use lastword_store::{AppendError, Log, free_space};

use super::{Engine, ToCore};
use crate::error::ServerError;

/// The most facts in one transaction: some tens of milliseconds. What comes meanwhile waits for it, also what people
/// wait for while this replica catches up.
const BATCH: usize = 5_000;
/// After so long a full disk is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Free space is looked at so often.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes of changes that the views may be behind; then appending waits for them.
const VIEWS_BEHIND: u64 = 128 * 1024 * 1024;

/// What the log's thread is asked to do.
pub(crate) enum ToLog {
    Append(Vec<Arc<Fact>>),
    Repair { fact: Arc<Fact>, anew: bool },
    Alone(bool),
}

pub(super) struct LogThread {
    pub(super) log: Log,
    pub(super) engine: Engine,
    pub(super) dir: PathBuf,
    pub(super) free_bytes_min: u64,
    pub(super) views_behind: Arc<AtomicU64>,
    /// What is to be kept about being the only one up, until that has worked.
    pub(super) alone: Option<bool>,
    /// What is to stand in damaged records, until that has worked.
    pub(super) repairs: Vec<(Arc<Fact>, bool)>,
}

impl LogThread {
    pub(super) fn run(mut self, jobs: &Receiver<ToLog>) -> Result<(), ServerError> {
        let mut looked = None;
        let mut room = true;
        loop {
            let Some(batch) = self.gather(jobs)? else { return Ok(()) };
            while self.views_behind.load(Ordering::Relaxed) > VIEWS_BEHIND {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.append(&batch, &mut room)?;
            if looked.is_none_or(|looked: Instant| looked.elapsed() > LOOK) {
                looked = Some(Instant::now());
                let free = free_space(&self.dir).unwrap_or(u64::MAX);
                // Some more than the least, so that it does not flap.
                let enough = if room { self.free_bytes_min } else { self.free_bytes_min / 4 * 5 };
                self.say_room(&mut room, free >= enough);
            }
        }
    }

    /// Whatever waits. With a disk that was full it comes back now and then without anything.
    fn gather(&mut self, jobs: &Receiver<ToLog>) -> Result<Option<Vec<Arc<Fact>>>, ServerError> {
        let mut batch = Vec::new();
        let mut job = match jobs.recv_timeout(LOOK) {
            Ok(job) => Some(job),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(None),
        };
        while let Some(next) = job {
            match next {
                ToLog::Append(facts) => batch.extend(facts),
                ToLog::Repair { fact, anew } => self.repairs.push((fact, anew)),
                ToLog::Alone(alone) => self.alone = Some(alone),
            }
            job = if batch.len() < BATCH { jobs.try_recv().ok() } else { None };
        }
        self.repair()?;
        // On a full disk this is tried again: a mark that is not true any more would hide that this
        // replica may be behind at its next start.
        if let Some(alone) = self.alone {
            match self.log.set_alone(alone) {
                Ok(()) => self.alone = None,
                Err(AppendError::Full) => {}
                Err(failed @ (AppendError::Failed(_) | AppendError::Damaged(_))) => return Err(self.fail(failed)),
            }
        }
        Ok(Some(batch))
    }

    /// Writes what is to stand in damaged records. On a full disk this is tried again.
    fn repair(&mut self) -> Result<(), ServerError> {
        while let Some((fact, anew)) = self.repairs.last() {
            match self.log.repair(fact, *anew) {
                Ok(_) => {}
                Err(AppendError::Full) => return Ok(()),
                Err(failed @ (AppendError::Failed(_) | AppendError::Damaged(_))) => return Err(self.fail(failed)),
            }
            self.engine.give_blocking(ToCore::Input(Input::Repaired(fact.position)));
            self.repairs.pop();
        }
        Ok(())
    }

    fn fail(&self, failed: AppendError) -> ServerError {
        self.engine.fail();
        tracing::error!("{failed}");
        failed.into()
    }

    fn append(&mut self, batch: &[Arc<Fact>], room: &mut bool) -> Result<(), ServerError> {
        if batch.is_empty() {
            return Ok(());
        }
        loop {
            let began = Instant::now();
            match self.log.append(batch) {
                Ok(end) => {
                    self.count(batch.len() as u64, began.elapsed());
                    self.engine.give_blocking(ToCore::Input(Input::Stored(end)));
                    return Ok(());
                }
                Err(AppendError::Full) => {
                    self.say_room(room, false);
                    std::thread::sleep(RETRY);
                    if !*self.engine.open.borrow() {
                        return Err(AppendError::Full.into());
                    }
                }
                Err(failed @ (AppendError::Failed(_) | AppendError::Damaged(_))) => return Err(self.fail(failed)),
            }
        }
    }

    fn count(&self, facts: u64, took: Duration) {
        let metrics = &self.engine.metrics;
        metrics.sync.observe_time(took, 1);
        metrics.sync_facts.observe(facts, 1);
        metrics.log_queue.fetch_sub(facts, Ordering::Relaxed);
    }

    fn say_room(&self, room: &mut bool, now: bool) {
        if *room == now {
            return;
        }
        *room = now;
        if now {
            tracing::info!("the disk of {} has room again", self.dir.display());
        } else {
            tracing::error!(
                "the disk of {} is full: this replica can read, deliver and delete, but takes in nothing new until there is room",
                self.dir.display()
            );
        }
        self.engine.give_blocking(ToCore::Input(Input::DiskRoom(now)));
    }
}
