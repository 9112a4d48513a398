//! Hashing passwords: argon2id, off the main path, and only so many at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use lastword_core::Input;
use lastword_core::io::{Busy, JobId, Password};
use lastword_facts::limits;
use lastword_facts::token::SessionToken;
use tokio::sync::Semaphore;

use crate::engine::{Engine, ToCore};

/// Hashes that may wait for their turn; more are refused at once.
const WAITING: usize = 256;

/// What checking a password may take at most, in KiB of memory and in passes over it: a hash says itself what it
/// takes, and it may have come from anywhere.
const COST_MOST: (u32, u32) = (256 * 1024, 16);

/// Whether a text is a hash that passwords can be checked against here.
pub fn is_usable_hash(text: &str) -> bool {
    text.len() <= limits::PASSWORD_HASH_BYTES && usable(text).is_some()
}

fn usable(text: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(text).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let whole = hash.salt.is_some() && hash.hash.is_some();
    (whole && params.m_cost() <= COST_MOST.0 && params.t_cost() <= COST_MOST.1).then_some(hash)
}

/// Hashes a password with argon2id and the parameters that OWASP recommends (19 MiB, two passes, one
/// lane), as a PHC string.
///
/// # Errors
/// The machine has no randomness for the salt.
pub fn hash_password(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// Does the core's hashing.
#[derive(Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// What a password is checked against where there is no account: as dear as a real one.
    dummy: Arc<str>,
    runtime: tokio::runtime::Handle,
}

impl Passwords {
    pub(crate) fn new(runtime: tokio::runtime::Handle) -> Self {
        let at_a_time = std::thread::available_parallelism().map_or(1, usize::from);
        let dummy = hash_password("nobody has this password").unwrap_or_default();
        Self {
            turns: Arc::new(Semaphore::new(at_a_time)),
            waiting: Arc::new(AtomicUsize::new(0)),
            dummy: dummy.into(),
            runtime,
        }
    }

    /// Hashes a new password.
    pub(crate) fn hash(&self, engine: &Engine, job: JobId, password: Password) {
        let refused = Input::Hashed(job, None, no_token());
        self.run(engine, refused, move || match (hash_password(&password.0), draw_token()) {
            (Ok(hash), Some(token)) => Input::Hashed(job, Some(hash), token),
            _ => Input::Hashed(job, None, no_token()),
        });
    }

    /// Finds which of the hashes a password fits.
    pub(crate) fn check(&self, engine: &Engine, job: JobId, password: Password, hashes: Vec<String>) {
        let dummy = self.dummy.clone();
        let refused = Input::Checked(job, Err(Busy), no_token());
        self.run(engine, refused, move || {
            let fits = |hash: &str| {
                usable(hash).is_some_and(|hash| Argon2::default().verify_password(password.0.as_bytes(), &hash).is_ok())
            };
            if hashes.is_empty() {
                fits(&dummy);
            }
            let found = hashes.iter().position(|hash| fits(hash));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_that_asks_for_too_much_is_not_used() {
        assert!(is_usable_hash(&hash_password("secret").unwrap()));
        let hash = |costs: &str| format!("$argon2id$v=19${costs}$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA");
        assert!(is_usable_hash(&hash("m=65536,t=3,p=4")));
        for unusable in [&hash("m=4194304,t=1,p=1"), &hash("m=8,t=1000000,p=1"), "$argon2id$", "$argon2id$x", "secret"]
        {
            assert!(!is_usable_hash(unusable), "{unusable}");
        }
    }
}
