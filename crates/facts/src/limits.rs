//! The limits of what a fact can hold. A fact beyond them is impossible: kept, and ignored.

/// The longest name, in characters (all ASCII).
pub const NAME_CHARS: usize = 32;
/// The longest text of a message, in bytes of UTF-8.
pub const TEXT_BYTES: usize = 16 * 1024;
/// The longest password, in bytes of UTF-8. The shortest is a setting.
pub const PASSWORD_BYTES: usize = 1024;
/// The longest password hash in its text form, in bytes.
pub const PASSWORD_HASH_BYTES: usize = 512;
/// The largest fact, in bytes as encoded. The largest are those that name many incarnations.
pub const FACT_BYTES: usize = 1024 * 1024;
/// Good sessions of one account. A login beyond that ends the one that was not used for longest. After a split there may
/// be so many for each side, until somebody logs in.
pub const SESSIONS: usize = 64;
/// Sessions of one account that were not ended, good or not: a login beyond that ends those that open nothing any more,
/// since they are of an older password.
pub const SESSIONS_OPEN: usize = 128;
/// Ended sessions of one account that are remembered: what is said of them later is without effect.
pub const SESSIONS_ENDED: usize = 64;
