//! From where a page may come that opens a WebSocket here.
//!
//! Browsers let any page connect to any server, and say from where the page is: so a server must look, or a page of
//! somebody else could speak with it in the name of whoever looks at it (RFC 6455, 10.2).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::group::Address;

/// The log tells of a page that was turned away at most so often.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// As much of an origin or a host is quoted, in characters.
const QUOTED: usize = 100;

/// The origins that are let in.
#[derive(Debug)]
pub(crate) struct Origins {
    /// As they were named, in small letters.
    named: Vec<String>,
    /// The replicas of the group: the page of one speaks with all.
    group: Vec<Address>,
    /// When the log was last told of one that was turned away.
    told: Mutex<Option<Instant>>,
}

impl Origins {
    pub(crate) fn new(named: &[String], group: &[Address]) -> Self {
        let named = named.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { named, group: group.to_vec(), told: Mutex::default() }
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
        // Own host: the page was loaded from where this connection goes, as the browser says of both. The port that is
        // not written is that of the page's scheme: something in between may do the TLS, and pass plain text on.
        host.is_some_and(|host| read(&host.to_ascii_lowercase(), default) == Some(address))
    }

    /// Tells the log, now and then, that a page was turned away. What to answer.
    pub(crate) fn refuse(&self, origin: &str, host: Option<&str>) -> String {
        let quote = |text: &str| text.chars().take(QUOTED).collect::<String>().escape_debug().to_string();
        let (origin, host) = (quote(origin), quote(host.unwrap_or("no host")));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            *told = Some(Instant::now());
            tracing::warn!(
                "a page of {origin} may not open a WebSocket at {host}: if it is yours, start the server with --origin {origin}, or have the proxy pass on the Host that the browser sent"
            );
        }
        format!(
            "The page of {origin} may not open a WebSocket at {host}: they differ. The operator can allow it with --origin.\n"
        )
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
            ("http://chat:65434", "chat:65434", true),
            ("http://Chat:65434", "cHAT:65434", true),
            ("https://talk.example", "talk.example", true),
            ("https://talk.example", "talk.example:443", true),
            ("https://talk.example:8443", "talk.example:8443", true),
            ("https://talk.example", "talk.example:80", false),
            ("http://talk.example:65434", "talk.example:65433", false),
            ("http://evil.example:65434", "chat:65434", false),
            ("ftp://chat:65434", "chat:65434", false),
            ("https://evil@chat:65434", "chat:65434", false),
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
