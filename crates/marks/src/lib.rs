//! Marks in the code for the simulator, on with the feature `on` and compiled away without it.
//!
//! * [`hit`] says that a rare path was taken: the simulator fails if one is never reached. (The idea is
//!   that of the crate `cov-mark`.)
//! * [`planted`] asks whether a [`Bug`] is planted: the simulator must find each of them.
//!
//! Both are of the thread that runs: a simulated run has one, so runs beside each other don't mix.

mod bug;

pub use bug::{BUGS, Bug};

#[cfg(feature = "on")]
mod thread {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    use crate::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
        static HITS: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// Plants a bug in this thread, or takes it out again.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    /// Whether this bug is planted.
    pub fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// A rare path was taken.
    pub fn hit(path: &'static str) {
        HITS.with_borrow_mut(|hits| *hits.entry(path).or_default() += 1);
    }

    /// How often each path was taken in this thread since this was last asked.
    pub fn take_hits() -> BTreeMap<&'static str, u64> {
        HITS.take()
    }
}

#[cfg(feature = "on")]
pub use thread::{hit, plant, planted, take_hits};

/// Whether this bug is planted: never, outside the simulator.
#[cfg(not(feature = "on"))]
#[inline(always)]
pub const fn planted(_: Bug) -> bool {
    false
}

/// A rare path was taken.
#[cfg(not(feature = "on"))]
#[inline(always)]
pub const fn hit(_: &'static str) {}
