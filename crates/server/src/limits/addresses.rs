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

/// Counts connections by address.
pub(crate) struct Addresses {
    most: Option<u32>,
    counts: Arc<Mutex<HashMap<Address, u32>>>,
}

/// One connection that counts, for as long as it lives.
pub(crate) struct Place {
    address: Address,
    counts: Arc<Mutex<HashMap<Address, u32>>>,
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
        let count = counts.entry(address).or_default();
        if most.is_some_and(|most| *count >= most) {
            return None;
        }
        *count += 1;
        Some(Place { address, counts: self.counts.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
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
    fn loopback_is_not_limited_unless_it_is_said() {
        let addresses = Addresses::new(None);
        let enter = |from: &str| (0..=PER_ADDRESS).map(|_| addresses.enter(address(from))).collect::<Vec<_>>();
        assert!(enter("127.0.0.1").iter().all(Option::is_some));
        assert!(enter("192.0.2.1").last().unwrap().is_none());
    }
}
