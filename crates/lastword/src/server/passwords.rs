//! `lastword server`: the options on passwords and sessions.

use std::time::Duration;

use clap::Args;
use lastword_server::Options;

/// How passwords and sessions are kept.
#[derive(Args)]
#[command(next_help_heading = "Passwords and sessions")]
pub(crate) struct PasswordArguments {
    /// Memory for one password hash, in MiB. Use the same value on all replicas. Older hashes are replaced when their
    /// owners log in.
    #[arg(long, value_name = "MIB", default_value_t = 19, value_parser = clap::value_parser!(u32).range(8..=1024))]
    hash_memory: u32,
    /// How many passwords are hashed at the same time [default: half the number of cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    hashes: Option<u16>,
    /// End sessions unused for this many days.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    session_days: u16,
    /// How often unused sessions are looked for, in milliseconds. For tests.
    #[arg(long, value_name = "N", hide = true, value_parser = clap::value_parser!(u32).range(10..))]
    sessions_swept_ms: Option<u32>,
}

impl PasswordArguments {
    /// Puts them where the server reads them.
    pub(crate) fn set(&self, options: &mut Options) {
        options.hashes = self.hashes.map_or(options.hashes, usize::from);
        options.session_unused = Duration::from_secs(u64::from(self.session_days) * 24 * 3600);
        let swept = self.sessions_swept_ms.map(|ms| Duration::from_millis(ms.into()));
        options.sessions_swept = swept.unwrap_or(options.sessions_swept);
        options.hash_memory_kib = self.hash_memory * 1024;
    }
}
