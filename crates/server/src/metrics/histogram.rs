//! How values are distributed: buckets with fixed bounds, of atomics.

use std::sync::atomic::{AtomicU64, Ordering};

/// The buckets of a histogram, and what its values are measured in.
pub(super) struct Scale {
    /// The largest value of each bucket, rising; beyond the last one is one more.
    bounds: &'static [u64],
    /// How many of those make one of the unit that is told.
    per_unit: f64,
}

/// Times, taken in microseconds and told in seconds: 50 µs to 10 s.
pub(super) const TIMES: Scale = Scale {
    bounds: &[
        50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
        2_500_000, 5_000_000, 10_000_000,
    ],
    per_unit: 1e6,
};

/// Facts at a time: up to as many as the log's thread takes at once.
pub(super) const FACTS: Scale =
    Scale { bounds: &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 20_000], per_unit: 1.0 };

/// How values are distributed.
pub(crate) struct Histogram {
    scale: &'static Scale,
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A histogram at a moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Distribution {
    /// The upper bound of each bucket, and how many values are in it alone; without the last one, which has no bound.
    pub(super) buckets: Vec<(f64, u64)>,
    /// All values, also those beyond the last bound.
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl Histogram {
    pub(super) fn new(scale: &'static Scale) -> Self {
        let counts = (0..=scale.bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { scale, counts, sum: AtomicU64::new(0) }
    }

    /// There was a value so often.
    pub(crate) fn observe(&self, value: u64, times: u64) {
        let bucket = self.scale.bounds.partition_point(|&bound| bound < value);
        self.counts[bucket].fetch_add(times, Ordering::Relaxed);
        self.sum.fetch_add(value.wrapping_mul(times), Ordering::Relaxed);
    }

    /// Something took so long, so often.
    pub(crate) fn observe_time(&self, time: std::time::Duration, times: u64) {
        self.observe(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), times);
    }

    /// What it shows now. The count is that of the buckets, so that they fit together while others go on counting.
    pub(super) fn now(&self) -> Distribution {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let bounds = self.scale.bounds.iter().map(|&bound| bound as f64 / self.scale.per_unit);
        Distribution {
            buckets: bounds.zip(counts.iter().copied()).collect(),
            count: counts.iter().sum(),
            sum: self.sum.load(Ordering::Relaxed) as f64 / self.scale.per_unit,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_that_is_large_enough() {
        let histogram = Histogram::new(&FACTS);
        for (value, times) in [(0, 1), (1, 1), (2, 10), (3, 100), (20_000, 1), (20_001, 7)] {
            histogram.observe(value, times);
        }
        let now = histogram.now();
        let filled: Vec<(f64, u64)> = now.buckets.into_iter().filter(|&(_, count)| count > 0).collect();
        assert_eq!(filled, [(1.0, 2), (2.0, 10), (5.0, 100), (20_000.0, 1)]);
        assert_eq!(now.count, 120, "also what is beyond the last bound");
        assert_eq!(now.sum, (1 + 20 + 300 + 20_000 + 7 * 20_001) as f64);
    }

    #[test]
    fn times_are_told_in_seconds() {
        let histogram = Histogram::new(&TIMES);
        histogram.observe_time(Duration::from_micros(50), 1);
        histogram.observe_time(Duration::from_micros(1_500), 2);
        histogram.observe_time(Duration::from_secs(60), 1);
        let now = histogram.now();
        let filled: Vec<(f64, u64)> = now.buckets.iter().copied().filter(|&(_, count)| count > 0).collect();
        assert_eq!(filled, [(0.000_05, 1), (0.002_5, 2)]);
        assert_eq!(now.count, 4);
        assert!((now.sum - 60.003_05).abs() < 1e-9, "{}", now.sum);
    }

    #[test]
    fn bounds_rise() {
        for scale in [&TIMES, &FACTS] {
            assert!(scale.bounds.is_sorted_by(|one, next| one < next));
        }
    }
}
