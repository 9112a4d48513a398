//! Counters of one thing, by a label.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::labels::Label;

/// How often something has happened, by a label.
pub(crate) struct Counts<L> {
    counts: Box<[AtomicU64]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label> Default for Counts<L> {
    fn default() -> Self {
        Self { counts: L::ALL.iter().map(|_| AtomicU64::new(0)).collect(), label: PhantomData }
    }
}

impl<L: Label> Counts<L> {
    /// It has happened so often.
    pub(crate) fn add(&self, label: L, times: u64) {
        if let Some(count) = self.counts.get(label.place()) {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// So many of them have ended.
    pub(super) fn take(&self, label: L, times: u64) {
        if let Some(count) = self.counts.get(label.place()) {
            count.fetch_sub(times, Ordering::Relaxed);
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (L, u64)> {
        L::ALL.iter().zip(&self.counts).map(|(&label, count)| (label, count.load(Ordering::Relaxed)))
    }
}
