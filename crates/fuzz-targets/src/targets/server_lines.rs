//! What servers send, as a client takes it: cut into lines, read, and handed to the client's machine.

use crate::client::Client;

use super::pieces;

/// What three servers send to a client that wants everything a client can want: the next one where a byte 0x1e stands,
/// and 300 ms later. An answer whose id is 0 is taken for one to the oldest request that waits there.
pub fn server_lines(data: &[u8]) {
    let mut client = Client::new();
    for (n, piece) in pieces(data).enumerate() {
        client.read(n % Client::REPLICAS, piece);
        client.pass();
    }
    client.end();
}
