//! How long answers took: told once they are on the socket, and together where they came together.

use tokio::time::Instant;

use crate::metrics::{Kind, Metrics, Operation};

/// Answers that are about to be written.
#[derive(Default)]
pub(super) struct Answered {
    /// Of a kind, taken up at one moment: so many. Those that come together are answered together, mostly.
    runs: Vec<(Kind, Instant, u64)>,
}

impl Answered {
    /// One more is about to be written.
    pub(super) fn add(&mut self, operation: Operation, taken_up: Instant) {
        let kind = operation.kind();
        match self.runs.last_mut() {
            Some((of, at, count)) if *of == kind && *at == taken_up => *count += 1,
            _ => self.runs.push((kind, taken_up, 1)),
        }
    }

    /// They are on the socket now.
    pub(super) fn tell(self, metrics: &Metrics) {
        if self.runs.is_empty() {
            return;
        }
        let now = Instant::now();
        for (kind, taken_up, count) in self.runs {
            metrics.observe_answers(kind, now - taken_up, count);
        }
    }
}
