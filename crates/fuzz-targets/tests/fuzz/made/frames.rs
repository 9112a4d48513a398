//! What a replica says, in an order that makes sense more often than not.

use std::sync::Arc;

use lastword_core::PeerMessage;
use lastword_core::peer_message::{Ask, Hello, PEER_VERSION, Presence, Pull, Rival, Verdict};
use lastword_facts::ids::{Incarnation, Order, Position, Seq, Stamp};
use lastword_server::framing::write_message;
use lastword_server::{Group, Options};

use super::NAMES;
use super::facts::{account, facts, incarnation, position, positions};
use crate::chance::Chance;

/// A stream, after a byte.
pub fn stream(chance: &mut Chance) -> Vec<u8> {
    let mut input = vec![chance.number() as u8];
    let facts: Vec<_> = facts(chance).into_iter().map(Arc::new).collect();
    if !chance.once_in(10) {
        let vector = positions(chance).into_iter().collect();
        let hello = Hello { version: PEER_VERSION, group: group(), incarnation: incarnation(0), vector, stale: false };
        write_message(&mut input, &PeerMessage::Hello(hello));
    }
    for _ in 0..chance.below(30) {
        write_message(&mut input, &message(chance, &facts));
    }
    input
}

fn message(chance: &mut Chance, facts: &[Arc<lastword_facts::Fact>]) -> PeerMessage {
    let some = |chance: &mut Chance| {
        let from = chance.below(facts.len());
        facts[from..from + chance.below(facts.len() - from) + 1].to_vec()
    };
    let pull = |chance: &mut Chance| Pull { from: known(chance), upto: Seq(chance.odd()) };
    match chance.below(16) {
        0..4 => PeerMessage::Push(facts.to_vec()),
        4 => PeerMessage::Push(some(chance)),
        5 | 6 => PeerMessage::Confirm(positions(chance)),
        7 => PeerMessage::Pull(pull(chance)),
        8 => PeerMessage::Pulled(pull(chance), some(chance)),
        9 => PeerMessage::Ask(ask(chance)),
        10 | 11 => {
            // The replica's own claim on a name is the third fact that it makes.
            let claim = Position { incarnation: OWN, seq: Seq(1 + chance.below(4) as u64) };
            let rivals = (0..chance.below(4)).map(|_| rival(chance)).collect();
            PeerMessage::Verdict(Verdict { claim, confirming: chance.once_in(2), rivals })
        }
        12 => PeerMessage::Presence(Presence {
            online: vec![account(chance.below(4)), account(0)],
            offline: vec![account(chance.below(4))],
        }),
        13 => PeerMessage::Missing(known(chance)),
        14 => PeerMessage::Ping(chance.odd(), chance.once_in(2).then(|| chance.odd())),
        _ => PeerMessage::Pong(chance.below(3) as u64),
    }
}

/// Incarnations that the replica of the target knows from its start.
const OWN: Incarnation = Incarnation(0x0e11_0000_0000_0001);
const EARLIER: Incarnation = Incarnation(0x1a57_0000_0000_0001);

fn known(chance: &mut Chance) -> Position {
    let seq = Seq(if chance.once_in(4) { chance.odd() } else { chance.below(5) as u64 });
    match chance.below(4) {
        0 => Position { incarnation: OWN, seq },
        1 | 2 => Position { incarnation: EARLIER, seq },
        _ => position(chance),
    }
}

fn ask(chance: &mut Chance) -> Ask {
    let Rival { claim, order, account, .. } = rival(chance);
    Ask { claim, order, account, name: (*chance.of(&NAMES)).to_owned(), confirming: chance.once_in(2) }
}

fn rival(chance: &mut Chance) -> Rival {
    let n = chance.below(4);
    Rival {
        claim: position(chance),
        order: Order { stamp: Stamp(chance.odd()), incarnation: incarnation(n) },
        account: account(n),
        confirmed: chance.once_in(2),
        withdrawn: chance.once_in(3),
    }
}

/// The hash of the group that the target's replica is of.
fn group() -> u64 {
    let address = |n: u16| format!("127.0.0.1:{}", 7001 + n).parse().expect("an address");
    let mut options = Options::new(address(1), "nowhere".into());
    options.group = (0..3).map(address).collect();
    options.key = Some([7; 32].into());
    Group::new(&options).expect("a group on loopback").hash
}
