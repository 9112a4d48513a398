//! What people asked for, how it went, and how long they waited.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use lastword_client::Error;

/// The longest wait that is told apart, in microseconds.
const MOST_US: u64 = 600_000_000;

/// What became of one kind of deed.
pub struct Outcome {
    /// Carried out.
    pub done: u64,
    /// Refused, by the code.
    pub refused: BTreeMap<String, u64>,
    /// No answer in time, or the client was killed before one came.
    pub unanswered: u64,
    /// Of those that were carried out, in microseconds.
    pub waits: Histogram<u64>,
}

/// All kinds of deeds.
#[derive(Default)]
pub struct Tally {
    /// By kind.
    pub deeds: BTreeMap<&'static str, Outcome>,
    /// What happened beside.
    pub events: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// A deed was answered, or was not.
    pub fn add<T>(&mut self, deed: &'static str, waited: Duration, result: &Result<T, Error>) {
        let outcome = self.deeds.entry(deed).or_insert_with(Outcome::new);
        match result {
            Ok(_) => {
                outcome.done += 1;
                outcome.waits.saturating_record(waited.as_micros().min(u128::from(MOST_US)) as u64);
            }
            Err(error) => match error.code() {
                Some(code) => *outcome.refused.entry(format!("{code:?}")).or_default() += 1,
                None => outcome.unanswered += 1,
            },
        }
    }

    /// Something happened.
    pub fn count(&mut self, event: &'static str) {
        *self.events.entry(event).or_default() += 1;
    }
}

impl Outcome {
    fn new() -> Self {
        let waits = Histogram::new_with_bounds(1, MOST_US, 3).expect("bounds that make sense");
        Self { done: 0, refused: BTreeMap::new(), unanswered: 0, waits }
    }
}
