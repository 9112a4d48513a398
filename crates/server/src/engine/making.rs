//! Making the views while the server runs.
//!
//! What a fact changes in them follows from all facts before it, so a core of its own goes through the log once
//! more. The running one takes part in the replication meanwhile; what it says to the views is on disk, in the log,
//! and is passed over until this one has come as far.

use lastword_core::{Core, Output};
use lastword_facts::LogIndex;
use lastword_facts::views::Applied;
use lastword_store::{LogReader, StoreError, Views};

use super::start::replay;

/// Facts that are taken in before somebody else has a turn: some milliseconds.
const PIECE: u64 = 1000;
/// So many facts between two lines that tell of it.
const PROGRESS_EVERY: u64 = 1_000_000;

/// Views in the making.
pub struct Making {
    /// Never started: it only applies.
    core: Core,
    /// The last place that the running core has applied.
    applied: LogIndex,
}

impl Making {
    /// From a core that has taken in as much as the views, on a log that goes so far.
    pub(super) fn new(core: Core, log_end: LogIndex) -> Self {
        Self { core, applied: log_end }
    }

    /// Passes over what the running core has applied: it is read from the log when its turn comes.
    pub(super) fn pass_over(&mut self, applied: &[Applied]) {
        if let Some(last) = applied.last() {
            self.applied = last.index;
        }
    }

    /// Takes the views a piece further. Says how many bytes' weight of changes they took in, and whether they have
    /// all that was passed over; they may have more then.
    ///
    /// # Errors
    /// The log can't be read, or the views not be written.
    pub(super) fn go_on(&mut self, views: &mut Views, reader: &LogReader) -> Result<(u64, bool), StoreError> {
        let before = views.stand();
        reader.tail(before, PIECE, |index, fact| replay(&mut self.core, index, fact))?;
        let mut weight = 0;
        while let Some(output) = self.core.poll_output() {
            // What else it reports, the running core has reported.
            if let Output::Apply(applied) = output {
                weight += super::views_thread::weight(&applied);
                views.apply(&applied)?;
            }
        }
        let stand = views.stand();
        if before.0 / PROGRESS_EVERY < stand.0 / PROGRESS_EVERY {
            tracing::info!("rebuilding views.db: {} of {} facts", stand.0, self.applied.0);
        }
        Ok((weight, stand >= self.applied))
    }
}
