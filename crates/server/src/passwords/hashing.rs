//! Hashing with argon2id, and with which parameters.
//!
//! Two passes over a memory that is a setting (19 MiB is what OWASP recommends for these passes), one lane. A hash
//! says with what it was made, so older ones go on to fit; at a login that fits, the password is hashed anew.
//!
//! Passwords are hashed in one form ([`opaque`]). Hashes of before that fit a password as it was typed go on to fit: a
//! check tries the form first, and then, if it is another, the password as it was typed.
//!
//! A check that fits nothing takes as long whether there is such an account or not: what the hashes that there are
//! did not cost is spent on nothing.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use lastword_core::io::Fit;
use lastword_facts::limits;

use super::opaque;

/// Memory of one hash, if nothing else is said, in kibibytes.
pub const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// What checking a password may take at most: memory in kibibytes, and that times the passes over it. A hash says
/// itself what it takes, and it may have come from anywhere.
const MOST_KIB: u32 = 1024 * 1024;
const MOST_KIB_PASSED: u32 = 4 * MOST_KIB;

/// Whether a text is a hash that passwords can be checked against here.
pub fn is_usable_hash(text: &str) -> bool {
    text.len() <= limits::PASSWORD_HASH_BYTES && usable(text).is_some()
}

fn usable(text: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(text).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let whole = hash.salt.is_some() && hash.hash.is_some();
    (whole && params.m_cost() <= MOST_KIB && passed_kib(&params) <= MOST_KIB_PASSED).then_some(hash)
}

/// How long a hash takes, about.
fn passed_kib(params: &Params) -> u32 {
    params.m_cost().saturating_mul(params.t_cost())
}

/// Hashes a password as a server does that was told nothing else, as a PHC string.
///
/// # Errors
/// The machine has no randomness for the salt.
pub fn hash_password(password: &str) -> Result<String, Error> {
    // What the original let in is let in here, too: with control characters it is hashed as it is.
    let form = opaque::normal(password).unwrap_or(password.into());
    Hashing { memory_kib: MEMORY_KIB }.hash(&form)
}

/// Hashes and checks passwords, with these parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashing {
    pub(crate) memory_kib: u32,
}

impl Hashing {
    /// Hashes a new password.
    pub(crate) fn hash(self, password: &str) -> Result<String, Error> {
        Ok(argon2(self.memory_kib)?.hash_password(password.as_bytes())?.to_string())
    }

    /// Finds which of the hashes a password fits.
    pub(crate) fn check(self, password: &str, hashes: &[String]) -> Option<Fit> {
        let normal = opaque::normal(password);
        let form = normal.as_deref().unwrap_or(password);
        if let Some(which) = self.fits(form, hashes) {
            let rehashed = if self.made(&hashes[which]) { None } else { self.hash(form).ok() };
            return Some(Fit { which, rehashed });
        }
        if form == password {
            return None;
        }
        // From now on it fits in its form.
        self.fits(password, hashes).map(|which| Fit { which, rehashed: self.hash(form).ok() })
    }

    /// Which of the hashes these bytes fit. If they fit none, that takes as long as if there were none.
    fn fits(self, password: &str, hashes: &[String]) -> Option<usize> {
        let fits = |hash: &String| {
            let hash = usable(hash)?;
            Argon2::default().verify_password(password.as_bytes(), &hash).ok()
        };
        let which = hashes.iter().position(|hash| fits(hash).is_some());
        if which.is_none() {
            spend(password, self.missing_kib(hashes));
        }
        which
    }

    /// Whether a hash was made with these parameters.
    fn made(self, hash: &str) -> bool {
        let Ok(hash) = PasswordHash::new(hash) else { return false };
        let same = |made: Params| (made.m_cost(), made.t_cost(), made.p_cost()) == (self.memory_kib, PASSES, LANES);
        hash.algorithm == Algorithm::Argon2id.ident()
            && hash.version == Some(Version::default().into())
            && Params::try_from(&hash).is_ok_and(same)
    }

    /// A hash with so much memory takes as long as checking these took less than checking one of now.
    fn missing_kib(self, hashes: &[String]) -> u32 {
        let params = hashes.iter().filter_map(|hash| Params::try_from(&usable(hash)?).ok());
        let passed_kib = params.map(|made| passed_kib(&made)).fold(0, u32::saturating_add);
        self.memory_kib.saturating_sub(passed_kib / PASSES)
    }
}

fn argon2(memory_kib: u32) -> Result<Argon2<'static>, Error> {
    let params = Params::new(memory_kib, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::default(), params))
}

