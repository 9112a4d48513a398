//! Facts with fields that fit together more often than not.

use lastword_facts::fact::{Claim, Delivered, Logout, Message, Password, Rehash, Session, Unknown, Used, Verdict};
use lastword_facts::ids::{AccountId, Incarnation, Key, Order, Position, Seq, Stamp};
use lastword_facts::token::{SessionToken, TokenHash};
use lastword_facts::{Body, Fact};

use super::{NAMES, text};
use crate::chance::Chance;

/// A log, after a byte.
pub fn log(chance: &mut Chance) -> Vec<u8> {
    let mut input = vec![*chance.of(&[0, 1, 3, 255])];
    for fact in facts(chance) {
        input.extend(&fact.bytes()[..]);
    }
    input
}

/// Facts of a few incarnations, each numbered from 1.
pub fn facts(chance: &mut Chance) -> Vec<Fact> {
    let mut last = [0_u64; 3];
    let most = if chance.once_in(8) { 200 } else { 24 };
    let count = 1 + chance.below(most);
    (0..count).map(|_| fact(chance, &mut last)).collect()
}

fn fact(chance: &mut Chance, last: &mut [u64; 3]) -> Fact {
    let place = chance.below(last.len());
    last[place] += 1;
    let position = Position { incarnation: incarnation(place), seq: Seq(last[place]) };
    let changes = if chance.once_in(6) { positions(chance) } else { Vec::new() };
    let n = chance.below(4);
    let stamp = Stamp(if chance.once_in(12) { chance.odd().min(1 << 62) } else { chance.below(1000) as u64 });
    // A create's key and name make its account: so a claim is mostly its author's.
    let (author, key) = (account(n), if chance.once_in(2) { Key(n as u128) } else { key(chance) });
    Fact::new(position, changes, stamp, author, key, body(chance, n, last))
}

fn body(chance: &mut Chance, n: usize, last: &[u64; 3]) -> Body {
    let claimed = |chance: &mut Chance| {
        let place = chance.below(last.len());
        Position { incarnation: incarnation(place), seq: Seq(1 + chance.below(last[place] as usize + 1) as u64) }
    };
    let name = |chance: &mut Chance| if chance.once_in(5) { *chance.of(&NAMES) } else { NAMES[n] }.to_owned();
    let token = TokenHash(SessionToken([n as u8; 32]).hash().0);
    let order = Order { stamp: Stamp(chance.odd()), incarnation: incarnation(0) };
    let hash = if chance.once_in(10) { "#".repeat(500 + chance.below(30)) } else { "hash".to_owned() };
    match chance.below(16) {
        0 | 1 => Body::Claim(Claim { name: name(chance), password: hash, at_ms: chance.odd() }),
        2 | 3 => Body::Confirm(Verdict { claim: claimed(chance), name: name(chance) }),
        4 => Body::Withdraw(Verdict { claim: claimed(chance), name: name(chance) }),
        5..8 => Body::Message(Message {
            to: account(chance.below(5)),
            text: text(chance),
            at_ms: chance.odd(),
            unwanted: None,
        }),
        8 => Body::Delivered(Delivered { upto: positions(chance) }),
        9 => {
            let (password, at_ms) = (chance.once_in(2).then_some(order), chance.once_in(2).then(|| chance.odd()));
            Body::Session(Session { token, password, at_ms })
        }
        10 => Body::Logout(Logout { token }),
        11 => {
            let (keep, known) = (chance.once_in(2).then_some(token), chance.once_in(2).then(|| chance.odd()));
            Body::Password(Password { password: hash, keep, replaces: chance.once_in(2).then_some(order), known })
        }
        14 => Body::Rehash(Rehash { password: hash, of: order }),
        15 => Body::Used(Used { token, at_ms: chance.odd() }),
        12 if chance.once_in(3) => Body::Delete,
        12 => Body::Lost,
        _ => Body::Unknown(Unknown { kind: chance.below(20) as u32 }),
    }
}

pub fn incarnation(n: usize) -> Incarnation {
    Incarnation(0x1000_0000_0000_0000 * (n as u64 + 1))
}

pub fn account(n: usize) -> AccountId {
    AccountId::of_create(Key(n as u128), NAMES[n % NAMES.len()])
}

fn key(chance: &mut Chance) -> Key {
    Key(u128::from(chance.odd()) << 80 | if chance.once_in(2) { 7 << 76 } else { 0 } | chance.below(4) as u128)
}

pub fn position(chance: &mut Chance) -> Position {
    Position { incarnation: incarnation(chance.below(4)), seq: Seq(chance.odd()) }
}

pub fn positions(chance: &mut Chance) -> Vec<Position> {
    (0..chance.below(5)).map(|_| position(chance)).collect()
}
