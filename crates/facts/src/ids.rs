//! Ids, sequence numbers and stamps: each a type of its own, so that none is taken for another.

use std::fmt;

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

/// An account, for ever. A hash of what created it, so that nobody can aim at another's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u128);

impl AccountId {
    /// The id of the account that a create with this key and name makes: the same create, retried
    /// anywhere, means the same account.
    pub fn of_create(key: Key, name: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"lastword account\0");
        hash.update(key.0.to_be_bytes());
        hash.update(name.as_bytes());
        let digest = hash.finalize();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Self(u128::from_be_bytes(half))
    }

    /// The first four hex digits: what tells two owners of one name apart.
    pub fn short(self) -> String {
        format!("{:04x}", self.0 >> 112)
    }

    /// Reads the 32 hex digits that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then(|| u128::from_str_radix(text, 16).ok().map(Self))?
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "account {}", self.short())
    }
}

/// What a client drew to name one deed of its account: a UUID. With its author's account it is the
/// identity of a fact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u128);

impl Key {
    /// The key of a fact that a replica made by itself, of which its position is the identity.
    pub fn of_position(position: Position) -> Self {
        // The version nibble of a UUID is in the middle of the upper half; 8 is "custom".
        let upper = (u128::from(position.incarnation.0) << 64) & !(0xf << 76) | (0x8 << 76);
        Self(upper | u128::from(position.seq.0))
    }

    /// For a version 7 UUID, which begins with the time it was drawn at: milliseconds since 1970.
    pub fn time_ms(self) -> Option<u64> {
        let version = (self.0 >> 76) & 0xf;
        (version == 7).then_some((self.0 >> 80) as u64)
    }

    /// Whether it was drawn more than ten minutes after `at_ms`, when its fact was taken: milliseconds since 1970, by
    /// the clock of the replica that took it. Such keys are not among the recent ones, wherever those are kept: the
    /// time in a key is its client's choice, and a few thousand keys of the far future would push out all others.
    pub fn runs_ahead(self, at_ms: u64) -> bool {
        self.time_ms().is_some_and(|drawn| drawn > at_ms.saturating_add(AHEAD_MS))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "key {:032x}", self.0)
    }
}

/// One life of a replica's data directory: drawn at random whenever it is opened, never reopened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Incarnation(#[n(0)] pub u64);

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 32)
    }
}

/// The number of a fact within its incarnation: 1, 2, 3… 0 stands for "none yet".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Seq(#[n(0)] pub u64);

impl Seq {
    /// Before the first fact.
    pub const NONE: Self = Self(0);

    /// The number after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a fact was written. Never used for two facts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Position {
    /// By which life of which replica.
    #[n(0)]
    pub incarnation: Incarnation,
    /// As its how-manieth fact.
    #[n(1)]
    pub seq: Seq,
}

impl Position {
    /// The one before it in its incarnation; [`Seq::NONE`] before the first.
    pub fn previous(self) -> Self {
        Self { seq: Seq(self.seq.0.saturating_sub(1)), ..self }
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.incarnation, self.seq)
    }
}

/// Orders facts for display. An order, never a time: nothing is ever compared with a clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Stamp(#[n(0)] pub u64);

impl Stamp {
    /// A stamp above this makes a fact impossible. Microseconds since 1970 reach it in the year 148,000.
    pub const MAX: Self = Self(1 << 62);
    /// No clock pushes a stamp above this, in microseconds: it is the year 75,000.
    pub const HORIZON: Self = Self(1 << 61);
    /// Above [`Stamp::HORIZON`] a stamp is only believed if it is at most so much further on than what was seen before.
    /// Facts made there count on one by one, so no replica that follows the rules comes near it.
    pub const STEP: u64 = 1 << 40;
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// The total order of display: by stamp, then by incarnation. No two facts have the same, since one
/// incarnation's stamps only rise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Order {
    /// The fact's stamp.
    #[n(0)]
    pub stamp: Stamp,
    /// The incarnation that wrote it.
    #[n(1)]
    pub incarnation: Incarnation,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}.{:?}", self.stamp, self.incarnation)
    }
}

/// The place of a fact in one replica's own log: 1, 2, 3… in the order they were taken in, causes
/// first. 0 stands for "none yet". Means nothing to another replica.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogIndex(pub u64);

impl LogIndex {
    /// Before the first fact.
    pub const NONE: Self = Self(0);

    /// The place after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Debug for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The 128-bit ids stand as byte strings of 16: CBOR's own numbers end at 64 bits.
macro_rules! as_bytes {
    ($type:ty) => {
        impl<C> Encode<C> for $type {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.bytes(&self.0.to_be_bytes())?.ok()
            }
        }
        impl<'b, C> Decode<'b, C> for $type {
            fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let bytes: [u8; 16] =
                    decoder.bytes()?.try_into().map_err(|_| minicbor::decode::Error::message("an id has 16 bytes"))?;
                Ok(Self(u128::from_be_bytes(bytes)))
            }
        }
    };
}
as_bytes!(AccountId);
as_bytes!(Key);

/// The clocks of a client and of a replica may differ by this much, and its keys are as good as any: milliseconds.
pub const AHEAD_MS: u64 = 10 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_its_time_only_in_version_7() {
        let drawn_at: u64 = 0x0198_f000_0000;
        let version_7 = (u128::from(drawn_at) << 80) | (0x7 << 76) | 5;
        assert_eq!(Key(version_7).time_ms(), Some(drawn_at));
        assert!(!Key(version_7).runs_ahead(drawn_at - AHEAD_MS));
        assert!(Key(version_7).runs_ahead(drawn_at - AHEAD_MS - 1));
        assert!(!Key(5).runs_ahead(0));
        assert_eq!(Key(5).time_ms(), None);
        let position = Position { incarnation: Incarnation(u64::MAX), seq: Seq(3) };
        assert_eq!(Key::of_position(position).time_ms(), None);
    }

    #[test]
    fn an_account_id_is_read_back_from_its_digits() {
        let id = AccountId::of_create(Key(1), "alice");
        assert_eq!(AccountId::parse(&id.to_string()), Some(id));
        assert_eq!(AccountId::parse("+123"), None);
        assert_ne!(id, AccountId::of_create(Key(1), "Alice"));
        assert_ne!(id, AccountId::of_create(Key(2), "alice"));
    }
}
