//! What is told while a run goes on.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The last faults that are remembered, for a run that fails.
const REMEMBERED: usize = 40;

/// Tells what goes on.
pub struct Progress {
    began: Instant,
    /// Only now and then.
    quiet: bool,
    last: Mutex<Vec<String>>,
}

impl Progress {
    /// Begins now.
    pub fn new(quiet: bool) -> Self {
        Self { began: Instant::now(), quiet, last: Mutex::default() }
    }

    /// Says a line, in any case.
    pub fn say(&self, what: &str) {
        self.print(&self.stamped(what));
    }

    /// Something happened: said unless it is to be quiet, and remembered.
    pub fn note(&self, what: &str) {
        let line = self.stamped(what);
        if !self.quiet {
            self.print(&line);
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.push(line);
        if last.len() > REMEMBERED {
            last.remove(0);
        }
    }

    /// The last that was noted.
    pub fn last(&self) -> Vec<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stamped(&self, what: &str) -> String {
        format!("{:9.3}  {what}", self.began.elapsed().as_secs_f64())
    }

    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    fn print(&self, line: &str) {
        println!("{line}");
    }
}
