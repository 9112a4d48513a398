//! What the micro-benchmarks share: `cargo bench --manifest-path bench/micro/Cargo.toml`.

use std::sync::Arc;

use lastword_facts::fact::Message;
use lastword_facts::ids::{AccountId, Incarnation, Key, Position, Seq, Stamp};
use lastword_facts::{Body, Fact};

/// As long as people's messages are, more or less.
pub const TEXT: &str = "A message of one hundred and forty bytes, as people write them: some words, a bit of \
    gossip, a question at the end, and then the name of a pub?";

/// A key of version 7, of its own for each number.
pub fn key(n: u64) -> Key {
    Key(u128::from(1_700_000_000_000 + n / 100) << 80 | 7 << 76 | 2 << 62 | u128::from(n))
}

/// An account, of its own for each number.
pub fn account(n: u64) -> AccountId {
    AccountId((u128::from(n) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// The `n`th fact of an incarnation: a message between two of so many people.
pub fn message(n: u64, people: u64) -> Arc<Fact> {
    let drawn = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let (from, to) = (account(drawn % people), account(drawn / people % people));
    let body = Body::Message(Message { to, text: TEXT.to_owned(), at_ms: n, unwanted: None });
    let position = Position { incarnation: Incarnation(1), seq: Seq(n) };
    Arc::new(Fact::new(position, Vec::new(), Stamp(n), from, key(n), body))
}
