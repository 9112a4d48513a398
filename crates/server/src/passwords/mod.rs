//! Passwords: hashed on threads of their own that stand back behind all others, and only so many at a time.
//!
//! A hash takes a core for some 20 ms. So there are few such threads, and they have a core while nobody else wants it: a
//! flood of logins takes what is left over. What waits for them is bounded, and comes from each client in turn. Where the
//! machine has nothing left over, one more thread sees to it that people get in all the same (`door`).

mod door;
mod hashing;
pub(crate) mod opaque;

use std::sync::Arc;
use std::time::Duration;

use lastword_core::Input;
use lastword_core::io::{Busy, JobId, Password};
use lastword_facts::token::SessionToken;

use crate::engine::{self, Engine, ToCore};
use crate::error::ServerError;
use crate::limits::Address;
use door::{By, Door};
use hashing::Hashing;
pub use hashing::{MEMORY_KIB, hash_password, is_usable_hash};

/// Hashes that may wait for their turn; more are refused at once.
const WAITING: usize = 256;
/// Who has had something to hash for so long, and for each MiB of its memory so long, is late: ten times what it takes on
/// a machine that has the time.
const LATE: Duration = Duration::from_millis(300);
const LATE_A_MIB: Duration = Duration::from_millis(10);
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

    fn carry_out(&self, hashing: Hashing, job: JobId) -> Input {
        let Some(token) = draw_token() else { return self.refused(job) };
        match self {
            Self::Hash(password) => Input::Hashed(job, hashing.hash(&password.0).ok(), token),
            Self::Check(password, hashes) => Input::Checked(job, Ok(hashing.check(&password.0, hashes)), token),
        }
    }
}

/// Does the core's hashing. Dropped, its threads end with what they are at; nobody waits for them.
pub(crate) struct Passwords {
    door: Arc<Door>,
}

impl Passwords {
    /// Starts so many threads, and one that relieves them.
    ///
    /// # Errors
    /// The machine has none left.
    pub(crate) fn start(engine: &Engine, threads: usize, memory_kib: u32) -> Result<Self, ServerError> {
        let threads = threads.max(1);
        let late = LATE + LATE_A_MIB * (memory_kib / 1024);
        let passwords = Self { door: Arc::new(Door::new(WAITING, threads, late)) };
        let hashing = Hashing { memory_kib };
        for _ in 0..threads {
            let (door, engine) = (passwords.door.clone(), engine.clone());
            engine::spawn("hash", move || {
                stand_back(Standing::Off);
                while let Some((job, ask)) = door.take() {
                    give(&engine, &door, By::Thread, job, ask.carry_out(hashing, job));
                }
            })?;
        }
        let (door, engine) = (passwords.door.clone(), engine.clone());
        engine::spawn("hash-relief", move || {
            stand_back(Standing::Back);
            while let Some((job, ask)) = door.relieve() {
                give(&engine, &door, By::Relief, job, ask.carry_out(hashing, job));
            }
        })?;
        Ok(passwords)
    }

    /// Has something done, for a client at this address. Says what was refused, if there is no room: this, or
    /// something that waited.
    #[must_use]
    pub(crate) fn ask(&self, address: Option<Address>, job: JobId, ask: Ask) -> Option<Input> {
        let dropped = self.door.put(address, (job, Arc::new(ask)));
        dropped.map(|(job, ask)| ask.refused(job))
    }

    /// How many wait for their turn, or have it.
    pub(crate) fn waiting(&self) -> usize {
        self.door.len()
    }
}

impl Drop for Passwords {
    fn drop(&mut self) {
        self.door.close();
    }
}

/// Tells the core what came of something, unless another thread was faster.
fn give(engine: &Engine, door: &Door, by: By, job: JobId, done: Input) {
    if door.done(job, by) {
        engine.give_blocking(ToCore::Input(done));
    }
}

/// How much a thread stands back behind all others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has the smallest share of a core there is.
    Back,
    /// It has a core only while nobody else wants one, and loses it at once.
    Off,
}

/// Everybody else goes before this thread.
pub(crate) fn stand_back(standing: Standing) {
    // Both are of one thread alone on Linux, need no privilege, and come to the same whatever the server was started
    // with. Refused, it is as it was.
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
        // With a low priority alone it keeps its core until its time there is up, for milliseconds, whoever wakes up
        // meanwhile.
        if standing == Standing::Off {
            let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
            let own = thread_priority::thread_native_id();
            let _ = thread_priority::set_thread_priority_and_policy(own, ThreadPriority::Min, idle);
        }
        // Last: the other sets it, too.
        let _ = rustix::process::setpriority_process(None, NICE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = standing;
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
