//! Why replicas don't come together although both run: faults of configuration, told in the log, to clients and in the
//! metrics, and never only as "down".

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use lastword_core::io::ReplicaId;

/// What is wrong with each replica that can't be met, as a sentence for people.
#[derive(Debug, Clone, Default)]
pub struct Problems(Arc<Mutex<BTreeMap<ReplicaId, String>>>);

impl Problems {
    /// What is wrong with this one, if anything is.
    pub fn of(&self, peer: ReplicaId) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&peer).cloned()
    }

    /// From now on this is wrong with it, or nothing is.
    pub(super) fn set(&self, peer: ReplicaId, problem: Option<String>) {
        let mut problems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) => drop(problems.insert(peer, problem)),
            None => drop(problems.remove(&peer)),
        }
    }
}
