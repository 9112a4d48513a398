//! What another replica sends, after decryption: cut into messages, read, written again, and taken in.

use std::sync::Arc;
use std::time::Duration;

use lastword_core::PeerMessage;
use lastword_core::io::{ConnectionId, LinkId, ReplicaId};
use lastword_core::peer_message::{Hello, PEER_VERSION};
use lastword_facts::fact::{Claim, Delivered, Verdict};
use lastword_facts::ids::{AccountId, Incarnation, Key, Position, Seq, Stamp};
use lastword_facts::{Body, Fact, VersionVector};
use lastword_protocol::{Op, RequestId, Uuid};
use lastword_server::framing::{take_messages, write_message};

use super::facts::live;
use super::within;
use crate::replica::{MASTER, Replica};

/// Who speaks, and who has only said hello.
const LOUD: ReplicaId = ReplicaId(0);
const QUIET: ReplicaId = ReplicaId(2);
/// Under which incarnation the log was written that the replica starts on.
const EARLIER: Incarnation = Incarnation(0x1a57_0000_0000_0001);

/// A stream from one of two replicas, after a byte that says in pieces of which size it comes, and whether a record
/// of the log is damaged. The replica knows an account, has a client that listens, and one who wants a name.
pub fn peer_frames(data: &[u8]) {
    let Some((&how, data)) = within(data).split_first() else { return };
    let alice = ConnectionId(1);
    let mut replica = Replica::new(3, log(), (how & 1 == 1).then_some(2));
    for (peer, link) in [(LOUD, LinkId(1)), (QUIET, LinkId(2))] {
        replica.link(peer, link);
    }
    let (group, incarnation) = (replica.group(), Incarnation(0xca1f));
    let hello = Hello { version: PEER_VERSION, group, incarnation, vector: VersionVector::new(), stale: false };
    replica.hear(QUIET, PeerMessage::Hello(hello));
    let password = || MASTER.to_owned();
    replica.open(alice);
    replica.ask(alice, RequestId::Number(1), Op::Login { name: "alice".into(), password: password() });
    replica.ask(alice, RequestId::Number(2), Op::Listen);
    let bob = Op::Create { name: "bob".into(), password: password(), key: Uuid::from_u128(5) };
    replica.open(ConnectionId(2));
    replica.ask(ConnectionId(2), RequestId::Number(1), bob);

    let piece = usize::from(how >> 1).pow(2).max(1);
    let mut stream = Vec::new();
    for piece in data.chunks(piece) {
        stream.extend(piece);
        let Ok(messages) = take_messages(&mut stream) else { break };
        for message in messages {
            check(&message);
            replica.step(Duration::from_millis(5));
            replica.hear(LOUD, message);
        }
        if !replica.is_linked(LOUD) {
            break;
        }
    }
    replica.pass(Duration::from_millis(600));
    live(&mut replica);
    // Until who is silent is sent away.
    replica.pass(Duration::from_secs(3));
}

/// What was read is written so that it is read as the same.
fn check(message: &PeerMessage) {
    let mut stream = Vec::new();
    write_message(&mut stream, message);
    let again = take_messages(&mut stream).expect("what was written can be read");
    assert!(again == [message.clone()] && stream.is_empty(), "it is read as it was written: {message:?}");
}

/// An account.
fn log() -> Vec<Arc<Fact>> {
    let (key, name) = (Key(1), "alice");
    let author = AccountId::of_create(key, name);
    let at = |seq| Position { incarnation: EARLIER, seq: Seq(seq) };
    let claim = Claim { name: name.into(), password: "hash".into(), at_ms: 1 };
    let confirm = Verdict { claim: at(1), name: name.into() };
    let bodies = [Body::Claim(claim), Body::Confirm(confirm), Body::Delivered(Delivered { upto: Vec::new() })];
    let fact = |(n, body)| {
        let seq = n as u64 + 1;
        Arc::new(Fact::new(at(seq), Vec::new(), Stamp(seq), author, Key(u128::from(seq)), body))
    };
    bodies.into_iter().enumerate().map(fact).collect()
}
