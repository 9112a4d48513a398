//! Memory and open files of the replicas over a run: they must not grow with it.

use std::time::{Duration, Instant};

use crate::group::{Group, NAMES, REPLICAS};
use crate::real::look::memory_and_files;

/// A process that has just started does not show yet what it will hold.
const SETTLED: Duration = Duration::from_secs(5);
/// What a replica takes most of the time may grow over a run by a quarter of what it was in its first third, and so
/// many mebibytes: caches fill up (500,000 keys, SQLite's pages), and the allocator keeps pages. What grows with each
/// message, of which there are hundreds a second, is far more in an hour.
const MEMORY_MIB: f64 = 64.0;
/// What it takes for a moment, in mebibytes, at most: the same, and what may wait when it gets everything anew (128 MiB
/// of changes for the views, 64 MiB of facts that came before what they rest on, and what is on its way).
const MOMENT_MIB: f64 = 512.0;
/// Open files may be so many more: clients come and go.
const FILES: usize = 100;
/// Runs shorter than this say nothing about growth.
const LONG: Duration = Duration::from_secs(15 * 60);

/// A look at one replica.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// When.
    pub at: Duration,
    /// Which replica.
    pub replica: usize,
    /// Mebibytes of memory.
    pub memory_mib: f64,
    /// Open files.
    pub files: usize,
}

/// What a replica took in a third of a run.
#[derive(Debug, Clone, Copy)]
pub struct Third {
    /// Mebibytes of memory: the middle of all looks.
    pub usual_mib: f64,
    /// The most.
    pub most_mib: f64,
    /// The most open files.
    pub files: usize,
}

/// All looks.
pub struct Usage {
    began: Instant,
    started: [(u32, Duration); REPLICAS],
    looks: Vec<Look>,
}

impl Usage {
    /// Begins now.
    pub fn new() -> Self {
        Self { began: Instant::now(), started: Default::default(), looks: Vec::new() }
    }

    /// Looks at all that run.
    pub fn look(&mut self, group: &Group) {
        let at = self.began.elapsed();
        for replica in 0..REPLICAS {
            let Some(pid) = group.replica(replica).pid() else { continue };
            if self.started[replica].0 != pid {
                self.started[replica] = (pid, at);
            }
            if at.saturating_sub(self.started[replica].1) < SETTLED {
                continue;
            }
            if let Some((memory_mib, files)) = memory_and_files(pid) {
                self.looks.push(Look { at, replica, memory_mib, files });
            }
        }
    }

    /// What a replica took in one third of the run: 0, 1 or 2.
    pub fn third(&self, replica: usize, third: u32) -> Option<Third> {
        let whole = self.looks.last()?.at;
        let (from, to) = (whole * third / 3, whole * (third + 1) / 3);
        let looks = self.looks.iter().filter(|look| look.replica == replica && look.at >= from && look.at <= to);
        let files = looks.clone().map(|look| look.files).max()?;
        let mut memory: Vec<f64> = looks.map(|look| look.memory_mib).collect();
        memory.sort_unstable_by(f64::total_cmp);
        Some(Third { usual_mib: memory[memory.len() / 2], most_mib: *memory.last()?, files })
    }

    /// What grew.
    pub fn judge(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.looks.last().is_none_or(|look| look.at < LONG) {
            return wrong;
        }
        for (replica, name) in NAMES.iter().enumerate() {
            let (Some(first), Some(last)) = (self.third(replica, 0), self.third(replica, 2)) else { continue };
            if last.usual_mib > first.usual_mib * 1.25 + MEMORY_MIB {
                wrong.push(format!(
                    "{name} took {:.0} MiB in the first third, and {:.0} in the last",
                    first.usual_mib, last.usual_mib
                ));
            }
            if last.most_mib > MOMENT_MIB {
                wrong.push(format!("{name} took {:.0} MiB at a moment of the last third", last.most_mib));
            }
            if last.files > first.files + FILES {
                wrong.push(format!(
                    "{name} had at most {} open files in the first third, and {} in the last",
                    first.files, last.files
                ));
            }
        }
        wrong
    }
}
