//! The opaque strings that clients are handed.
//!
//! * `seen`: a stamp, signed with the group's key, so that nobody can push the group's stamps ahead.
//! * `pos`: where a message stands, for `history` (its [`Order`], the same on every replica) and for
//!   `delivered` (its [`LogIndex`], which means something on the connection it came on only).
//! * session tokens: 256 random bits; replicas keep only their hash.

use std::fmt;
use std::hash::Hasher;

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::ids::{Incarnation, LogIndex, Order, Stamp};

/// The key that `seen` tokens are signed with: the same on every replica of a group.
#[derive(Clone)]
pub struct SeenKey([u8; 16]);

impl SeenKey {
    /// Derives it from the cluster key.
    pub fn of_cluster_key(cluster_key: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"lastword seen\0");
        hash.update(cluster_key);
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }

    /// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012): a keyed hash made to sign
    /// short inputs. Every message costs two of them.
    fn sign(&self, stamp: Stamp) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u64(stamp.0);
        hasher.finish128().into()
    }

    /// Writes the token for a stamp.
    pub fn seal(&self, stamp: Stamp) -> String {
        format!("{:x}.{:032x}", stamp.0, self.sign(stamp))
    }

    /// Reads a token; `None` if it was not made with this key.
    pub fn open(&self, token: &str) -> Option<Stamp> {
        let (stamp, signature) = token.split_once('.')?;
        let stamp = Stamp(u64::from_str_radix(stamp, 16).ok()?);
        let signature = u128::from_str_radix(signature, 16).ok()?;
        // Folding the difference to one value first keeps the time the same for every wrong one.
        (signature ^ self.sign(stamp) == 0).then_some(stamp)
    }
}

impl fmt::Debug for SeenKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("SeenKey(secret)")
    }
}

/// Where a message stands: the `pos` of events and of history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pos {
    /// In the history, on every replica.
    pub order: Order,
    /// In the log of the replica that sent the event; [`LogIndex::NONE`] in a history.
    pub index: LogIndex,
}

impl Pos {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.').map(|part| u64::from_str_radix(part, 16).ok());
        let (stamp, incarnation, index) = (parts.next()??, parts.next()??, parts.next()??);
        let order = Order { stamp: Stamp(stamp), incarnation: Incarnation(incarnation) };
        Some(Self { order, index: LogIndex(index) })
    }
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:x}.{:x}.{:x}", self.order.stamp.0, self.order.incarnation.0, self.index.0)
    }
}

/// A session's token: 256 random bits. Only the client keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(pub [u8; 32]);

impl SessionToken {
    /// What replicas keep of it.
    pub fn hash(&self) -> TokenHash {
        let mut hash = Sha256::new();
        hash.update(b"lastword session\0");
        hash.update(self.0);
        TokenHash(hash.finalize().into())
    }

    /// Reads the 64 hex digits that [`SessionToken::reveal`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut token = [0; 32];
        for (byte, digits) in token.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(token))
    }

    /// The token as text, for its owner.
    pub fn reveal(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("SessionToken(secret)")
    }
}

/// The hash of a session's token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "session {:02x}{:02x}", self.0[0], self.0[1])
    }
}

impl<C> Encode<C> for TokenHash {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for TokenHash {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = decoder.bytes()?.try_into();
        bytes.map(Self).map_err(|_| minicbor::decode::Error::message("a token's hash has 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seen_token_opens_with_its_own_key_only() {
        let key = SeenKey::of_cluster_key(&[1; 32]);
        let token = key.seal(Stamp(77));
        assert_eq!(key.open(&token), Some(Stamp(77)));
        assert_eq!(SeenKey::of_cluster_key(&[2; 32]).open(&token), None);
        assert_eq!(key.open(&token.replacen("4d", "4e", 1)), None);
        assert_eq!(key.open("nonsense"), None);
    }

    #[test]
    fn a_pos_is_read_back_and_nonsense_is_not() {
        let order = Order { stamp: Stamp(u64::MAX), incarnation: Incarnation(3) };
        let pos = Pos { order, index: LogIndex(0) };
        assert_eq!(Pos::parse(&pos.to_string()), Some(pos));
        for bad in ["", "1.2", "1.2.3.4", "x.1.2", "1..2"] {
            assert_eq!(Pos::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_session_token_is_read_back() {
        let token = SessionToken([0xa5; 32]);
        assert_eq!(SessionToken::parse(&token.reveal()), Some(token));
        assert_eq!(SessionToken::parse(&"ä".repeat(32)), None);
    }
}
