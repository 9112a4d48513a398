//! The functions that the fuzzers run.

mod facts;
mod import_files;
mod line_protocol;
mod peer_frames;
mod sequences;
mod server_lines;
mod sniffing;
mod views;

pub use facts::facts;
pub use import_files::import_files;
pub use line_protocol::line_protocol;
pub use peer_frames::peer_frames;
pub use sequences::sequences;
pub use server_lines::server_lines;
pub use sniffing::sniffing;
pub use views::views;

use crate::INPUT_BYTES;

/// What stands between the pieces of an input that is made of several: a byte that JSON has no use for.
const BETWEEN: u8 = 0x1e;

/// As much of an input as counts.
fn within(data: &[u8]) -> &[u8] {
    &data[..data.len().min(INPUT_BYTES)]
}

/// The pieces of an input.
fn pieces(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    within(data).split(|&byte| byte == BETWEEN)
}
