//! Passwords: hashed on threads of their own that stand back behind all others, and only so many at a time.
//!
//! A hash takes a core for some 20 ms. So there are few such threads, with the lowest priority there is: a flood of
//! logins takes what nobody else wants. What waits for them is bounded, and comes from each client in turn.

mod hashing;
mod queue;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lastword_core::Input;
use lastword_core::io::{Busy, JobId, Password};
use lastword_facts::token::SessionToken;

use crate::engine::{self, Engine, ToCore};
use crate::error::ServerError;
use crate::limits::Address;
use hashing::Hashing;
pub use hashing::{MEMORY_KIB, hash_password, is_usable_hash};
use queue::Queue;

/// Hashes that may wait for their turn; more are refused at once.
const WAITING: usize = 256;
/// How much the threads stand back behind all others: as much as there is.
const NICE: i32 = 19;

/// Hashes at a time, if nothing else is said: half of what the machine can do at once.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

/// What the core wants done.
pub(crate) enum Ask {
    /// Hash a new password.
    Hash(Password),
    /// Find which of the hashes a password fits.
    Check(Password, Vec<String>),
}

impl Ask {
    /// The answer where there is no room, or no randomness.
    fn refused(&self, job: JobId) -> Input {
        match self {
            Self::Hash(_) => Input::Hashed(job, None, no_token()),
            Self::Check(..) => Input::Checked(job, Err(Busy), no_token()),
        }
    }

    fn carry_out(self, hashing: Hashing, job: JobId) -> Input {
        let Some(token) = draw_token() else { return self.refused(job) };
        match self {
            Self::Hash(password) => Input::Hashed(job, hashing.hash(&password.0).ok(), token),
            Self::Check(password, hashes) => Input::Checked(job, Ok(hashing.check(&password.0, &hashes)), token),
        }
    }
}

/// Does the core's hashing. Dropped, its threads end with what they are at; nobody waits for them.
pub(crate) struct Passwords {
    door: Arc<Door>,
}

/// Where what waits is kept.
struct Door {
    state: Mutex<State>,
    filled: Condvar,
}

struct State {
    /// Whose address is not known comes in the turn of all such.
    queue: Queue<Option<Address>, (JobId, Ask)>,
    under_way: usize,
    closed: bool,
}

impl Door {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is next, as soon as there is something; `None` at the end.
    fn take(&self) -> Option<(JobId, Ask)> {
        let mut state = self.state();
        while !state.closed {
            if let Some(next) = state.queue.take() {
                state.under_way += 1;
                return Some(next);
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }
}

impl Passwords {
    /// Starts so many threads.
    ///
    /// # Errors
    /// The machine has none left.
    pub(crate) fn start(engine: &Engine, threads: usize, memory_kib: u32) -> Result<Self, ServerError> {
        let state = State { queue: Queue::new(WAITING), under_way: 0, closed: false };
        let door = Arc::new(Door { state: Mutex::new(state), filled: Condvar::new() });
        let passwords = Self { door };
        for _ in 0..threads.max(1) {
            let (door, engine, hashing) = (passwords.door.clone(), engine.clone(), Hashing { memory_kib });
            engine::spawn("hash", move || {
                stand_back();
                while let Some((job, ask)) = door.take() {
                    let done = ask.carry_out(hashing, job);
                    door.state().under_way -= 1;
                    engine.give_blocking(ToCore::Input(done));
                }
            })?;
        }
        Ok(passwords)
    }

    /// Has something done, for a client at this address. Says what was refused, if there is no room: this, or
    /// something that waited.
    #[must_use]
    pub(crate) fn ask(&self, address: Option<Address>, job: JobId, ask: Ask) -> Option<Input> {
        let dropped = self.door.state().queue.put(address, (job, ask));
        self.door.filled.notify_one();
        dropped.map(|(job, ask)| ask.refused(job))
    }

    /// How many wait for their turn, or have it.
    pub(crate) fn waiting(&self) -> usize {
        let state = self.door.state();
        state.queue.len() + state.under_way
    }
}

impl Drop for Passwords {
    fn drop(&mut self) {
        self.door.state().closed = true;
        self.door.filled.notify_all();
    }
}

/// Everybody else goes before this thread.
fn stand_back() {
    // On Linux this is of one thread alone, and the lowest there is, whatever the server was started with. Refused, it is
    // as it was.
    if cfg!(target_os = "linux") {
        let _ = rustix::process::setpriority_process(None, NICE);
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
