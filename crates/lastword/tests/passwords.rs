//! Real servers: what passwords are hashed with, for how long, and by whom.

#[path = "passwords/hashing.rs"]
mod hashing;
mod process;
