//! The thread that compiles the patterns of `list`s and matches names with them.
//!
//! What that takes is up to whoever wrote the pattern. So it is done here, at the lowest priority but not at none: a list
//! comes to its end on a busy machine, too. The core gives one piece of work at a time.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use lastword_core::Input;
use lastword_core::io::JobId;
use lastword_core::pattern::{Matched, Pattern};

use super::{Engine, ToCore};
use crate::passwords::{Standing, stand_back};

/// A list is at it for so long before the next one has its turn.
const TURN: Duration = Duration::from_millis(5);

/// A piece of work: these names are to be matched.
pub(super) type ToMatch = (JobId, Pattern, Vec<Arc<str>>);

pub(super) fn run(engine: &Engine, work: &Receiver<ToMatch>) {
    stand_back(Standing::Back);
    while let Ok((job, pattern, names)) = work.recv() {
        let began = Instant::now();
        let matched = pattern.match_names(&names, || began.elapsed() < TURN);
        let matched = matched.map(|matched| Matched { took: began.elapsed(), ..matched });
        engine.give_blocking(ToCore::Input(Input::Matched(job, matched)));
    }
}
