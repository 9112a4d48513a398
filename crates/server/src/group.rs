//! The group: who belongs to it, and which of them this replica is.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use lastword_core::io::ReplicaId;
use sha2::{Digest, Sha256};

use crate::Options;
use crate::cluster_key::ClusterKey;
use crate::error::ServerError;
use crate::local_key::local_key;

/// The most replicas in a group: they are named by letters.
const REPLICAS: usize = 26;

/// Where a replica listens: a host name or an IP address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// A host name, or an IP address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// From a host name or an IP address; one of IPv6 with brackets or without. Two ways to write one IP address are
    /// the same.
    ///
    /// # Errors
    /// It is neither; the error says so.
    pub fn new(host: &str, port: u16) -> Result<Self, String> {
        let host = host.trim();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Self { host: ip.to_string(), port });
        }
        if host.is_empty() || host.contains([':', '[', ']', ',', '/', '@']) || host.contains(char::is_whitespace) {
            return Err(format!("`{host}` is neither a host name nor an IP address"));
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// Whether it is surely on this machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || format!("`{text}` is not HOST:PORT, as in 192.0.2.7:65433 or [2001:db8::7]:65433");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_v6 = |host: &str| host.parse::<std::net::Ipv6Addr>().is_ok();
        if bare.map_or_else(|| host.contains([':', '[', ']']), |bare| !is_v6(bare)) {
            return Err(wrong());
        }
        let port = port.parse().map_err(|_| wrong())?;
        Self::new(bare.unwrap_or(host), port).map_err(|_| wrong())
    }
}

/// The group, as one of its replicas sees it.
#[derive(Debug, Clone)]
pub struct Group {
    /// All replicas, in the order of the list.
    pub members: Vec<Address>,
    /// Which of them this one is.
    pub own: ReplicaId,
    /// The list as text, for people.
    pub list: String,
    /// What they know each other by.
    pub key: ClusterKey,
    /// A hash of the list: replicas with different lists don't mix.
    pub hash: u64,
    /// Where replicas are dialled, if not at their addresses in the list.
    pub via: BTreeMap<ReplicaId, Address>,
}

impl Group {
    /// Finds this replica in the group's list, and checks the list. Without a key in the options, a group of one, and
    /// one that is all on loopback, uses this user's own ([`local_key`]), which is made if there is none yet.
    ///
    /// # Errors
    /// The list is not right, or a key is needed and was not given, or this user's own can't be used.
    pub fn new(options: &Options) -> Result<Self, ServerError> {
        let own = &options.listen;
        let members = if options.group.is_empty() { vec![own.clone()] } else { options.group.clone() };
        let list = members.iter().map(Address::to_string).collect::<Vec<_>>().join(",");
        let wrong = |what: String| Err(ServerError::Group(what));
        if members.len() > REPLICAS {
            return wrong(format!("it names {} replicas, and {REPLICAS} are the most", members.len()));
        }
        if let Some(twice) = members.iter().enumerate().find(|(n, member)| members[..*n].contains(member)) {
            return wrong(format!("it names {} twice", twice.1));
        }
        let Some(place) = members.iter().position(|member| member == own) else {
            return wrong(format!(
                "it doesn't contain this server, {own}: give HOST and PORT exactly as they are in --group {list}"
            ));
        };
        let digest = Sha256::digest(list.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        let key = match (&options.key, members.iter().find(|member| !member.is_loopback())) {
            (Some(key), _) => key.clone(),
            (None, Some(remote)) if members.len() > 1 => return Err(ServerError::KeyNeeded(remote.clone())),
            (None, _) => local_key()?,
        };
        let mut via = BTreeMap::new();
        for (name, address) in &options.via {
            let peer = (0..members.len()).map(|place| ReplicaId(place as u8)).find(|peer| peer.name() == *name);
            let Some(peer) = peer else { return wrong(format!("no replica of it is called `{name}`")) };
            via.insert(peer, address.clone());
        }
        Ok(Self { members, own: ReplicaId(place as u8), list, key, hash: u64::from_be_bytes(first), via })
    }

    /// Where this replica dials another one.
    pub fn dialled_at(&self, peer: ReplicaId) -> &Address {
        self.via.get(&peer).unwrap_or(&self.members[usize::from(peer.0)])
    }

    /// The letter of this replica.
    pub fn own_name(&self) -> String {
        self.own.name()
    }

    /// The letter and the address of a replica, for people.
    pub fn describe(&self, replica: ReplicaId) -> String {
        match self.members.get(usize::from(replica.0)) {
            Some(address) => format!("{} ({address})", replica.name()),
            None => replica.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn options(own: &str, group: &[&str]) -> Options {
        let mut options = Options::new(address(own), "data".into());
        options.group = group.iter().map(|member| address(member)).collect();
        options.key = Some(ClusterKey::from([1; 32]));
        options
    }

    #[test]
    fn addresses() {
        assert_eq!(address("[::1]:5"), Address { host: "::1".into(), port: 5 });
        assert_eq!(address("[::1]:5").to_string(), "[::1]:5");
        assert_eq!(address(" 192.0.2.1:5\t"), address("192.0.2.1:5"), "blanks around it don't count");
        assert_eq!(address("[0:0:0::1]:5"), address("[::1]:5"));
        assert_eq!(Address::new("[2001:db8::2]", 5), Address::new("2001:db8::2", 5));
        for bad in
            ["", "host", "host:", "host:70000", ":5", "::1:5", "[::1:5", "[host]:5", "my host:5", "http://host:5"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_group_names_this_server_once() {
        let text = |own, group: &[&str]| Group::new(&options(own, group)).unwrap_err().to_string();
        assert!(text("127.0.0.1:1", &["127.0.0.1:2"]).contains("doesn't contain this server, 127.0.0.1:1"));
        assert!(text("127.0.0.1:1", &["127.0.0.1:1", "127.0.0.1:1"]).contains("twice"));
        assert_eq!(Group::new(&options("127.0.0.1:2", &["127.0.0.1:1", "127.0.0.1:2"])).unwrap().own, ReplicaId(1));
    }

    #[test]
    fn a_replica_can_be_dialled_by_a_way_round() {
        let mut options = options("127.0.0.1:2", &["127.0.0.1:1", "127.0.0.1:2"]);
        options.via = vec![("a".into(), address("127.0.0.1:9"))];
        let group = Group::new(&options).unwrap();
        assert_eq!(*group.dialled_at(ReplicaId(0)), address("127.0.0.1:9"));
        assert_eq!(*group.dialled_at(ReplicaId(1)), address("127.0.0.1:2"));
        options.via = vec![("c".into(), address("127.0.0.1:9"))];
        assert!(Group::new(&options).unwrap_err().to_string().contains("no replica of it is called `c`"));
    }

    #[test]
    fn beyond_loopback_a_key_is_needed() {
        let mut options = options("127.0.0.1:1", &["127.0.0.1:1", "192.0.2.7:1"]);
        let key = options.key.take();
        assert!(matches!(Group::new(&options), Err(ServerError::KeyNeeded(_))));
        options.key = key;
        assert!(Group::new(&options).is_ok());
    }
}
