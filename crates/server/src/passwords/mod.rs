//! Hashing passwords: argon2id, off the main path, and only so many at a time.

mod hashing;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lastword_core::Input;
use lastword_core::io::{Busy, JobId, Password};
use lastword_facts::token::SessionToken;
use tokio::sync::Semaphore;

use crate::engine::{Engine, ToCore};
use hashing::Hashing;
pub use hashing::{MEMORY_KIB, hash_password, is_usable_hash};

/// Hashes that may wait for their turn; more are refused at once.
const WAITING: usize = 256;

/// Does the core's hashing.
#[derive(Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    hashing: Hashing,
    runtime: tokio::runtime::Handle,
}

impl Passwords {
    pub(crate) fn new(runtime: tokio::runtime::Handle, memory_kib: u32) -> Self {
        let at_a_time = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            turns: Arc::new(Semaphore::new(at_a_time)),
            waiting: Arc::new(AtomicUsize::new(0)),
            hashing: Hashing { memory_kib },
            runtime,
        }
    }

    /// Hashes a new password.
    pub(crate) fn hash(&self, engine: &Engine, job: JobId, password: Password) {
        let refused = Input::Hashed(job, None, no_token());
        let hashing = self.hashing;
        self.run(engine, refused, move || match (hashing.hash(&password.0), draw_token()) {
            (Ok(hash), Some(token)) => Input::Hashed(job, Some(hash), token),
            _ => Input::Hashed(job, None, no_token()),
        });
    }

    /// Finds which of the hashes a password fits.
    pub(crate) fn check(&self, engine: &Engine, job: JobId, password: Password, hashes: Vec<String>) {
        let hashing = self.hashing;
        let refused = Input::Checked(job, Err(Busy), no_token());
        self.run(engine, refused, move || {
            let found = hashing.check(&password.0, &hashes);
            match draw_token() {
                Some(token) => Input::Checked(job, Ok(found), token),
                None => Input::Checked(job, Err(Busy), no_token()),
            }
        });
    }

    /// How many wait for their turn, or have it.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn run(&self, engine: &Engine, refused: Input, work: impl FnOnce() -> Input + Send + 'static) {
        let (engine, turns, waiting) = (engine.clone(), self.turns.clone(), self.waiting.clone());
        let room = waiting.fetch_add(1, Ordering::Relaxed) < WAITING;
        self.runtime.spawn(async move {
            let done = if room && let Ok(_turn) = turns.acquire().await {
                tokio::task::spawn_blocking(work).await.unwrap_or(refused)
            } else {
                refused
            };
            waiting.fetch_sub(1, Ordering::Relaxed);
            engine.give(ToCore::Input(done)).await;
        });
    }
}

/// A session token, of 256 random bits.
pub(crate) fn draw_token() -> Option<SessionToken> {
    let mut token = [0; 32];
    getrandom::fill(&mut token).ok().map(|()| SessionToken(token))
}

/// Stands where no session is opened.
fn no_token() -> SessionToken {
    SessionToken([0; 32])
}
