//! The simulator: whole groups of the real core with real clients, on virtual time, from one seed.
//!
//! What is real: the core, the client's state machine, the protocol between them as JSON lines, and the
//! messages between replicas as bytes. What is simulated: time, clocks, network, disks, the views, and
//! the people.
//!
//! * [`chance`]: randomness from a seed.
//! * [`plan`]: which faults a run has, and how often.
//! * `world`: what happens when; `node`, `disk`, `views`: a replica's machine; `network`: links.
//! * `person`: a person at a client, and what he saw.
//! * [`checkers`]: what must be true of what people saw and disks hold.
//! * [`run`]: one run; [`sweep`]: many.
//!
//! Beside that, and with no part in common but the core, [`search`] tries all interleavings of very small groups.

pub mod chance;
pub mod checkers;
mod digest;
mod disk;
mod faults;
mod network;
mod node;
mod person;
pub mod plan;
pub mod run;
pub mod search;
pub mod sweep;
mod views;
mod world;
