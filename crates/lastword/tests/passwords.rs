//! Real servers: what passwords are hashed with, for how long and by whom, and that nothing secret gets out.

#[path = "passwords/hashing.rs"]
mod hashing;
mod process;
#[path = "passwords/secrets.rs"]
mod secrets;
