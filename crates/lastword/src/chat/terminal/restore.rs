//! Puts the terminal right at the end.

use std::io;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// Dropped, it makes the terminal what it was: after the last command, after a signal, and after a panic.
pub(super) struct Restore(Option<Termios>);

impl Restore {
    /// Remembers how the terminal is now.
    pub fn later() -> Self {
        Self(tcgetattr(io::stdin()).ok())
    }

    /// Remembers how the terminal is now, and changes it.
    pub fn after(change: impl FnOnce(&mut Termios)) -> Self {
        let restore = Self::later();
        if let Some(before) = &restore.0 {
            let mut now = before.clone();
            change(&mut now);
            // What was typed already is kept.
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &now);
        }
        restore
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
    }
}
