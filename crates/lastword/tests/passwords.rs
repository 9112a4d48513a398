//! Real servers: what passwords are hashed with, for how long and by whom, that nothing secret gets out, and how sessions
//! end that nobody uses.

#[path = "passwords/hashing.rs"]
mod hashing;
mod process;
#[path = "passwords/secrets.rs"]
mod secrets;
#[path = "passwords/sessions.rs"]
mod sessions;
