//! How many connections come from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections from one address, if nothing else was said.
const PER_ADDRESS: u32 = 1000;

/// Where a client comes from: an IPv4 address, or a network of IPv6, of which everybody has a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    /// An address of IPv4.
    V4([u8; 4]),
    /// The first 64 bits of one of IPv6.
    V6([u8; 8]),
    /// This machine itself, by IPv6.
    Loopback6,
}

impl Address {
    pub(crate) fn is_loopback(self) -> bool {
        matches!(self, Self::Loopback6 | Self::V4([127, ..]))
    }
}

/// An address, or a wider network of IPv6 around it: its first bytes, and how many of them count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network(Address, u8);

/// Networks of IPv6 that one customer may have, by their length in bytes (/64, /56, /48), and how many times as much as
/// a /64 they may take.
const NETWORKS: [(u8, u32); 3] = [(8, 1), (7, 2), (6, 4)];

impl Address {
    /// The networks in which this counts, and how many times as much as one address each may take. The address itself comes
    /// first, the widest last.
    pub(crate) fn networks(self) -> impl Iterator<Item = (Network, u32)> {
        let count = if matches!(self, Self::V6(_)) { NETWORKS.len() } else { 1 };
        NETWORKS.into_iter().take(count).map(move |(bytes, times)| (self.within(bytes), times))
    }

    /// The widest of them.
    pub(crate) fn widest(self) -> Network {
        self.within(NETWORKS[NETWORKS.len() - 1].0)
    }

    fn within(self, bytes: u8) -> Network {
        match self {
            Self::V6(mut network) => {
                network[usize::from(bytes)..].fill(0);
                Network(Self::V6(network), bytes)
            }
            other => Network(other, NETWORKS[0].0),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) if address.is_loopback() => Self::Loopback6,
            IpAddr::V6(address) => {
                let mut network = [0; 8];
                network.copy_from_slice(&address.octets()[..8]);
                Self::V6(network)
            }
        }
    }
}

/// Counts connections by address, and by the wider networks of IPv6.
pub(crate) struct Addresses {
    most: Option<u32>,
    counts: Arc<Mutex<HashMap<Network, u32>>>,
}

/// One connection that counts, for as long as it lives.
pub(crate) struct Place {
    address: Address,
    counts: Arc<Mutex<HashMap<Network, u32>>>,
}

impl Addresses {
    /// With this limit for each, if one was given.
    pub(crate) fn new(most: Option<usize>) -> Self {
        let most = most.map(|most| u32::try_from(most).unwrap_or(u32::MAX));
        Self { most, counts: Arc::default() }
    }

    /// Counts one more; `None` if it would be one too many.
    pub(crate) fn enter(&self, address: Address) -> Option<Place> {
        let most = super::resolve(self.most, PER_ADDRESS, address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |(network, times): (Network, u32)| {
            let count = counts.get(&network).copied().unwrap_or_default();
            most.is_some_and(|most| count >= most.saturating_mul(times))
        };
        if address.networks().any(is_full) {
            return None;
        }
        for (network, _) in address.networks() {
            *counts.entry(network).or_default() += 1;
        }
        Some(Place { address, counts: self.counts.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (network, _) in self.address.networks() {
            if let Some(count) = counts.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&network);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn addresses_are_told_apart_as_people_have_them() {
        assert_eq!(address("2001:db8::1"), address("2001:db8::2"), "one network");
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert!(
            address("::1").is_loopback()
                && address("127.9.9.9").is_loopback()
                && address("::ffff:127.0.0.1").is_loopback()
        );
        assert!(!address("192.0.2.1").is_loopback() && !address("::2").is_loopback());
    }

    #[test]
    fn so_many_from_one_address_and_no_more() {
        let addresses = Addresses::new(Some(2));
        let first = addresses.enter(address("127.0.0.1"));
        let second = addresses.enter(address("127.0.0.1"));
        assert!(first.is_some() && second.is_some());
        assert!(addresses.enter(address("127.0.0.1")).is_none());
        assert!(addresses.enter(address("127.0.0.2")).is_some(), "others are not concerned");
        drop(first);
        assert!(addresses.enter(address("127.0.0.1")).is_some());
        drop(second);
        assert!(addresses.counts.lock().unwrap().is_empty(), "nothing is kept of those who have gone");
    }

    #[test]
    fn networks_of_networks_have_more_and_not_without_end() {
        let addresses = Addresses::new(None);
        let mut places = Vec::new();
        let mut enter = |from: String| {
            let before = places.len();
            places.extend((0..=PER_ADDRESS).filter_map(|_| addresses.enter(address(&from))));
            places.len() - before
        };
        let of_56: usize = (0..10).map(|n| enter(format!("2001:db8:0:{n:x}::1"))).sum();
        assert_eq!(of_56, 2 * PER_ADDRESS as usize, "ten /64 of one /56");
        let of_48: usize = (1..10).map(|n| enter(format!("2001:db8:0:{n:x}00::1"))).sum();
        assert_eq!(of_56 + of_48, 4 * PER_ADDRESS as usize, "and all of one /48");
        assert_eq!(enter("2001:db8:1::1".to_owned()), PER_ADDRESS as usize, "somebody else");
        drop(places);
        assert!(addresses.counts.lock().unwrap().is_empty());
    }

    #[test]
    fn loopback_is_not_limited_unless_it_is_said() {
        let addresses = Addresses::new(None);
        let enter = |from: &str| (0..=PER_ADDRESS).map(|_| addresses.enter(address(from))).collect::<Vec<_>>();
        assert!(enter("127.0.0.1").iter().all(Option::is_some));
        assert!(enter("192.0.2.1").last().unwrap().is_none());
    }
}
