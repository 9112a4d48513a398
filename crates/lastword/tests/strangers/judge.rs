//! What an attack may not do.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::attacks::{Attack, Form};
use crate::people::Seen;
use crate::watch::Changes;

/// Others may wait this many times as long as before, of one in a hundred requests.
const TIMES: f64 = 3.0;
/// In the short run, on a machine that does other things: this many times, or this long.
const GENEROUS_TIMES: f64 = 10.0;
const GENEROUS: Duration = Duration::from_millis(1000);
/// Memory that a replica may take more, in mebibytes (200 MB).
const MEMORY_MIB: f64 = 190.7;

/// All that was seen of an attack.
pub struct Outcome {
    /// Which.
    pub attack: &'static Attack,
    /// From how many.
    pub form: Form,
    /// What people saw before it.
    pub quiet: Seen,
    /// What they saw during it.
    pub attacked: Seen,
    /// How long a visitor's login and message took, or why there was none.
    pub visit: Result<(Duration, Duration), String>,
    /// Why nobody could write to the one whom attackers write to.
    pub victim: Result<(), String>,
    /// What happened to the replicas.
    pub changes: Changes,
    /// How much of a core the attackers used.
    pub attackers_cores: f64,
    /// What they were answered, by kind.
    pub answered: BTreeMap<String, u64>,
    /// How long the attack took.
    pub took: Duration,
    /// The group was in sync afterwards.
    pub in_sync_again: bool,
}

impl Outcome {
    /// How many times as long the slowest of a hundred requests took.
    pub fn times(&self) -> f64 {
        self.attacked.p99.as_secs_f64() / self.quiet.p99.as_secs_f64().max(0.000_1)
    }

    /// The most that a replica took more, in mebibytes.
    pub fn memory_mib(&self) -> f64 {
        self.changes.memory_mib.iter().copied().fold(0.0, f64::max)
    }

    /// What exceeds the goal, in words. Nothing: all is well.
    pub fn judge(&self, full: bool) -> Vec<String> {
        let mut wrong = self.changes.wrong.clone();
        let most = if full { TIMES } else { GENEROUS_TIMES };
        if self.times() > most && (full || self.attacked.p99 > GENEROUS) {
            wrong.push(format!(
                "p99 of answers {:.1} times the quiet one: {} instead of {} ms",
                self.times(),
                self.attacked.p99.as_millis(),
                self.quiet.p99.as_millis()
            ));
        }
        if self.memory_mib() > MEMORY_MIB {
            wrong.push(format!("{:.0} MiB of memory more", self.memory_mib()));
        }
        if let Err(why) = &self.visit {
            wrong.push(format!("a visitor: {why}"));
        }
        if let Err(why) = &self.victim {
            wrong.push(why.clone());
        }
        if let Some(first) = self.attacked.failed.first() {
            wrong.push(format!("{} messages of people failed, first: {first}", self.attacked.failed.len()));
        }
        if !self.in_sync_again {
            wrong.push("the group was not in sync afterwards".to_owned());
        }
        wrong
    }
}
