//! A host for each replica, as far as the network goes: network namespaces, on a bridge with this one.
//!
//! A proxy can hold bytes back, but what it has taken was acknowledged by TCP, and nothing is ever lost. Here packets
//! are: connections hang, nobody is told, and what was on its way is sent again, later and later, as on a real network.

use std::net::IpAddr;
use std::process::{Command, Stdio};

use super::group::{NAMES, REPLICAS};

/// Where each replica listens on its host.
const PORT: u16 = 65_433;
/// Packets that are to be lost are sent to this link-layer address, which nobody has.
const NOBODY: &str = "02:00:00:00:00:01";

/// The network that strangers come from, which nobody else uses: RFC 2544 keeps it for measuring.
const STRANGERS_NET: &str = "198.18";

/// The hosts. Dropped, they are gone.
pub struct Hosts {
    /// Begins the name of each of their namespaces and interfaces.
    prefix: String,
    /// Begins the address of each.
    net: String,
}

/// Which packets of a host are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All: its cable is pulled.
    All,
    /// Those that it sends.
    Sent,
    /// Those that are sent to it.
    Received,
}

/// Packets are lost until this is dropped.
pub struct Lost<'a> {
    hosts: &'a Hosts,
    number: usize,
    loss: Loss,
}

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        // Whatever can't be mended shows: not all come in sync.
        let _ = self.hosts.set(self.number, self.loss, false);
    }
}

impl Hosts {
    /// Makes them, for as long as this process lives.
    ///
    /// # Errors
    /// Why that can't be done here, and what to do about it.
    pub fn make() -> Result<Self, String> {
        let process = std::process::id();
        let net = format!("10.{}.{}", 64 + process / 250 % 128, process % 250);
        // From now on whatever was made is taken away again.
        let hosts = Self { prefix: format!("lw{process}"), net };
        let bridge = hosts.bridge();
        ip(&["link", "add", &bridge, "type", "bridge"])?;
        ip(&["address", "add", &format!("{}/24", hosts.here()), "dev", &bridge])?;
        ip(&["link", "set", &bridge, "up"])?;
        for number in 0..REPLICAS {
            let (space, cable) = (hosts.namespace(number), hosts.namespace(number));
            ip(&["netns", "add", &space])?;
            ip(&["link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &space])?;
            ip(&["link", "set", &cable, "master", &bridge, "up"])?;
            ip(&["-n", &space, "address", "add", &format!("{}/24", hosts.of(number)), "dev", "eth0"])?;
            ip(&["-n", &space, "link", "set", "eth0", "up"])?;
            ip(&["-n", &space, "link", "set", "lo", "up"])?;
        }
        Ok(hosts)
    }

    /// One more host, which has this many addresses, each of another network. The replicas answer to all of them.
    ///
    /// # Errors
    /// As `make`.
    pub fn add_strangers(&self, count: u8) -> Result<Vec<IpAddr>, String> {
        let space = self.strangers();
        ip(&["netns", "add", &space])?;
        ip(&["link", "add", &space, "type", "veth", "peer", "name", "eth0", "netns", &space])?;
        ip(&["link", "set", &space, "master", &self.bridge(), "up"])?;
        ip(&["-n", &space, "address", "add", &format!("{}.200/24", self.net), "dev", "eth0"])?;
        ip(&["-n", &space, "link", "set", "eth0", "up"])?;
        ip(&["-n", &space, "link", "set", "lo", "up"])?;
        let addresses: Vec<String> = (0..count).map(|number| format!("{STRANGERS_NET}.{number}.1")).collect();
        for address in &addresses {
            ip(&["-n", &space, "address", "add", &format!("{address}/32"), "dev", "eth0"])?;
        }
        for number in 0..REPLICAS {
            let there = self.namespace(number);
            ip(&["-n", &there, "route", "add", &format!("{STRANGERS_NET}.0.0/16"), "dev", "eth0"])?;
        }
        Ok(addresses.iter().filter_map(|address| address.parse().ok()).collect())
    }

    /// The namespace of the strangers' host.
    pub fn strangers(&self) -> String {
        format!("{}x", self.prefix)
    }

    fn bridge(&self) -> String {
        format!("{}br", self.prefix)
    }

    fn of(&self, number: usize) -> String {
        format!("{}.{}", self.net, 1 + number)
    }

    /// The namespace of a replica; the bridge's end of its cable is called so, too.
    pub fn namespace(&self, number: usize) -> String {
        format!("{}{}", self.prefix, NAMES[number])
    }

    /// The address of this host, where people and proxies are.
    pub fn here(&self) -> String {
        format!("{}.254", self.net)
    }

    /// `HOST:PORT` of each replica.
    pub fn addresses(&self) -> Vec<String> {
        (0..REPLICAS).map(|number| format!("{}:{PORT}", self.of(number))).collect()
    }

    /// Loses packets of a host. `None`: that could not be done.
    pub fn lose(&self, number: usize, loss: Loss) -> Option<Lost<'_>> {
        let lost = Lost { hosts: self, number, loss };
        self.set(number, loss, true).ok().map(|()| lost)
    }

    fn set(&self, number: usize, loss: Loss, lost: bool) -> Result<(), String> {
        let (space, bridge, here, there) = (self.namespace(number), self.bridge(), self.here(), self.of(number));
        let neighbour: &[&str] = match loss {
            Loss::All => return ip(&["link", "set", &space, if lost { "down" } else { "up" }]),
            Loss::Sent => &["-n", &space, "neighbour", "replace", &here, "dev", "eth0"],
            Loss::Received => &["neighbour", "replace", &there, "dev", &bridge],
        };
        // Found out anew, it is the right one again.
        let known: &[&str] = if lost { &["lladdr", NOBODY, "nud", "permanent"] } else { &["nud", "none"] };
        ip(&[neighbour, known].concat())
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for number in 0..REPLICAS {
            let _ = ip(&["netns", "delete", &self.namespace(number)]);
            let _ = ip(&["link", "delete", &self.namespace(number)]);
        }
        // Where there are no strangers, both fail.
        let _ = ip(&["netns", "delete", &self.strangers()]);
        let _ = ip(&["link", "delete", &self.strangers()]);
        let _ = ip(&["link", "delete", &self.bridge()]);
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let done = Command::new("ip").args(arguments).stdin(Stdio::null()).output();
    match done {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stderr);
            Err(format!("no network namespaces here ({}): run as root", said.trim()))
        }
        Err(_) => Err("there is no command `ip`: install the package iproute2".to_owned()),
    }
}
