//! What one connection may ask, in any order and with any values: straight into the core, past what the wire refuses.
//!
//! Each request is an opcode and as many bytes as its fields take. Somebody else listens meanwhile, so what is written is
//! delivered to somebody, and two connections of the same account can end each other.

use std::time::Duration;

use lastword_core::Input;
use lastword_core::io::{ConnectionId, Password, Receiver, Request};
use lastword_core::pattern::Pattern;
use lastword_facts::ids::{AccountId, Incarnation, Key, LogIndex, Order, Stamp};
use lastword_facts::token::{Pos, SessionToken};
use lastword_protocol::RequestId;
use lastword_server::wire::Shape;

use super::within;
use crate::replica::{OWN, Replica};

/// Requests of one sequence, at most.
const REQUESTS: usize = 300;
/// The connection whose requests they are, another one of the same account, and that of somebody else.
const OWN_CONNECTION: ConnectionId = ConnectionId(1);
const SECOND: ConnectionId = ConnectionId(2);
const OTHER: ConnectionId = ConnectionId(3);
/// Lengths around the limits, and far beyond them.
const LENGTHS: [usize; 12] = [0, 1, 2, 4, 32, 33, 256, 257, 1024, 1025, 16_384, 16_385];
const NUMBERS: [u64; 10] = [0, 1, 2, 3, 255, 1 << 32, 1 << 53, 1 << 62, u64::MAX - 1, u64::MAX];
const LIMITS: [u32; 5] = [0, 1, 2, 500, u32::MAX];
const PATTERNS: [&str; 8] = ["", "^a", "(?i)BOB", "(", "(?u)\\w", "(x+x+)+y", "(a{99}){99}", "[[^a]&&[^b]]"];

/// A sequence of requests to a replica on its own.
pub fn sequences(data: &[u8]) {
    let mut replica = Replica::new(1, Vec::new(), None);
    for (connection, name) in [(OWN_CONNECTION, "alice"), (OTHER, "bob")] {
        replica.open(connection);
        let password = Password("secret".to_owned());
        ask(&mut replica, connection, Request::Create { name: name.to_owned(), password, key: Key(1) });
    }
    ask(&mut replica, OTHER, Request::Listen);
    let mut bytes = Bytes(within(data));
    for _ in 0..REQUESTS {
        let Some(opcode) = bytes.next() else { break };
        let connection = if opcode & 0x80 == 0 { OWN_CONNECTION } else { SECOND };
        replica.open(connection);
        match opcode & 0x1f {
            0x1e => replica.pass(Duration::from_millis(50)),
            0x1f => {
                replica.close(connection);
                replica.give(Input::Timer);
            }
            op => {
                let request = request(op, &mut bytes);
                ask(&mut replica, connection, request);
            }
        }
    }
    replica.pass(Duration::from_millis(500));
    replica.assert_answered();
}

fn ask(replica: &mut Replica, connection: ConnectionId, request: Request) {
    if replica.is_open(connection) {
        replica.request(connection, RequestId::Number(1), Shape::Other, request);
    }
}

fn request(op: u8, bytes: &mut Bytes) -> Request {
    match op {
        0 => Request::Ping,
        1 => Request::Status,
        2 => Request::Create { name: bytes.name(), password: bytes.password(), key: bytes.key() },
        3 | 4 => Request::Login { name: bytes.name(), password: bytes.password() },
        5 => Request::Resume { token: bytes.token().hash(), seen: bytes.flag().then(|| Stamp(bytes.number())) },
        6 => Request::Logout { key: bytes.key() },
        7 => Request::Delete { key: bytes.key() },
        8 => Request::Password { old: bytes.password(), new: bytes.password(), key: bytes.key() },
        9 | 10 => Request::List {
            pattern: Pattern::Text((*bytes.of(&PATTERNS)).to_owned()),
            limit: *bytes.of(&LIMITS),
            after: bytes.flag().then(|| bytes.name()),
        },
        11..=16 => Request::Send { to: bytes.receiver(), text: bytes.long('t'), key: bytes.key() },
        17 => Request::Pending { limit: *bytes.of(&LIMITS), after: bytes.flag().then(|| bytes.key()) },
        18 | 19 => Request::Listen,
        20 | 21 => Request::Delivered { upto: bytes.pos() },
        22 | 23 => Request::History {
            with: bytes.receiver(),
            limit: *bytes.of(&LIMITS),
            before: bytes.flag().then(|| bytes.pos().order),
            bytes: *bytes.of(&LIMITS),
        },
        24 | 25 => Request::Block { who: bytes.receiver(), on: bytes.flag(), key: bytes.key() },
        26 => Request::Blocked { limit: *bytes.of(&LIMITS), after: bytes.flag().then(|| bytes.account()) },
        _ => {
            let before = bytes.flag().then(|| bytes.pos().order);
            Request::Conversations { limit: *bytes.of(&LIMITS), before }
        }
    }
}

