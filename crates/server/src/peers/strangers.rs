//! What the log says of those who were not let in as replicas: each reason once a minute for each address, for who
//! dials in vain dials every second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So often a reason is told again.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// Lines at a time that are remembered, and so the most in a minute: anybody can knock.
const REMEMBERED: usize = 16;

/// When what was said last of whom.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<HashMap<(IpAddr, &'static str), Instant>>);

impl Strangers {
    /// Whether this kind of reason is to be said now of this address.
    pub(super) fn are_news(&self, from: IpAddr, kind: &'static str, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.duration_since(*at) < TELL_AGAIN);
        if told.contains_key(&(from, kind)) || told.len() >= REMEMBERED {
            return false;
        }
        told.insert((from, kind), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_once_a_minute_and_never_more_than_fit() {
        let (strangers, now) = (Strangers::default(), Instant::now());
        let ip = |n: u8| IpAddr::from([192, 0, 2, n]);
        assert!(strangers.are_news(ip(1), "key", now));
        assert!(!strangers.are_news(ip(1), "key", now + TELL_AGAIN / 2));
        assert!(strangers.are_news(ip(1), "list", now + TELL_AGAIN / 2));
        assert!(strangers.are_news(ip(1), "key", now + TELL_AGAIN));
        let crowd = (2..=255).filter(|&n| strangers.are_news(ip(n), "key", now + TELL_AGAIN)).count();
        assert_eq!(crowd, REMEMBERED - 2);
    }
}
