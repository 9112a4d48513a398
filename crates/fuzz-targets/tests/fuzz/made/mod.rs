//! Inputs that are made of valid parts with odd contents: plain bytes seldom get as far.

mod facts;
mod files;
mod frames;
mod lines;
mod sequences;

use crate::chance::Chance;

/// An input for the target of this name.
pub fn made(target: &str, chance: &mut Chance) -> Vec<u8> {
    match target {
        "facts" | "views" => facts::log(chance),
        "import_files" => files::both(chance),
        "line_protocol" => lines::of_clients(chance),
        "peer_frames" => frames::stream(chance),
        "sequences" => sequences::of_one(chance),
        "server_lines" => lines::of_servers(chance),
        "sniffing" => beginning(chance),
        _ => panic!("nothing is made for {target}"),
    }
}

/// What a connection begins with.
fn beginning(chance: &mut Chance) -> Vec<u8> {
    let words: [&[u8]; 8] = [b"\r\n", b" ", b"{", b"GET ", b"HEAD ", b"LASTWORD-PEER/1\n", b"LASTWORD", b"\x16"];
    (0..1 + chance.below(4)).flat_map(|_| *chance.of(&words)).copied().collect()
}

/// Names: good ones, the same in other letters, and some that are none.
const NAMES: [&str; 8] = ["alice", "bob", "Alice", "bob~0001", "carol", "-", "", "ä"];

/// A text: short, long, or full of what JSON has to write in more bytes.
fn text(chance: &mut Chance) -> String {
    match chance.below(12) {
        0 => "\u{1}".repeat(chance.below(17_000)),
        1 => "x".repeat(chance.below(17_000)),
        2 => String::new(),
        3 => "\"\\\u{1f600}\u{202e}\u{7f}\n".to_owned(),
        _ => "hello".to_owned(),
    }
}