/// What is left of the input: zeros at its end.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn byte(&mut self) -> u8 {
        self.next().unwrap_or_default()
    }

    fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    fn of<'list, T>(&mut self, list: &'list [T]) -> &'list T {
        &list[usize::from(self.byte()) % list.len()]
    }

    fn number(&mut self) -> u64 {
        *self.of(&NUMBERS)
    }

    /// A few keys, of both kinds: so that some come again.
    fn key(&mut self) -> Key {
        let byte = self.byte();
        let version = if byte.is_multiple_of(2) { 7 << 76 } else { 4 << 76 };
        let time = if byte < 128 { 0 } else { u128::from(self.number()) << 80 };
        Key(time | version | u128::from(byte % 8))
    }

    fn long(&mut self, letter: char) -> String {
        let length = *self.of(&LENGTHS);
        String::from(letter).repeat(length)
    }

    fn name(&mut self) -> String {
        match self.byte() {
            0..=99 => "alice".to_owned(),
            100..=199 => "bob".to_owned(),
            200..=229 => "carol".to_owned(),
            _ => self.long('n'),
        }
    }

    fn password(&mut self) -> Password {
        Password(if self.byte() < 200 { "secret".to_owned() } else { self.long('p') })
    }

    /// The replica draws 1, 2, 3…
    fn token(&mut self) -> SessionToken {
        let mut token = [0; 32];
        token[31] = self.byte() % 8;
        SessionToken(token)
    }

    fn receiver(&mut self) -> Receiver {
        if self.byte() < 200 {
            return Receiver::Name(self.name());
        }
        Receiver::Account(self.account())
    }

    fn account(&mut self) -> AccountId {
        let name = if self.flag() { "alice" } else { "bob" };
        AccountId::of_create(Key(1), name)
    }

    fn pos(&mut self) -> Pos {
        let incarnation = if self.flag() { OWN } else { Incarnation(self.number()) };
        Pos { order: Order { stamp: Stamp(self.number()), incarnation }, index: LogIndex(u64::from(self.byte())) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// How many kinds of requests there are, and which one this is. A new kind does not compile until it is here.
    const KINDS: usize = 18;

    fn kind(request: &Request) -> usize {
        match request {
            Request::Ping => 0,
            Request::Status => 1,
            Request::Create { .. } => 2,
            Request::Login { .. } => 3,
            Request::Resume { .. } => 4,
            Request::Logout { .. } => 5,
            Request::Delete { .. } => 6,
            Request::Password { .. } => 7,
            Request::List { .. } => 8,
            Request::Send { .. } => 9,
            Request::Pending { .. } => 10,
            Request::Block { on: true, .. } => 11,
            Request::Block { on: false, .. } => 12,
            Request::Blocked { .. } => 13,
            Request::Listen => 14,
            Request::Delivered { .. } => 15,
            Request::History { .. } => 16,
            Request::Conversations { .. } => 17,
        }
    }

    #[test]
    fn every_kind_of_request_can_be_made() {
        let of_opcode = |op| [0, 1].map(|byte| kind(&request(op, &mut Bytes(&[byte; 8]))));
        let made: BTreeSet<usize> = (0..0x1e).flat_map(of_opcode).collect();
        assert_eq!(made, (0..KINDS).collect(), "of each kind there is an input that makes it");
    }
}
