//! What the fuzzers run: one function for each way in which bytes come from outside.
//!
//! A function takes any bytes, and must come back: no panic, no more than [`Target::memory_bytes`], no longer than
//! [`Target::time`]. Two callers share them: `fuzz/` at the root (libFuzzer, on nightly), and this crate's tests
//! (on stable, over the saved inputs in `fuzz/corpus` and what they make of them). Besides panics of the code
//! itself, each function panics where something else comes out than was promised; its module says what.
//!
//! * [`targets`]: the functions, one a file.
//! * `replica`: a replica in memory, that everything from outside ends up in.

pub mod targets;

mod client;
mod replica;

use std::time::Duration;

/// The longest input that the limits are meant for, in bytes. What is longer is cut off.
pub const INPUT_BYTES: usize = 64 * 1024;

/// One way in which bytes come from outside.
pub struct Target {
    /// What its corpus and its fuzzer are called.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// How long it may take, where tests are built as they are by default.
    pub time: Duration,
    /// How much memory it may take, at its peak.
    pub memory_bytes: usize,
}

impl Target {
    const fn new(name: &'static str, run: fn(&[u8])) -> Self {
        Self { name, run, time: Duration::from_millis(10), memory_bytes: 64 * 1024 * 1024 }
    }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("facts", targets::facts),
    Target::new("import_files", targets::import_files),
    Target::new("line_protocol", targets::line_protocol),
    Target::new("peer_frames", targets::peer_frames),
    // Hundreds of requests, each with the longest values there are.
    Target { time: Duration::from_millis(60), ..Target::new("sequences", targets::sequences) },
    Target::new("server_lines", targets::server_lines),
    Target::new("sniffing", targets::sniffing),
    // A fresh data directory alone takes longer than the others may: SQLite makes two files and syncs them.
    Target { time: Duration::from_millis(250), ..Target::new("views", targets::views) },
];
