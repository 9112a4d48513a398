//! Facts: read, written again, taken in, and lived with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lastword_core::PeerMessage;
use lastword_core::io::{ConnectionId, LinkId, ReplicaId};
use lastword_core::peer_message::{Hello, PEER_VERSION};
use lastword_facts::ids::{Incarnation, Position, Seq};
use lastword_facts::{Fact, VersionVector};
use lastword_protocol::request::Receiver;
use lastword_protocol::{Op, RequestId, Uuid};
use minicbor::Decoder;

use super::within;
use crate::replica::{MASTER, OWN, Replica};

/// Under which incarnation the replica writes that pushes facts.
const PEER: Incarnation = Incarnation(0xbeef_0000_0000_0002);
/// Accounts that somebody logs in to in the end.
const PEOPLE: usize = 4;

/// Facts, one behind the other as they stand in a log, after a byte that says how many of them were there when the
/// replica started; the others are pushed to it. Then people live with what has come of it.
pub fn facts(data: &[u8]) {
    let Some((&there, data)) = within(data).split_first() else { return };
    let facts = place(read_facts(data));
    let there = usize::from(there).min(facts.len());
    let mut replica = Replica::new(2, facts[..there].to_vec(), None);
    let (peer, link) = (ReplicaId(0), LinkId(1));
    replica.link(peer, link);
    let vector: VersionVector = facts.iter().map(|fact| fact.position).collect();
    let hello = Hello { version: PEER_VERSION, group: replica.group(), incarnation: PEER, vector, stale: false };
    replica.hear(peer, PeerMessage::Hello(hello));
    // All of them: those that it has got are nothing new.
    replica.hear(peer, PeerMessage::Push(facts.clone()));
    replica.pass(Duration::from_millis(100));
    live(&mut replica);
}

/// Reads facts as long as there are any, and checks that each is written as it was read.
pub(super) fn read_facts(data: &[u8]) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut decoder = Decoder::new(data);
    while decoder.position() < data.len() {
        let from = decoder.position();
        let Ok(()) = decoder.skip() else { break };
        let Ok(fact) = Fact::decode(&data[from..decoder.position()]) else { continue };
        assert_eq!(fact.bytes()[..], data[from..decoder.position()], "its bytes are kept");
        let Fact { position, stamp, author, key, .. } = fact;
        let again = Fact::new(position, fact.changes.clone(), stamp, author, key, fact.body.clone());
        let read = Fact::decode(again.bytes().clone()).expect("what was written can be read");
        assert_eq!(read, again, "it is read as it was written");
        facts.push(fact);
    }
    facts
}

/// Gives each fact the next seq of its incarnation, and takes away what it rests on: so that all of them can be
/// taken in, in this order.
pub(super) fn place(facts: Vec<Fact>) -> Vec<Arc<Fact>> {
    let mut last: BTreeMap<Incarnation, Seq> = BTreeMap::new();
    // An incarnation is drawn when a log is opened, so nothing of it is in there.
    let others = facts.into_iter().filter(|fact| fact.position.incarnation != OWN);
    let placed = others.map(|fact| {
        let Fact { position: Position { incarnation, .. }, stamp, author, key, body, .. } = fact;
        let seq = last.entry(incarnation).or_default();
        *seq = seq.next();
        Arc::new(Fact::new(Position { incarnation, seq: *seq }, Vec::new(), stamp, author, key, body))
    });
    placed.collect()
}

/// Some of the people log in, read, write to each other, and one of them goes.
pub(super) fn live(replica: &mut Replica) {
    let people: Vec<String> = replica.accounts().iter().take(PEOPLE).map(|(_, name)| name.to_string()).collect();
    let pattern = "^[a-z]".to_owned();
    let password = || MASTER.to_owned();
    for (n, name) in people.iter().enumerate() {
        let connection = ConnectionId(100 + n as u64);
        replica.open(connection);
        ask(replica, connection, Op::Login { name: name.clone(), password: password() });
        ask(replica, connection, Op::Listen);
        ask(replica, connection, Op::Pending { limit: None, after: None });
        if n == 0 {
            ask(replica, connection, Op::List { pattern: pattern.clone(), limit: Some(3), after: None });
        }
        for (m, other) in people.iter().enumerate() {
            ask(
                replica,
                connection,
                Op::History { with: Receiver::Name(other.clone()), limit: None, before: None, bytes: None },
            );
            ask(replica, connection, Op::Conversations { limit: None, before: None });
            let key = Uuid::from_u128((7 << 76) | (n * PEOPLE + m) as u128);
            ask(replica, connection, Op::Send { to: Receiver::Name(other.clone()), text: "so be it".into(), key });
        }
        replica.pass(Duration::from_millis(50));
        if let Some(upto) = replica.last_pos(connection) {
            ask(replica, connection, Op::Delivered { upto });
        }
    }
    let (connection, key) = (ConnectionId(100), Uuid::from_u128(1));
    ask(replica, connection, Op::Password { old: password(), new: "another".into(), key });
    ask(replica, connection, Op::Delete { key });
    replica.open(ConnectionId(99));
    ask(replica, ConnectionId(99), Op::Create { name: "newcomer".into(), password: password(), key });
    replica.pass(Duration::from_millis(300));
}

fn ask(replica: &mut Replica, connection: ConnectionId, op: Op) {
    replica.ask(connection, RequestId::Number(1), op);
}
