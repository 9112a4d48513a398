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
/// Sessions of one account that are remembered: those with the largest stamps. Logging in more often
/// than that ends the oldest session.
pub const SESSIONS: usize = 64;
