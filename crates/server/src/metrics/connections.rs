//! How many clients are connected.

use super::counts::Counts;
use super::labels::Front;

/// Client connections, by what they speak.
#[derive(Default)]
pub(crate) struct Connections {
    pub(super) now: Counts<Front>,
    pub(super) opened: Counts<Front>,
}

/// A connection that counts for as long as this lives.
pub(crate) struct Counted<'a> {
    connections: &'a Connections,
    front: Front,
}

impl Connections {
    /// Counts a connection.
    pub(crate) fn count(&self, front: Front) -> Counted<'_> {
        self.now.add(front, 1);
        self.opened.add(front, 1);
        Counted { connections: self, front }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.connections.now.take(self.front, 1);
    }
}
