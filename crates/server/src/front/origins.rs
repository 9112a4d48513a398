//! From where a page may come that opens a WebSocket here.
//!
//! Browsers let any page connect to any server, and say from where the page is: so a server must look, or a page of
//! somebody else could speak with it in the name of whoever looks at it (RFC 6455, 10.2).

use std::net::IpAddr;

use crate::group::Address;

/// The origins that are let in.
#[derive(Debug, Clone)]
pub(crate) struct Origins {
    /// As they were named, in small letters.
    named: Vec<String>,
    /// The replicas of the group: the page of one speaks with all.
    group: Vec<Address>,
}

impl Origins {
    pub(crate) fn new(named: &[String], group: &[Address]) -> Self {
        let named = named.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { named, group: group.to_vec() }
    }

    /// Whether a page of this origin may come, that has asked for `host`.
    pub(crate) fn allow(&self, origin: &str, host: Option<&str>) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.named.contains(&origin) {
            return true;
        }
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let default = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        let Some(address) = read(authority, default) else { return false };
        if self
            .group
            .iter()
            .any(|member| member.port == address.port && member.host.eq_ignore_ascii_case(&address.host))
        {
            return true;
        }
        // A group on this machine, whose pages can be asked for by this name, too. It can't be led elsewhere: browsers know
        // what it means.
        if address.host == "localhost" && self.group.iter().any(|own| own.port == address.port && own.is_loopback()) {
            return true;
        }
        // Own host, by its number. By a name it could be one that its owner has led to this machine's address just now,
        // after the page was loaded from elsewhere.
        let is_number = address.host == "localhost" || address.host.parse::<IpAddr>().is_ok();
        is_number && host.is_some_and(|host| read(&host.to_ascii_lowercase(), default) == Some(address))
    }
}

/// `HOST` or `HOST:PORT`.
fn read(authority: &str, default: u16) -> Option<Address> {
    let with_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if with_port { authority.parse().ok() } else { format!("{authority}:{default}").parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_the_group_if_that_is_on_this_machine() {
        let group = ["127.0.0.1:65433", "[::1]:65434", "192.0.2.7:65435"].map(|address| address.parse().unwrap());
        let origins = Origins::new(&[], &group);
        for (origin, allowed) in [
            ("http://localhost:65433", true),
            ("https://LOCALHOST:65434", true),
            ("http://localhost:65435", false),
            ("http://localhost:8000", false),
            ("http://localhost", false),
            ("http://localhost.evil.example:65433", false),
            ("http://evil.localhost:65433", false),
        ] {
            assert_eq!(origins.allow(origin, Some("127.0.0.1:65434")), allowed, "{origin}");
        }
    }

    #[test]
    fn own_host_the_group_and_what_is_named() {
        let group = ["chat-a.example:65433", "192.0.2.7:65433"].map(|address| address.parse().unwrap());
        let origins = Origins::new(&["https://Chat.example.org/".to_owned()], &group);
        for (origin, host, allowed) in [
            ("http://chat-a.example:65433", "127.0.0.1:65434", true),
            ("https://192.0.2.7:65433", "127.0.0.1:65434", true),
            ("https://chat.example.org", "127.0.0.1:65434", true),
            ("http://chat.example.org", "127.0.0.1:65434", false),
            ("http://127.0.0.1:65434", "127.0.0.1:65434", true),
            ("http://localhost:65434", "localhost:65434", true),
            ("http://[::1]:65434", "[::1]:65434", true),
            ("http://192.0.2.9", "192.0.2.9:80", true),
            ("http://127.0.0.1:8000", "127.0.0.1:65434", false),
            ("http://evil.example:65434", "evil.example:65434", false),
            ("http://chat-a.example", "127.0.0.1:65434", false),
            ("null", "127.0.0.1:65434", false),
            ("file://", "127.0.0.1:65434", false),
            ("http://", "127.0.0.1:65434", false),
            ("http://127.0.0.1:65434.evil.example", "127.0.0.1:65434", false),
        ] {
            assert_eq!(origins.allow(origin, Some(host)), allowed, "{origin} at {host}");
        }
    }
}
