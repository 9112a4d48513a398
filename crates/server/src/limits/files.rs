//! Open files: each connection takes one, and the log and the views must always find some.
//!
//! A process may have a limited number of files open. SQLite opens files while the server runs (for a checkpoint, or for a large
//! sort), and a server whose log can't open one has to stop. So the files are shared out at the start: a reserve that no
//! connection ever takes, places for clients, and the rest for connections that are not clients, or have lost their
//! place and are about to end.

use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ServerError;

/// Files that are kept for everything but connections to this server: the log and the views with what SQLite opens beside
/// them, links that this replica dials, the clock and the queues of the kernel, the log lines, certificates.
const RESERVE: usize = 128;
/// With fewer files than these for connections a server does not start.
const LEAST: usize = 32;
/// Connections beyond all that clients may have, which might be other replicas. Where there are few files it is an eighth of
/// them; and as many are for other replicas, and for connections that are about to end.
const UNPLACED: usize = 256;

/// The files that connections may take.
#[derive(Debug)]
pub(crate) struct Files {
    places: usize,
    unplaced: usize,
    free: Arc<Semaphore>,
}

/// Of one connection; free again when it is dropped.
pub(crate) struct OpenFile {
    _taken: OwnedSemaphorePermit,
}

impl Files {
    /// Those of this process, if up to `connections` clients are to have a place. Warns in the log if that many can't be.
    ///
    /// # Errors
    /// There are too few files for any server.
    pub(crate) fn of_process(connections: usize) -> Result<Self, ServerError> {
        // Without a limit there is one all the same, and nobody has met it.
        let most = getrlimit(Resource::Nofile).current.map_or(Semaphore::MAX_PERMITS, |most| most as usize);
        let files = Self::share_out(most, connections)?;
        if files.places < connections {
            tracing::warn!(
                "this process may have {most} open files, so this server takes {} connections at a time and not {connections}: \
                 raise the limit (`ulimit -Hn`, LimitNOFILE= of systemd) to {} or more, or lower --connections",
                files.places,
                RESERVE + connections + 2 * UNPLACED
            );
        }
        Ok(files)
    }

    /// Shares out `most` files.
    fn share_out(most: usize, connections: usize) -> Result<Self, ServerError> {
        let least = RESERVE + LEAST;
        if most < least {
            return Err(ServerError::TooFewFiles { most, least });
        }
        let all = (most - RESERVE).min(Semaphore::MAX_PERMITS);
        let unplaced = UNPLACED.min(all / 8);
        let places = connections.min(all - 2 * unplaced);
        Ok(Self { places, unplaced, free: Arc::new(Semaphore::new(all)) })
    }

    /// How many clients may have a place.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// How many connections may be looked at that have none.
    pub(crate) fn unplaced(&self) -> usize {
        self.unplaced
    }

    /// One for a connection. `None` if only the reserve is left.
    pub(crate) fn take(&self) -> Option<OpenFile> {
        self.free.clone().try_acquire_owned().ok().map(|taken| OpenFile { _taken: taken })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_for_nobody() {
        for (most, connections, places, all) in [
            (1 << 20, 10_000, 10_000, (1 << 20) - 128),
            (10_640, 10_000, 10_000, 10_512),
            (10_639, 10_000, 9_999, 10_511),
            (1_024, 10_000, 672, 896),
            (256, 10_000, 96, 128),
            (160, 10_000, 24, 32),
            (1_024, 5, 5, 896),
        ] {
            let files = Files::share_out(most, connections).expect("enough");
            assert_eq!((files.places(), files.free.available_permits()), (places, all), "of {most}");
            assert!(files.places() + files.unplaced() <= all && all + RESERVE <= most, "of {most}");
        }
        assert!(matches!(Files::share_out(159, 1), Err(ServerError::TooFewFiles { most: 159, least: 160 })));
    }

    #[test]
    fn what_has_ended_is_free_again() {
        let files = Files::share_out(160, 10_000).expect("enough");
        let mut taken: Vec<OpenFile> = std::iter::from_fn(|| files.take()).collect();
        assert_eq!(taken.len(), 32);
        taken.pop();
        assert!(files.take().is_some());
    }
}
