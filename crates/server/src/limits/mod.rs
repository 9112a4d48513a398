//! What one client, one account, and one address may take.
//!
//! Nothing here is shared between replicas, and nothing is remembered over a restart: it is for the moment of a flood.

mod addresses;
mod creates;
mod files;
mod inputs;
mod logins;
mod places;
mod queue;
mod rates;
mod refusals;

use std::time::Duration;

pub(crate) use addresses::{Address, Addresses, Network, Place};
pub(crate) use files::{Files, OpenFile};
pub(crate) use inputs::{Held, Inputs, Room};
pub(crate) use logins::{Attempt, Go, Logins, Outcome};
pub(crate) use places::{Guest, Places};
pub(crate) use queue::Queue;
pub(crate) use rates::{Accounts, Meter, cost};
pub(crate) use refusals::Refusals;

/// The limits on clients. What is `None` has a default that does not hold on loopback: whoever is there has the
/// machine anyway, or stands for many (something that passes connections on).
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time, over all: fewer if the process may not have that many files open.
    pub connections: usize,
    /// Connections at a time from one address (IPv6: from one /64 network); 1,000 if nothing is said.
    pub connections_per_address: Option<usize>,
    /// Requests a second on one connection, over ten seconds; 0 is no limit, and 200 is meant if nothing is said.
    pub requests_per_second: Option<u32>,
    /// Requests a second of one account on this replica, over ten seconds; 0 is no limit, and 400 is meant if nothing
    /// is said.
    pub account_requests_per_second: Option<u32>,
    /// Wrong passwords for one name from one address before the next attempts have to wait. Ten times as many from one
    /// address for all names.
    pub login_failures: u32,
    /// The longest that an attempt to log in has to wait for its turn because of wrong ones before it.
    pub login_delay_most: Duration,
    /// New accounts an hour from one address (IPv6: one /64 network, and a few times as many from wider ones), after 20 at
    /// once; 0 is no limit, and 360 is meant if nothing is said.
    pub accounts_per_hour: Option<u32>,
    /// Accounts that there may be, and have been, before this replica makes no more.
    pub accounts: u64,
    /// The longest line that is taken from a client, in bytes: at most what the protocol says,
    /// [`lastword_protocol::LINE_BYTES`].
    pub line_bytes: usize,
    /// Messages that may wait for one account.
    pub pending_per_account: u64,
    /// Bytes that one account may write in a day on this replica; 0 is no limit. If nothing is said, 256 MiB, unless
    /// the server listens on loopback.
    pub bytes_per_account_and_day: Option<u64>,
    /// How long a connection has to say what it is, for its TLS handshake, and for its first line: each.
    pub handshake: Duration,
    /// A connection on which nothing went either way for so long is closed. Without a login it is closed after 30 s,
    /// or after this time if that is less, whatever else it says.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: None,
            requests_per_second: None,
            account_requests_per_second: None,
            login_failures: 5,
            login_delay_most: Duration::from_secs(5),
            accounts_per_hour: None,
            accounts: 100_000,
            line_bytes: lastword_protocol::LINE_BYTES,
            pending_per_account: 100_000,
            bytes_per_account_and_day: None,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(3600),
        }
    }
}

impl Limits {
    /// How long the connection with this number has: [`Limits::handshake`] and up to a quarter more, each another time.
    /// Thousands that have come at one moment and say nothing are not closed, and most likely back, at one moment.
    pub(crate) fn handshake_of(&self, connection: u64) -> Duration {
        spread(self.handshake, connection)
    }

    /// How long the connection with this number may go on without a login, from its beginning or from the last answer
    /// to a login: [`BEFORE_LOGIN`] or [`Limits::idle`], whichever is less, and up to a quarter more. A page that waits
    /// for somebody to log in has connections to several replicas, and must not lose all of them at one moment.
    pub(crate) fn before_login_of(&self, connection: u64) -> Duration {
        spread(self.idle.min(BEFORE_LOGIN), connection)
    }
}

/// How long a connection may go on without a login.
const BEFORE_LOGIN: Duration = Duration::from_secs(30);

/// That long and up to a quarter more, for each connection another time.
fn spread(least: Duration, connection: u64) -> Duration {
    // Multiples of the golden ratio lie as evenly between 0 and 1 as numbers in a row can (Knuth, volume 3, 6.4).
    let part = connection.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    least + least.mul_f64(part as f64 / f64::from(u32::MAX) / 4.0)
}

/// Bytes that an account may write in a day, if nothing is said.
const BYTES_PER_DAY: u64 = 256 * 1024 * 1024;

impl Limits {
    /// What [`Limits::bytes_per_account_and_day`] comes to for a server that listens there.
    pub(crate) fn account_bytes_per_day(&self, on_loopback: bool) -> Option<u64> {
        match self.bytes_per_account_and_day {
            Some(0) => None,
            Some(most) => Some(most),
            None => (!on_loopback).then_some(BYTES_PER_DAY),
        }
    }
}

/// What holds for an address: what was said, or the default, which does not hold on loopback. None is no limit.
fn resolve(said: Option<u32>, default: u32, address: Address) -> Option<u32> {
    match said {
        Some(0) => None,
        Some(most) => Some(most),
        None => (!address.is_loopback()).then_some(default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_at_one_moment_is_not_closed_at_one_moment() {
        let limits = Limits { handshake: Duration::from_secs(10), ..Limits::default() };
        for first in [1, 4_000_000_000] {
            let mut ends = [0; 25];
            for connection in first..first + 5000 {
                let more = limits.handshake_of(connection).checked_sub(limits.handshake).expect("not less");
                ends[more.as_millis() as usize / 100] += 1;
            }
            assert!(ends.iter().all(|&count| (190..=210).contains(&count)), "in each tenth of a second: {ends:?}");
        }
    }
}
