//! A group of three as real processes, each on a host of its own where the machine lets it: what the suites `faults`
//! and `strangers` share.

#![allow(dead_code, reason = "each suite uses a part of it")]

pub mod cargo;
pub mod group;
pub mod hosts;
pub mod look;
pub mod progress;
pub mod replica;
pub mod stopping;

/// Lets this process, and those that it starts, open as many files as the system allows: each connection is one.
pub fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is refused, connecting will say so.
    let _ = setrlimit(Resource::Nofile, limit);
}
