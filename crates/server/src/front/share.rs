//! What one connection may have carried out before all others have their turn.
//!
//! All connections share one thread. A task that always finds something to read goes on for as long as the runtime lets it, which
//! is 128 reads of 64 KiB: 0.4 s, and with 64 connections that never pause nobody else is answered for half a minute.

/// Lines that are carried out in one go.
const LINES: usize = 32;
/// Bytes of lines: reading JSON takes time for each. One line may be longer.
const BYTES: usize = 16 * 1024;
/// Times that something is read: a line may come in pieces of a byte.
const READS: usize = 32;

/// How much of its share a connection has had since others had theirs.
#[derive(Debug, Default)]
pub(super) struct Share {
    lines: usize,
    bytes: usize,
    reads: usize,
}

impl Share {
    /// A line of this length is carried out.
    pub(super) fn take(&mut self, bytes: usize) {
        self.lines += 1;
        self.bytes += bytes;
    }

    /// Something was read, be it a part of a line.
    pub(super) fn read(&mut self) {
        self.reads += 1;
    }

    /// Others come first now.
    pub(super) fn is_over(&self) -> bool {
        self.lines >= LINES || self.bytes >= BYTES || self.reads >= READS
    }

    /// Comes back when all others that had something to do have done it.
    pub(super) async fn pass(&mut self) {
        tokio::task::yield_now().await;
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_bytes_count() {
        let mut share = Share::default();
        (0..LINES - 1).for_each(|_| share.take(10));
        assert!(!share.is_over());
        share.take(10);
        assert!(share.is_over());
        let mut share = Share::default();
        share.take(BYTES - 1);
        assert!(!share.is_over());
        share.take(1);
        assert!(share.is_over(), "one long line is a share");
        let mut share = Share::default();
        (0..READS).for_each(|_| share.read());
        assert!(share.is_over(), "so are many pieces of a line");
    }
}
