//! What clients may take, as a server is told.

use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use lastword_server::Limits;

/// Arguments of `lastword server`.
#[derive(Args)]
#[command(next_help_heading = "Client limits")]
pub(crate) struct LimitArguments {
    /// How many connections there may be at the same time.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,
    /// How many connections there may be from one address (IPv6: one /64 network) [default: 1000, and any number from loopback].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections_per_address: Option<u32>,
    /// Requests per second on one connection, averaged over ten seconds; 0: no limit [default: 200, and any number from loopback].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    requests_per_second: Option<u32>,
    /// Requests per second of one account on this server; 0: no limit [default: 400, and any number from
    /// loopback].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    account_requests_per_second: Option<u32>,
    /// Wrong passwords for one name from one address before further attempts are delayed, each longer than the last.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    login_failures: u32,
    /// The longest such delay, in seconds. Nobody is ever locked out. With more than 6 s, clients may switch to another
    /// replica while they wait.
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    login_delay: u32,
    /// New accounts an hour from one address or /64 network (twice as many from a /56, four times from a /48), after 20 at
    /// once; 0: any number [default: 360, and any number from loopback].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    accounts_per_hour: Option<u32>,
    /// Accounts, deleted ones too, beyond which no more are made here.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    accounts: u64,
    /// The longest line that a client may send, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 65_536, value_parser = RangedU64ValueParser::<usize>::new().range(1024..=65_536))]
    line_bytes: usize,
    /// How many undelivered messages one account may have. One sender may fill a fifth of that. (Approximate: they are
    /// counted every few seconds.)
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pending_per_account: u64,
    /// Bytes that one account may write to this server in a day (messages, and all else that is kept); 0: any number
    /// [default: 268435456, which is 256 MiB, and any number where HOST is on loopback].
    #[arg(long, value_name = "BYTES")]
    bytes_per_account_and_day: Option<u64>,
    /// Close a connection that has not completed its handshake or first request after this many seconds.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    handshake: u32,
    /// Close a connection after this many seconds without traffic in either direction; before a login after 30 at most.
    #[arg(long, value_name = "S", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..=31_536_000))]
    idle: u32,
}

impl LimitArguments {
    /// What they come to.
    pub(crate) fn read(&self) -> Limits {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Limits {
            connections: self.connections as usize,
            connections_per_address: self.connections_per_address.map(|most| most as usize),
            requests_per_second: self.requests_per_second,
            account_requests_per_second: self.account_requests_per_second,
            login_failures: self.login_failures,
            login_delay_most: seconds(self.login_delay),
            accounts_per_hour: self.accounts_per_hour,
            accounts: self.accounts,
            line_bytes: self.line_bytes,
            pending_per_account: self.pending_per_account,
            bytes_per_account_and_day: self.bytes_per_account_and_day,
            handshake: seconds(self.handshake),
            idle: seconds(self.idle),
        }
    }
}
