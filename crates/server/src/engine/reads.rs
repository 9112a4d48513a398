//! Reading the log for peers, no faster than people who write can bear.
//!
//! A replica that catches up takes what it can get, and on a machine, a disk or a line that all share it would
//! take it from those who write. So while somebody writes, what is read for peers is as much as was written
//! meanwhile, which is what it takes to come nearer at all, and [`RATE`] more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use lastword_core::io::JobId;
use lastword_facts::ids::{Position, Seq};

/// Bytes a second by which a replica comes nearer while people write: a million short messages in 7 s.
const RATE: f64 = 26.0 * 1024.0 * 1024.0;
/// The most that may be read at once after a pause, in bytes.
const AT_ONCE: f64 = 1024.0 * 1024.0;
/// Nobody has written for so long: there is nobody to wait for. Changes are gathered before they come here, for up to
/// 90 ms while somebody writes now and then.
const QUIET: Duration = Duration::from_millis(150);

/// A question for facts of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    pub(super) job: JobId,
    pub(super) from: Position,
    pub(super) upto: Seq,
    pub(super) limit_bytes: u32,
}

/// Questions that wait for their turn: as many as the core lets be under way.
pub(super) struct Reads {
    waiting: VecDeque<Read>,
    /// Bytes that may be read now; below zero, so many too many were.
    room: f64,
    /// When that was so.
    at: Instant,
    written: Instant,
}

impl Reads {
    pub(super) fn new(now: Instant) -> Self {
        Self { waiting: VecDeque::new(), room: 0.0, at: now, written: now - QUIET }
    }

    pub(super) fn push(&mut self, read: Read) {
        self.waiting.push_back(read);
    }

    /// So many bytes were written.
    pub(super) fn on_written(&mut self, now: Instant, bytes: u64) {
        self.grow(now);
        self.room = (self.room + bytes as f64).min(AT_ONCE);
        self.written = now;
    }

    /// So many bytes were read.
    pub(super) fn on_read(&mut self, now: Instant, bytes: u64) {
        self.grow(now);
        self.room -= bytes as f64;
    }

    /// How long it is until the next one may be read, if one waits.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Duration> {
        self.grow(now);
        let quiet = QUIET.saturating_sub(now.saturating_duration_since(self.written));
        let room = Duration::from_secs_f64((-self.room).max(0.0) / RATE);
        (!self.waiting.is_empty()).then_some(room.min(quiet))
    }

    /// The next one, if it may be read now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Read> {
        self.wait(now)?.is_zero().then(|| self.waiting.pop_front())?
    }

    fn grow(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        // What was read while nobody wrote is not held against anybody.
        let room = if now.saturating_duration_since(self.written) >= QUIET { self.room.max(0.0) } else { self.room };
        self.room = (room + passed * RATE).min(AT_ONCE);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use lastword_facts::Incarnation;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn read() -> Read {
        let from = Position { incarnation: Incarnation(1), seq: Seq(1) };
        Read { job: JobId(1), from, upto: Seq(9), limit_bytes: 1 }
    }

    /// Reads whatever may be read in a second, a mebibyte at a time, while so many bytes are written each
    /// millisecond.
    fn read_in_a_second(written_a_ms: u64) -> f64 {
        let start = Instant::now() + QUIET;
        let (mut reads, mut bytes) = (Reads::new(start), 0);
        for ms in 0..1000 {
            let now = start + ms * MS;
            if written_a_ms > 0 {
                reads.on_written(now, written_a_ms);
            }
            reads.push(read());
            // A reader that nothing slows down reads a gibibyte a second.
            if reads.next(now).is_some() {
                bytes += 1024 * 1024;
                reads.on_read(now, 1024 * 1024);
            }
        }
        f64::from(bytes)
    }

    #[test]
    fn while_people_write_it_is_that_much_and_the_rate() {
        for written in [1, 1000, 50_000] {
            let expected = RATE + 1000.0 * written as f64;
            let read = read_in_a_second(written);
            assert!((read - expected).abs() < 0.1 * expected, "{read} instead of {expected}");
        }
    }

    #[test]
    fn nobody_writes_nothing_waits() {
        assert!(read_in_a_second(0) > 1e9);
        let start = Instant::now() + QUIET;
        let mut reads = Reads::new(start);
        reads.on_written(start, 1);
        reads.on_read(start, 100 * 1024 * 1024);
        reads.push(read());
        assert!(reads.next(start).is_none());
        assert_eq!(reads.wait(start), Some(QUIET), "not the seconds that it takes at the rate");
        assert!(reads.next(start + QUIET).is_some());
    }
}
