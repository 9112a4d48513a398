//! What a connection is, by its first bytes: pure, so that it can be asked about any bytes.

use crate::peers::PREFACE;

/// The first byte of every TLS connection: a record that holds a handshake message (RFC 8446, 5.1).
pub const TLS_HANDSHAKE: u8 = 0x16;

/// How requests of HTTP begin: also those that are not carried out here, so that a browser or a tool is told so in a
/// language that it knows.
const METHODS: [&[u8]; 9] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"TRACE ", b"CONNECT "];

/// What a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON, one object a line.
    Lines,
    /// A request of HTTP.
    Http,
    /// Another replica.
    Peer,
    /// TLS, within which one of the others comes.
    Tls,
    /// Nothing that is spoken here.
    Nonsense,
    /// Too few bytes to tell.
    Unclear,
}

/// What a connection is that begins with these bytes. Once it is clear, more bytes don't change it; it is clear
/// after as many as the replicas' preface has at the latest, white space before it not counted.
pub fn kind_of(read: &[u8]) -> Kind {
    if read.first() == Some(&TLS_HANDSHAKE) {
        return Kind::Tls;
    }
    let read = read.trim_ascii_start();
    let begins = |word: &[u8]| read.starts_with(word);
    let may_begin = |word: &[u8]| read.len() < word.len() && word.starts_with(read);
    match read.first() {
        None => Kind::Unclear,
        Some(b'{') => Kind::Lines,
        _ if begins(PREFACE) => Kind::Peer,
        _ if METHODS.into_iter().any(begins) => Kind::Http,
        _ if METHODS.into_iter().chain([PREFACE]).any(may_begin) => Kind::Unclear,
        _ => Kind::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        assert_eq!(kind_of(b""), Kind::Unclear);
        assert_eq!(kind_of(b" \r\n"), Kind::Unclear);
        assert_eq!(kind_of(b" {"), Kind::Lines);
        assert_eq!(kind_of(b"GE"), Kind::Unclear);
        for request in [&b"GET /"[..], b"HEAD /", b"POST /", b"OPTIONS *"] {
            assert_eq!(kind_of(request), Kind::Http);
        }
        assert_eq!(kind_of(b"LASTWORD-PE"), Kind::Unclear);
        assert_eq!(kind_of(b"LASTWORD-PEER/1\n\0\x05"), Kind::Peer);
        assert_eq!(kind_of(b"\x16\x03\x01"), Kind::Tls);
        for nonsense in [&b"hello"[..], b"\x15\x03\x01", b" \x16", b"GEX", b"get /", b"[", b"LASTWORD-PEER/2\n"] {
            assert_eq!(kind_of(nonsense), Kind::Nonsense, "{nonsense:?}");
        }
    }
}
