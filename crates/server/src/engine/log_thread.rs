//! The log's thread: a batch is whatever waits when the last sync ends.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use lastword_core::Input;
use lastword_core::io::DiskRoom;
use lastword_facts::Fact;
use lastword_store::{AppendError, Log, LogFiles, free_space};

use super::{Engine, ToCore};
use crate::error::ServerError;

/// The most facts in one transaction: some tens of milliseconds. What comes meanwhile waits for it, also what people
/// wait for while this replica catches up.
const BATCH: usize = 5_000;
/// After so long a full disk is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Free space, and whether the files are still there, is looked at so often.
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
    /// What the log is written to.
    pub(super) files: LogFiles,
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
        let mut room = DiskRoom::Enough;
        loop {
            // Where the files are gone, the views may have failed first, and know less of why.
            let Some(batch) = self.gather(jobs)? else { return self.check_files() };
            while self.views_behind.load(Ordering::Relaxed) > VIEWS_BEHIND {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.append(&batch, &mut room)?;
            if looked.is_none_or(|looked: Instant| looked.elapsed() > LOOK) {
                looked = Some(Instant::now());
                self.check_files()?;
                let free = free_space(&self.dir).unwrap_or(u64::MAX);
                let now = room_for(free, self.free_bytes_min, room);
                self.say_room(&mut room, now);
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

    fn check_files(&self) -> Result<(), ServerError> {
        if self.files.are_gone() { Err(self.fail(ServerError::DataGone(self.dir.clone()))) } else { Ok(()) }
    }

    fn fail(&self, failed: impl Into<ServerError>) -> ServerError {
        let failed = failed.into();
        self.engine.fail();
        tracing::error!("{failed}");
        failed
    }

    fn append(&mut self, batch: &[Arc<Fact>], room: &mut DiskRoom) -> Result<(), ServerError> {
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
                    self.say_room(room, DiskRoom::None);
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

    fn say_room(&self, room: &mut DiskRoom, now: DiskRoom) {
        if *room == now {
            return;
        }
        *room = now;
        let dir = self.dir.display();
        match now {
            DiskRoom::Enough => tracing::info!("the disk of {dir} has room again"),
            DiskRoom::Reserve => tracing::error!(
                "the disk of {dir} is full: no new messages or accounts are taken until there is room. People can log in, read, \
                 change passwords and delete"
            ),
            DiskRoom::None => tracing::error!(
                "the disk of {dir} is full to the last: nothing new is taken, and nobody can log in with a password, until \
                 there is room. People who are logged in can read; what they delete waits if there is no room even for that"
            ),
        }
        self.engine.give_blocking(ToCore::Input(Input::DiskRoom(now)));
    }
}

/// How much room this many free bytes are, if at least `min` are to stay free. An eighth of those is the reserve's end.
/// To come back it takes a quarter more, so that it does not flap.
fn room_for(free: u64, min: u64, before: DiskRoom) -> DiskRoom {
    let reaches =
        |room: DiskRoom, least: u64| free >= if before < room { least.saturating_add(least / 4) } else { least };
    if reaches(DiskRoom::Enough, min) {
        DiskRoom::Enough
    } else if reaches(DiskRoom::Reserve, min / 8) {
        DiskRoom::Reserve
    } else {
        DiskRoom::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_fills_and_empties_in_steps_and_does_not_flap() {
        use DiskRoom::{Enough, None, Reserve};
        let mut room = Enough;
        for (free, expected) in [(80, Enough), (79, Reserve), (80, Reserve), (10, Reserve), (9, None), (10, None)] {
            room = room_for(free, 80, room);
            assert_eq!(room, expected, "{free} free");
        }
        for (free, expected) in [(12, Reserve), (99, Reserve), (100, Enough), (0, None), (100, Enough)] {
            room = room_for(free, 80, room);
            assert_eq!(room, expected, "{free} free");
        }
        assert_eq!(room_for(0, 0, Enough), Enough, "as long as the disk takes it");
    }
}
