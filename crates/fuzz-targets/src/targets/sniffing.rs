//! The first bytes of a connection, which tell what it is.

use lastword_server::sniff::{Kind, kind_of};

/// As many bytes are looked at one by one: more than any protocol needs to be known.
const LOOKED_AT: usize = 256;
/// After so many bytes it is clear what a connection is, white space before them not counted.
const CLEAR_AFTER: usize = 16;

/// The first bytes of a connection, which come one by one. Once it is clear what it is, more of them change nothing, and
/// it is clear soon.
pub fn sniffing(data: &[u8]) {
    let mut clear = None;
    for length in 0..=data.len().min(LOOKED_AT) {
        let read = &data[..length];
        let kind = kind_of(read);
        if kind == Kind::Unclear {
            assert!(clear.is_none(), "it was clear before: {clear:?}");
            assert!(read.trim_ascii_start().len() < CLEAR_AFTER, "it must be clear by now");
        } else {
            assert_eq!(*clear.get_or_insert(kind), kind, "it is something else now");
        }
    }
    let whole = kind_of(data);
    assert!(clear.is_none_or(|clear| clear == whole), "the rest changes nothing");
}
