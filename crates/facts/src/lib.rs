//! What replicas swap: facts, and the small types that name them.
//!
//! The state of a group is a *set of facts*: account claimed, message sent, delivered up to here,
//! account deleted. A fact is immutable, has a [`Position`] where it was written and an identity of
//! its own (author and key), and is written once. Two replicas that hold the same facts show the
//! same state, whatever the order in which they came.
//!
//! This crate knows nothing of networks, disks or clocks. It has the words that all others share:
//!
//! * [`ids`]: accounts, keys, incarnations, positions, stamps, log indexes.
//! * [`vector`]: version vectors.
//! * [`fact`]: the facts; [`codec`]: how they stand on disk and between replicas.
//! * [`name`]: the rules for names; [`limits`]: the rules for everything else.
//! * [`token`]: the opaque strings that clients are handed: `seen`, `pos`, session tokens.
//! * [`views`]: what is kept in reach for reading, and what can be asked of it.

pub mod codec;
pub mod fact;
pub mod ids;
pub mod limits;
pub mod name;
pub mod token;
pub mod vector;
pub mod views;

pub use fact::{Body, Fact};
pub use ids::{AccountId, Incarnation, Key, LogIndex, Order, Position, Seq, Stamp};
pub use name::Name;
pub use vector::VersionVector;
