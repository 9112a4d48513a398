//! A load, and what came of it.

use std::fmt;

/// What is put on a system.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Connections that send.
    pub connections: usize,
    /// Messages that wait for their answers at a time, over all of them.
    pub in_flight: usize,
    /// How long.
    pub seconds: u64,
    /// Bytes of a text.
    pub size: usize,
}

impl Load {
    /// What the `n`th connection has in flight.
    pub fn share(&self, n: usize) -> usize {
        self.in_flight / self.connections + usize::from(n < self.in_flight % self.connections)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} connections, {} in flight", self.connections, self.in_flight)
    }
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Messages.
    pub acknowledged: u64,
    /// Messages, from the first that was sent to the last answer.
    pub per_s: f64,
    /// Milliseconds, in the middle.
    pub p50: f64,
    /// Milliseconds; one in a hundred takes longer.
    pub p99: f64,
    /// Lost, twice, or out of order.
    pub wrong: u64,
    /// Seconds of processor of the three servers.
    pub servers_cpu_s: f64,
    /// And of what puts the load on them.
    pub generator_cpu_s: f64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:.0} a second, p50 {:.2} ms, p99 {:.2} ms", self.per_s, self.p50, self.p99)
    }
}

#[cfg(test)]
mod tests {
    use super::Load;

    #[test]
    fn the_shares_make_the_whole() {
        for (connections, in_flight) in [(1, 1), (64, 64), (64, 1000), (3, 5)] {
            let load = Load { connections, in_flight, seconds: 1, size: 16 };
            assert_eq!((0..connections).map(|n| load.share(n)).sum::<usize>(), in_flight);
        }
    }
}
