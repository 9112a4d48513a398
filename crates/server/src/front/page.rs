//! The browser's page: a few files that are within the program, and the headers that hold them together.
//!
//! They are built from `web/` and asked for at every visit (`no-cache`), which costs an answer without a body while
//! they are the same: so a new program's page is there at once, and no file of an older one is mixed with it.

use std::borrow::Cow;
use std::io::Write;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::HeaderName;
use hyper::http::request::Parts;
use hyper::{StatusCode, header};
use sha2::{Digest, Sha256};

use super::http::{host_of, values};
use super::response::Response;
use crate::group::Address;

/// A file of the page.
struct File {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! file {
    ($path:literal, $name:literal, $content_type:literal) => {
        File {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../../web/dist/", $name)),
        }
    };
}

const FILES: [File; 6] = [
    file!("/", "index.html", "text/html; charset=utf-8"),
    file!("/page.js", "page.js", "text/javascript; charset=utf-8"),
    file!("/page.css", "page.css", "text/css; charset=utf-8"),
    file!("/worker.js", "worker.js", "text/javascript; charset=utf-8"),
    file!("/icon.svg", "icon.svg", "image/svg+xml"),
    file!("/manifest.webmanifest", "manifest.webmanifest", "application/manifest+json"),
];

/// What is made of a file once, when it is first asked for: some milliseconds for all.
struct Made {
    /// A name for the contents, in hexadecimal.
    hash: String,
    gzip: Vec<u8>,
}

static MADE: LazyLock<[Made; FILES.len()]> = LazyLock::new(|| {
    FILES.each_ref().map(|file| {
        let hash = Sha256::digest(file.bytes)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let written = encoder.write_all(file.bytes);
        // Writing to memory does not fail; if it did, the empty one would not be given out.
        let gzip = written.and_then(|()| encoder.finish()).unwrap_or_default();
        Made { hash, gzip }
    })
});

/// The answer to a GET or a HEAD; `None` where this is no path of the page. `group`: where the page may open
/// WebSockets, beside the host that it came from.
pub(super) fn respond(asked: &Parts, group: &[Address]) -> Option<Response> {
    let place = FILES.iter().position(|file| file.path == asked.uri.path())?;
    let (file, made) = (&FILES[place], &MADE[place]);
    let packed = !made.gzip.is_empty() && values(&asked.headers, &header::ACCEPT_ENCODING).any(takes_gzip);
    // Other bytes have another tag: a strong one promises the same bytes.
    let tag = format!("\"{}{}\"", made.hash, if packed { "-gzip" } else { "" });
    let known = values(&asked.headers, &header::IF_NONE_MATCH).any(|tags| names_tag(tags, &tag));
    let response = match (known, packed) {
        (true, _) => Response::empty(StatusCode::NOT_MODIFIED),
        (false, true) => {
            Response::of(StatusCode::OK, file.content_type, made.gzip.as_slice()).with(header::CONTENT_ENCODING, "gzip")
        }
        (false, false) => Response::of(StatusCode::OK, file.content_type, file.bytes),
    };
    let response = response
        .with(header::ETAG, tag)
        .with(header::CACHE_CONTROL, "no-cache")
        .with(header::VARY, "Accept-Encoding")
        .with(header::CONTENT_SECURITY_POLICY, policy(group, host_of(asked)))
        .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .with(header::REFERRER_POLICY, "no-referrer")
        .with(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    Some(response)
}

/// Whether `Accept-Encoding` names gzip, and not only to refuse it.
fn takes_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let mut words = coding.split(';').map(str::trim);
        words.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"))
            && !words.any(|weight| {
                let value = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="));
                value.is_some_and(|value| value.trim().parse::<f32>().is_ok_and(|value| value <= 0.0))
            })
    })
}

/// Whether `If-None-Match` names this tag; weak and strong are not told apart there (RFC 9110, 13.1.2).
fn names_tag(tags: &str, tag: &str) -> bool {
    tags.split(',').map(str::trim).any(|this| this == "*" || this.trim_start_matches("W/") == tag)
}

/// What the page may do (Content-Security-Policy): nothing but its own files, and WebSockets to the group.
fn policy(group: &[Address], host: Option<&str>) -> String {
    let mut sockets: Vec<Cow<'_, str>> = group.iter().filter_map(socket_of).collect();
    // Own host: not all browsers hold `'self'` to mean WebSockets, too.
    sockets.extend(host.filter(|host| is_harmless(host)).map(Cow::Borrowed));
    let mut connect = "connect-src 'self'".to_owned();
    for (place, socket) in sockets.iter().enumerate() {
        if !sockets[..place].contains(socket) {
            connect.push_str(&format!(" ws://{socket} wss://{socket}"));
        }
    }
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'none'; \
         manifest-src 'self'; worker-src 'self'; {connect}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// A member's address, as a policy can name it.
fn socket_of(member: &Address) -> Option<Cow<'static, str>> {
    // Policies have no way to write IPv6 addresses (CSP 3, 2.3.1): any host with that port.
    let host = if member.host.contains(':') { "*" } else { member.host.as_str() };
    let socket = format!("{host}:{}", member.port);
    (member.port != 0 && (host == "*" || is_harmless(&socket))).then_some(Cow::Owned(socket))
}

/// Whether this is HOST or HOST:PORT, of letters that mean nothing else in a policy.
fn is_harmless(authority: &str) -> bool {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    // 253: the longest name that DNS knows.
    (1..=253).contains(&host.len()) && host.bytes().all(is_of_host) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_for_whom_takes_it() {
        for (accepted, takes) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.8", true),
            ("", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("br, gzip; Q=0.000", false),
            ("gzipped", false),
        ] {
            assert_eq!(takes_gzip(accepted), takes, "{accepted}");
        }
    }

    #[test]
    fn a_tag_is_known_in_any_list() {
        for (tags, known) in
            [("\"a\"", true), ("\"b\", W/\"a\"", true), ("*", true), ("\"b\"", false), ("a", false), ("", false)]
        {
            assert_eq!(names_tag(tags, "\"a\""), known, "{tags}");
        }
    }

    #[test]
    fn the_policy_names_the_group_and_the_host_once() {
        let group = ["127.0.0.1:1", "chat-b.example:2", "[::1]:3"].map(|address| address.parse().unwrap());
        let connects = |host| {
            let policy = policy(&group, host);
            let from = policy.find("connect-src ").unwrap();
            policy[from..].split(';').next().unwrap().to_owned()
        };
        let of_group = "connect-src 'self' ws://127.0.0.1:1 wss://127.0.0.1:1 ws://chat-b.example:2 \
                        wss://chat-b.example:2 ws://*:3 wss://*:3";
        assert_eq!(connects(None), of_group);
        assert_eq!(connects(Some("chat-b.example:2")), of_group);
        assert_eq!(connects(Some("localhost:1")), format!("{of_group} ws://localhost:1 wss://localhost:1"));
        assert_eq!(connects(Some("chat.example")), format!("{of_group} ws://chat.example wss://chat.example"));
        for bad in ["", ":1", "*", "a b", "a;script-src *", "a:0", "a:1:2", "a:x", "'self'", "a,b", "[::1]:3", "ä"] {
            assert_eq!(connects(Some(bad)), of_group, "{bad}");
        }
    }
}
