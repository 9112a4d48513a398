//! Times and counts of a run, over all connections.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use lastword_client::Error;
use lastword_client::protocol::Code;

/// Shared by all senders and receivers of a run.
pub(super) struct Recorder(Mutex<Records>);

/// What is recorded.
pub(super) struct Records {
    /// Microseconds from handing a message to the client library to its answer.
    pub latency: Histogram<u64>,
    pub acknowledged: u64,
    pub delivered: u64,
    /// By the server's code, or the client's reason.
    pub errors: BTreeMap<String, u64>,
    pub last_answer: Option<Instant>,
    pub last_delivery: Option<Instant>,
    pub killed: Option<Instant>,
}

impl Recorder {
    pub fn new() -> Self {
        Self(Mutex::new(Records {
            // Three digits, whatever the size.
            latency: Histogram::new(3).expect("three digits are allowed"),
            acknowledged: 0,
            delivered: 0,
            errors: BTreeMap::new(),
            last_answer: None,
            last_delivery: None,
            killed: None,
        }))
    }

    pub fn read(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message was acknowledged. Says when the leader was killed, if it was.
    pub fn acknowledged(&self, now: Instant, took: Duration) -> Option<Instant> {
        let mut records = self.read();
        records.acknowledged += 1;
        records.last_answer = Some(now);
        // Fails only for what no memory can count: some 500,000 years.
        let _ = records.latency.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        records.killed
    }

    /// A message was not acknowledged.
    pub fn failed(&self, error: &Error) {
        let what = match error {
            Error::Refused(refusal) => name_of(refusal.code),
            Error::NoAnswer { .. } => "no_answer".to_owned(),
            Error::NoReplica { .. } => "no_replica".to_owned(),
            Error::TooMany { .. } => "too_many_waiting".to_owned(),
            _ => "closed".to_owned(),
        };
        *self.read().errors.entry(what).or_default() += 1;
    }

    pub fn delivered(&self) {
        let mut records = self.read();
        records.delivered += 1;
        records.last_delivery = Some(Instant::now());
    }

    pub fn killed(&self) {
        self.read().killed = Some(Instant::now());
    }
}

/// As it stands in the protocol.
fn name_of(code: Code) -> String {
    serde_json::to_value(code).ok().and_then(|code| code.as_str().map(String::from)).unwrap_or_default()
}
