//! How many bytes of facts each account has written in a day, so that nobody fills the disks of all.
//!
//! The generic cell rate algorithm, as for requests: one moment for each account says how much is used. Whoever was
//! quiet for a day may write a day's bytes at once. In memory, for each replica by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use lastword_facts::ids::AccountId;
use lastword_marks::hit;

use crate::time::Mono;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What accounts have written.
#[derive(Debug, Clone)]
pub(crate) struct Quotas {
    bytes_per_day: Option<u64>,
    /// When each account may write a day's bytes again. One that may is forgotten sooner or later.
    free_at: BTreeMap<AccountId, Mono>,
    /// With this many accounts, those that may be are forgotten.
    forget_at: usize,
}

impl Quotas {
    pub(crate) fn new(bytes_per_day: Option<u64>) -> Self {
        Self { bytes_per_day, free_at: BTreeMap::new(), forget_at: 1024 }
    }

    fn cost(&self, bytes: u64) -> Duration {
        let Some(per_day) = self.bytes_per_day else { return Duration::ZERO };
        let nanos = DAY.as_nanos() * u128::from(bytes) / u128::from(per_day.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Whether an account may write this many bytes more; if not, after how many milliseconds it may.
    pub(crate) fn room(&self, now: Mono, account: AccountId, bytes: u64) -> Result<(), u64> {
        let used = self.free_at.get(&account).map_or(Duration::ZERO, |free_at| free_at.since(now));
        // One that is larger than the whole quota needs all of it.
        let over = (used + self.cost(bytes).min(DAY)).saturating_sub(DAY);
        if over.is_zero() {
            return Ok(());
        }
        hit("an account has written enough for a day");
        Err(over.as_millis() as u64 + 1)
    }

    /// An account has written this many bytes.
    pub(crate) fn spend(&mut self, now: Mono, account: AccountId, bytes: u64) {
        if self.bytes_per_day.is_none() {
            return;
        }
        if self.free_at.len() >= self.forget_at {
            self.free_at.retain(|_, free_at| *free_at > now);
            self.forget_at = 2 * self.free_at.len().max(512);
        }
        let cost = self.cost(bytes);
        let free_at = self.free_at.entry(account).or_insert(now);
        *free_at = (*free_at).max(now) + cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: AccountId = AccountId(1);

    #[test]
    fn a_day_has_its_bytes_and_they_come_back_evenly() {
        let (mut quotas, mut now) = (Quotas::new(Some(86_400)), Mono::default() + DAY);
        let mut write = |now: Mono, most: u64| {
            (0..most)
                .take_while(|_| {
                    let room = quotas.room(now, ANN, 100).is_ok();
                    if room {
                        quotas.spend(now, ANN, 100);
                    }
                    room
                })
                .count()
        };
        assert_eq!(write(now, 10_000), 864);
        now = now + Duration::from_secs(1000);
        assert_eq!(write(now, 10_000), 10, "a byte a second");
        now = now + 3 * DAY;
        assert_eq!(write(now, 10_000), 864, "no more than those of a day");
        assert!(quotas.room(now, AccountId(2), 86_400).is_ok(), "others have their own");
        let retry_ms = quotas.room(now, ANN, 100).unwrap_err();
        assert!(quotas.room(now + Duration::from_millis(retry_ms - 2), ANN, 100).is_err());
        assert!(quotas.room(now + Duration::from_millis(retry_ms), ANN, 100).is_ok());
    }

    #[test]
    fn whoever_has_a_whole_day_again_is_forgotten() {
        let (mut quotas, mut now) = (Quotas::new(Some(1000)), Mono::default());
        for n in 0..100_000 {
            quotas.spend(now, AccountId(n), 1);
            now = now + Duration::from_secs(1);
        }
        assert!(quotas.free_at.len() < 1100, "{}", quotas.free_at.len());
    }
}
