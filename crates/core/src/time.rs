//! Time, as it is handed in: the core has no clock of its own.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on this machine's monotonic clock: the time since the driver's start. All durations are
/// measured on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub Duration);

impl Mono {
    /// The time from `earlier` to this moment; none if that is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Mono {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl Sub<Duration> for Mono {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

impl fmt::Debug for Mono {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}ms", self.0.as_millis())
    }
}

/// Now, on both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// On the monotonic clock: for everything that is measured.
    pub mono: Mono,
    /// By the wall clock, in microseconds since 1970: a suggestion for stamps, and what people see.
    /// May be wrong by years.
    pub wall_us: u64,
}

impl Now {
    /// By the wall clock, in milliseconds since 1970.
    pub fn wall_ms(self) -> u64 {
        self.wall_us / 1000
    }

    /// A later moment, if neither clock is set meanwhile.
    pub fn at(self, mono: Mono) -> Self {
        let later_us = mono.since(self.mono).as_micros() as u64;
        Self { mono, wall_us: self.wall_us.saturating_add(later_us) }
    }
}
