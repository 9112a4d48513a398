//! Lines of JSON: what clients ask, and what servers say.

use lastword_facts::ids::Stamp;
use lastword_protocol::request::Receiver;
use lastword_protocol::{Op, Request, RequestId, Uuid};
use lastword_server::wire::Wire;
use lastword_server::{Group, Options};

use super::facts::account;
use super::{NAMES, text};
use crate::chance::Chance;

/// Ends what one of several says.
const BETWEEN: u8 = 0x1e;
/// More than any server is asked for.
const CODES: [&str; 9] = [
    "bad_request",
    "not_logged_in",
    "wrong_login",
    "no_such_user",
    "too_many",
    "unavailable",
    "storage_full",
    "name_taken",
    "new",
];

/// What clients send.
pub fn of_clients(chance: &mut Chance) -> Vec<u8> {
    let mut input = Vec::new();
    for n in 0..1 + chance.below(40) {
        let id = if chance.once_in(8) { RequestId::Text("é".into()) } else { RequestId::Number(n as u64) };
        // Whoever comes first makes an account, mostly.
        let op = if n < 3 && !chance.once_in(4) { create(chance) } else { op(chance) };
        Request { id, op }.write_json(&mut input);
        input.push(b'\n');
        if chance.once_in(4) || n < 3 {
            input.push(BETWEEN);
        }
    }
    input
}

fn create(chance: &mut Chance) -> Op {
    Op::Create { name: name(chance), password: password(chance), key: key(chance) }
}

fn op(chance: &mut Chance) -> Op {
    let limit = chance.once_in(2).then(|| chance.odd() as u32);
    let listed = *chance.of(&["", ".", "^a", "(?i)BOB", "(", "\\pL{1000}", "[^\\x00-\\x7f]{99}"]);
    match chance.below(21) {
        0 => create(chance),
        1 | 2 => Op::Login { name: name(chance), password: password(chance) },
        3 => Op::Resume { token: token(chance), seen: chance.once_in(2).then(|| seen(chance)) },
        4 => Op::Logout { key: key(chance) },
        5 => Op::Delete { key: key(chance) },
        6 => Op::Password { old: password(chance), new: password(chance), key: key(chance) },
        7 => Op::Status,
        8 => Op::List { pattern: listed.to_owned(), limit, after: chance.once_in(2).then(|| name(chance)) },
        9..13 => Op::Send { to: receiver(chance), text: text(chance), key: key(chance) },
        13 => Op::Pending { limit, after: chance.once_in(2).then(|| key(chance).to_string()) },
        14 | 15 => Op::Listen,
        16 => Op::Delivered { upto: pos(chance) },
        17 => Op::History {
            with: Receiver::Name(name(chance)),
            limit,
            before: chance.once_in(2).then(|| pos(chance)),
            bytes: chance.once_in(2).then(|| chance.below(70_000) as u32),
        },
        18 => Op::Conversations { limit, before: chance.once_in(2).then(|| pos(chance)) },
        19 => Op::Hello { version: chance.odd() as u32 },
        _ => Op::Ping,
    }
}

fn name(chance: &mut Chance) -> String {
    (*chance.of(&NAMES)).to_owned()
}

fn password(chance: &mut Chance) -> String {
    if chance.once_in(10) { text(chance) } else { "secret".to_owned() }
}

fn key(chance: &mut Chance) -> Uuid {
    let version = if chance.once_in(2) { 7 << 76 } else { 4 << 76 };
    Uuid::from_u128(u128::from(chance.odd()) << 80 | version | chance.below(6) as u128)
}

/// The target's replica draws 1, 2, 3…
fn token(chance: &mut Chance) -> String {
    format!("{:064x}", chance.odd())
}

fn seen(chance: &mut Chance) -> String {
    let mut options = Options::new("127.0.0.1:7001".parse().expect("an address"), "nowhere".into());
    options.group = vec![options.listen.clone()];
    options.key = Some([7; 32].into());
    let wire = Wire::new(Group::new(&options).expect("a group of one"));
    wire.seen_key.seal(Stamp(chance.odd()))
}

fn pos(chance: &mut Chance) -> String {
    format!("{:x}.{:x}.{:x}", chance.odd(), chance.odd(), chance.odd())
}

fn receiver(chance: &mut Chance) -> Receiver {
    if chance.once_in(4) {
        Receiver::Account(account(chance.below(4)).to_string())
    } else {
        Receiver::Name(name(chance))
    }
}

/// What servers send.
pub fn of_servers(chance: &mut Chance) -> Vec<u8> {
    let mut input = Vec::new();
    for n in 0..1 + chance.below(60) {
        // Those that say hello are spoken to.
        let line = if n < 3 && !chance.once_in(8) { answer(chance) } else { line(chance) };
        input.extend(line.as_bytes());
        input.push(b'\n');
        if chance.once_in(3) || n < 3 {
            input.push(BETWEEN);
        }
    }
    input
}

fn line(chance: &mut Chance) -> String {
    let (n, text) = (chance.below(5), chance.of(&["hi", "\\u0000", ""]));
    match chance.below(12) {
        0..6 => answer(chance),
        6 | 7 => {
            let (code, retry_ms) = (chance.of(&CODES), chance.odd());
            format!("{{\"id\":0,\"error\":{{\"code\":\"{code}\",\"text\":\"no\",\"retry_ms\":{retry_ms}}}}}")
        }
        8 | 9 => format!(
            "{{\"event\":\"message\",\"message\":\"{n}\",\"from\":\"bob\",\"from_account\":\"b\",\"to\":\"alice\",\
             \"to_account\":\"a\",\"text\":\"{text}\",\"at\":{},\"pos\":\"{n}\",\"seen\":\"{n}\"}}",
            chance.odd()
        ),
        10 => {
            let reason = chance.of(&["slow", "deleted", "logged_out", "shutdown", "new"]);
            format!("{{\"event\":\"closed\",\"reason\":\"{reason}\"}}")
        }
        _ => "{\"event\":\"replicas\",\"replicas\":[],\"stale\":true}".to_owned(),
    }
}

/// An answer to anything.
fn answer(chance: &mut Chance) -> String {
    let (stored, account) = (chance.below(4), chance.below(8) / 7);
    format!(
        "{{\"id\":0,\"ok\":{{\"server\":\"s\",\"version\":1,\"replica\":\"a\",\"stale\":false,\"replicas\":[],\
         \"account\":\"{account}\",\"name\":\"alice\",\"token\":\"t\",\"pending\":1,\"stored\":{stored},\"of\":3,\
         \"names\":[],\"more\":false,\"messages\":[],\"message\":\"m\",\"to_account\":\"b\",\"at\":1,\"seen\":\"s\",\
         \"online\":true}}}}"
    )
}
