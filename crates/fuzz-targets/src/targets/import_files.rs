//! The two files of the original program, as `lastword import` takes them in.

use lastword_core::io::{ConnectionId, Password, Receiver, Request};
use lastword_facts::ids::Key;
use lastword_protocol::{Op, RequestId};
use lastword_server::original;
use lastword_server::wire::Shape;

use super::pieces;
use crate::replica::{MASTER, Replica};

/// Users of whom all is tried.
const PEOPLE: usize = 100;

/// The accounts, a byte 0x1e, and the messages. What passes all checks is brought into a replica, where it must be
/// good for something: everybody is there, can log in, and is handed what was written to him.
pub fn import_files(data: &[u8]) {
    let mut files = pieces(data).map(|file| std::str::from_utf8(file).unwrap_or_default());
    let (users, pending) = (files.next().unwrap_or_default(), files.next().unwrap_or("[]"));
    let Ok((users, _)) = original::read_users(users) else { return };
    let _ = original::check_new(&users, ["alice"]);
    let Ok(pending) = original::read_pending(pending, &users) else { return };
    let mut replica = Replica::new(1, Vec::new(), None);
    let mut connections = std::collections::BTreeMap::new();
    for (n, (name, user)) in users.iter().take(PEOPLE).enumerate() {
        let connection = ConnectionId(n as u64 + 1);
        connections.insert(name.as_str(), connection);
        replica.open(connection);
        let hash = user.hash().unwrap_or("$argon2id$ of the password");
        let create = Request::Create { name: name.clone(), password: Password(hash.into()), key: Key(1) };
        replica.request(connection, RequestId::Number(1), Shape::Other, create);
    }
    assert_eq!(replica.accounts().len(), connections.len(), "everybody is there");
    for (n, entry) in pending.iter().take(PEOPLE).enumerate() {
        let Some(&connection) = connections.get(entry.sender.as_str()) else { continue };
        let message = entry.to_message();
        let (to, key) = (Receiver::Name(message.receiver), Key(n as u128 + 2));
        let send = Request::Send { to, text: message.text, key };
        replica.request(connection, RequestId::Number(2), Shape::Other, send);
    }
    for (n, name) in connections.keys().enumerate() {
        let connection = ConnectionId(1000 + n as u64);
        replica.open(connection);
        let login = Op::Login { name: (*name).to_owned(), password: MASTER.into() };
        replica.ask(connection, RequestId::Number(1), login);
        replica.ask(connection, RequestId::Number(2), Op::Listen);
    }
}
