//! Signals that end the program: the session is ended first, and the terminal put right.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGHUP, SIGINT, SIGQUIT and SIGTERM.
pub(super) struct Signals {
    all: [Signal; 4],
    came: bool,
}

impl Signals {
    /// From now on they do not end the program by themselves.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen() -> io::Result<Self> {
        let kinds = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()];
        let [hangup, interrupt, quit, terminate] = kinds.map(signal);
        Ok(Self { all: [hangup?, interrupt?, quit?, terminate?], came: false })
    }

    /// Waits for one of them. May be dropped without loss.
    pub async fn told_to_end(&mut self) {
        let [hangup, interrupt, quit, terminate] = &mut self.all;
        tokio::select! {
            _ = hangup.recv() => {}
            _ = interrupt.recv() => {}
            _ = quit.recv() => {}
            _ = terminate.recv() => {}
        }
        self.came = true;
    }

    /// Waits for one of them, and says whether it is only SIGINT, which does not
    /// count as having come. May be dropped without loss.
    pub async fn next_is_interrupt(&mut self) -> bool {
        let [hangup, interrupt, quit, terminate] = &mut self.all;
        tokio::select! {
            _ = interrupt.recv() => return true,
            _ = hangup.recv() => {}
            _ = quit.recv() => {}
            _ = terminate.recv() => {}
        }
        self.came = true;
        false
    }

    /// Whether one of them came.
    pub fn came(&self) -> bool {
        self.came
    }
}