/// Takes as long as a hash with so much memory.
fn spend(password: &str, memory_kib: u32) {
    let mut nothing = [0; Params::DEFAULT_OUTPUT_LEN];
    // Too little to be a hash at all is too little to be seen.
    if let Ok(argon2) = argon2(memory_kib) {
        let _ = argon2.hash_password_into(password.as_bytes(), b"no account", &mut nothing);
    }
    std::hint::black_box(nothing);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Hashing = Hashing { memory_kib: 256 };
    const BEFORE: Hashing = Hashing { memory_kib: 64 };

    #[test]
    fn a_password_fits_its_own_hash_alone() {
        let hashes = [NOW.hash("another").unwrap(), NOW.hash("secret").unwrap()];
        assert_eq!(NOW.check("secret", &hashes), Some(Fit { which: 1, rehashed: None }));
        assert_eq!(NOW.check("Secret", &hashes), None);
        assert_eq!(NOW.check("secret", &[]), None);
        assert_eq!(NOW.check("secret", &["no hash at all".to_owned()]), None);
    }

    #[test]
    fn what_fits_an_older_hash_is_hashed_anew() {
        let older = BEFORE.hash("secret").unwrap();
        let fit = NOW.check("secret", std::slice::from_ref(&older)).unwrap();
        let newer = fit.rehashed.unwrap();
        assert!(newer.starts_with("$argon2id$v=19$m=256,t=2,p=1$"), "{newer}");
        assert_eq!(NOW.check("secret", &[newer]), Some(Fit { which: 0, rehashed: None }));
        assert_eq!(NOW.check("Secret", &[older]), None);
    }

    #[test]
    fn a_password_fits_however_it_is_typed() {
        let (one, two) = ("pa\u{df}é", "pa\u{df}e\u{301}");
        let hash = [NOW.hash(&opaque::normal(two).unwrap()).unwrap()];
        for typed in [one, two] {
            assert_eq!(NOW.check(typed, &hash), Some(Fit { which: 0, rehashed: None }));
        }
        assert_eq!(NOW.check("pasße", &hash), None);
    }

    #[test]
    fn hashes_of_before_fit_as_they_were_typed_and_are_hashed_anew() {
        let (one, two) = ("pa\u{a0}é", "pa\u{a0}e\u{301}");
        let older = [NOW.hash("another").unwrap(), NOW.hash(two).unwrap()];
        assert_eq!(NOW.check(one, &older), None, "nobody can tell what was typed");
        let fit = NOW.check(two, &older).unwrap();
        assert_eq!(fit.which, 1);
        let newer = [fit.rehashed.unwrap()];
        for typed in [one, two, "pa é"] {
            assert_eq!(NOW.check(typed, &newer), Some(Fit { which: 0, rehashed: None }));
        }
        let control = [NOW.hash("a\tb").unwrap()];
        assert_eq!(NOW.check("a\tb", &control), Some(Fit { which: 0, rehashed: None }), "no new password may be so");
    }

    /// Made with these parameters is a matter of all of them.
    #[test]
    fn what_else_differs_is_hashed_anew_too() {
        for (algorithm, passes) in [(Algorithm::Argon2id, 3), (Algorithm::Argon2i, 2), (Algorithm::Argon2id, 2)] {
            let params = Params::new(256, passes, LANES, None).unwrap();
            let other = Argon2::new(algorithm, Version::default(), params);
            let hash = other.hash_password(b"secret").unwrap().to_string();
            assert_eq!(NOW.made(&hash), (algorithm, passes) == (Algorithm::Argon2id, PASSES), "{hash}");
        }
    }

    #[test]
    fn what_the_hashes_that_there_are_did_not_cost_is_spent() {
        let (older, newer) = (BEFORE.hash("secret").unwrap(), NOW.hash("secret").unwrap());
        assert_eq!(NOW.missing_kib(&[]), 256, "there is no such account");
        assert_eq!(NOW.missing_kib(std::slice::from_ref(&older)), 192);
        assert_eq!(NOW.missing_kib(std::slice::from_ref(&newer)), 0);
        assert_eq!(NOW.missing_kib(&[older, newer]), 0);
    }

    #[test]
    fn a_hash_that_asks_for_too_much_is_not_used() {
        assert!(is_usable_hash(&hash_password("secret").unwrap()));
        let hash = |costs: &str| format!("$argon2id$v=19${costs}$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA");
        assert!(is_usable_hash(&hash("m=65536,t=3,p=4")));
        assert!(is_usable_hash(&hash("m=1048576,t=2,p=1")), "the most that a server may be told to use");
        for unusable in [&hash("m=4194304,t=1,p=1"), &hash("m=8,t=1000000,p=1"), "$argon2id$", "$argon2id$x", "secret"]
        {
            assert!(!is_usable_hash(unusable), "{unusable}");
        }
    }

    #[test]
    fn the_parameters_are_those_that_are_recommended() {
        let hash = hash_password("secret").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }
}
