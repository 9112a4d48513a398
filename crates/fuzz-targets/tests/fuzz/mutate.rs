//! Small changes to bytes, as fuzzers make them.

use crate::chance::Chance;

/// No input grows beyond this, in bytes.
const MOST_BYTES: usize = fuzz_targets::INPUT_BYTES;
/// Bytes, and words, that mean something to somebody.
const BYTES: [u8; 12] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b'"', b'{', b'}', 0x1e, 0x9b, 0xbf];
const WORDS: [&[u8]; 12] = [
    b"\n",
    b"null",
    b"-1",
    b"18446744073709551615",
    b"1e999",
    b"\\u0000",
    b"\\ud800",
    b"\"\"",
    b"{}",
    b"[[[[[[[[",
    &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x9f, 0xff],
];

/// Changes an input in one to eight places; `other`: one to take pieces from.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    for _ in 0..1 + chance.below(8) {
        mutate_once(input, other, chance);
    }
    input.truncate(MOST_BYTES);
}

fn mutate_once(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    if input.is_empty() {
        input.extend(other);
        return;
    }
    let at = chance.below(input.len());
    let end = at + chance.below((input.len() - at).min(64)) + 1;
    match chance.below(9) {
        0 => input[at] ^= 1 << chance.below(8),
        1 => input[at] = *chance.of(&BYTES),
        2 => input[at] = chance.number() as u8,
        3 => drop(input.drain(at..end)),
        4 => drop(input.splice(at..at, chance.of(&WORDS).iter().copied())),
        5 => drop(input.splice(at..end, chance.of(&WORDS).iter().copied())),
        6 => {
            let piece: Vec<u8> = input[at..end].to_vec();
            for _ in 0..1 + chance.below(4) {
                drop(input.splice(at..at, piece.iter().copied()));
            }
        }
        7 if !other.is_empty() => {
            let from = chance.below(other.len());
            let upto = from + chance.below((other.len() - from).min(256)) + 1;
            drop(input.splice(at..at, other[from..upto].iter().copied()));
        }
        _ => {
            let to = chance.below(input.len());
            input.swap(at, to);
        }
    }
}
