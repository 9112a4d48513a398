//! What clients send, in the order of its bytes: cut into lines, read, carried out by a replica, and answered.

use std::collections::BTreeMap;
use std::time::Duration;

use lastword_core::Input;
use lastword_core::io::ConnectionId;
use lastword_protocol::request::BadLine;
use lastword_protocol::{Code, LINE_BYTES, Op, Refusal, Request};
use lastword_server::cutting::{Cut, cut};
use lastword_server::refusal_line;

use super::pieces;
use crate::replica::{Replica, read_back};

/// Connections of a replica, which take turns.
const CONNECTIONS: usize = 3;

/// What three clients send to a replica on its own, in turn: the next one where a byte 0x1e stands, and 200 ms later.
///
/// Only the first `list` is carried out. Compiling its pattern may take as long as all the rest, and a server has a thread
/// of low priority for that, to which one is given at a time.
pub fn line_protocol(data: &[u8]) {
    let mut replica = Replica::new(1, Vec::new(), None);
    let mut reads: BTreeMap<ConnectionId, Vec<u8>> = BTreeMap::new();
    let mut listed = false;
    for (n, piece) in pieces(data).enumerate() {
        let connection = ConnectionId((n % CONNECTIONS) as u64 + 1);
        if n < CONNECTIONS {
            replica.open(connection);
        }
        let read = reads.entry(connection).or_default();
        read.extend(piece);
        if replica.is_open(connection) && take_lines(&mut replica, connection, read, &mut listed).is_err() {
            replica.close(connection);
            replica.give(Input::Timer);
        }
        replica.pass(Duration::from_millis(200));
    }
    replica.pass(Duration::from_secs(1));
}

/// The connection is at its end.
struct Ended;

/// Carries out the whole lines that were read, as the server does.
fn take_lines(
    replica: &mut Replica,
    connection: ConnectionId,
    read: &mut Vec<u8>,
    listed: &mut bool,
) -> Result<(), Ended> {
    let mut taken = 0;
    loop {
        let length = match cut(&read[taken..], LINE_BYTES) {
            Cut::Line(length) => length,
            Cut::Part => break,
            Cut::TooLong => {
                read_back(&refusal_line(None, Refusal::new(Code::TooLong, "too long")));
                return Err(Ended);
            }
        };
        let line = &read[taken..taken + length];
        taken += length + 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match Request::from_json(line) {
            Ok(Request { op: Op::List { .. }, .. }) if std::mem::replace(listed, true) => {}
            Ok(request) => {
                let mut again = Vec::new();
                request.write_json(&mut again);
                assert_eq!(Request::from_json(&again).as_ref(), Ok(&request), "a request is read as it was written");
                replica.ask(connection, request.id, request.op);
            }
            Err(BadLine { id, refusal, fatal }) => {
                read_back(&refusal_line(id, refusal));
                if fatal {
                    return Err(Ended);
                }
            }
        }
    }
    read.drain(..taken);
    Ok(())
}
