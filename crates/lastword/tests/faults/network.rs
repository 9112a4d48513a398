//! All proxies: between replicas, and from each person to each replica.

use std::io;

use crate::group::REPLICAS;
use crate::proxy::{Flow, Proxy};

/// The network between all.
pub struct Network {
    /// From the later replica to the earlier one, and back: b and a, c and a, c and b.
    links: Vec<Proxy>,
    /// By person, by replica.
    people: Vec<Vec<Proxy>>,
}

impl Network {
    /// Starts all proxies to these replicas, for so many people, at this host.
    pub async fn start(host: &str, addresses: &[String], people: usize, seed: u64) -> io::Result<Self> {
        let mut links = Vec::new();
        for later in 1..REPLICAS {
            for (earlier, address) in addresses.iter().enumerate().take(later) {
                let (to, home) = (address.clone(), addresses[later].clone());
                links.push(Proxy::between(host, to, home, seed ^ (later * 10 + earlier) as u64).await?);
            }
        }
        let mut all = Vec::new();
        for person in 0..people {
            let mut own = Vec::new();
            for (number, address) in addresses.iter().enumerate() {
                own.push(Proxy::start(host, address.clone(), seed ^ (1000 + person * 10 + number) as u64).await?);
            }
            all.push(own);
        }
        Ok(Self { links, people: all })
    }

    /// The proxy between two replicas.
    pub fn link(&self, one: usize, other: usize) -> &Proxy {
        let (later, earlier) = (one.max(other), one.min(other));
        &self.links[later * (later - 1) / 2 + earlier]
    }

    /// Where one replica dials another one.
    pub fn way(&self, from: usize, to: usize) -> String {
        let link = self.link(from, to);
        let home = link.home.filter(|_| from < to);
        home.unwrap_or(link.address).to_string()
    }

    /// How many people.
    pub fn people(&self) -> usize {
        self.people.len()
    }

    /// The proxy between a person and a replica.
    pub fn to(&self, person: usize, replica: usize) -> &Proxy {
        &self.people[person][replica]
    }

    /// Changes what goes from one replica to another, and back.
    pub fn set_link(&self, from: usize, to: usize, there: Flow, back: Flow) {
        // `there` is from the later one in the list to the earlier one.
        let proxy = self.link(from, to);
        if from > to { proxy.set(there, back) } else { proxy.set(back, there) }
    }

    /// Everything goes through again.
    pub fn heal(&self) {
        self.links.iter().chain(self.people.iter().flatten()).for_each(Proxy::heal);
    }
}
