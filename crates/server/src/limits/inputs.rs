//! How many bytes of what clients have sent may be here at a time: read and not whole yet, waiting for its turn, or not
//! answered yet.
//!
//! One account for the whole way of a request, from the socket through every queue to its answer. Beyond a limit nothing is
//! refused: the connection is not read from until some of it is answered, and what it sends next waits on its own side.
//!
//! Each connection may always have a little ([`FREE`]), so whoever fills what all share keeps nobody from a login, or from
//! a message of usual length; and strangers share less than those who are logged in, and share it with nobody else.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Address;

/// Bytes of one connection that are never waited for, and do not count.
pub(crate) const FREE: usize = 4 * 1024;
/// Bytes of one connection, beyond which it is not read from. Some more may come with the last read.
const CONNECTION: usize = 512 * 1024;
/// Bytes of those who are not logged in: of one address (not on loopback, which may stand for many), and of all.
const STRANGERS_OF_ADDRESS: usize = 2 * 1024 * 1024;
const STRANGERS: usize = 16 * 1024 * 1024;
/// The same of those who are.
const ACCOUNTS_OF_ADDRESS: usize = 8 * 1024 * 1024;
const ACCOUNTS: usize = 64 * 1024 * 1024;

/// What all connections have here.
#[derive(Debug, Default)]
pub(crate) struct Inputs(Mutex<[Counts; 2]>);

#[derive(Debug, Default)]
struct Counts {
    addresses: HashMap<Address, usize>,
    all: usize,
}

/// How much more may be read of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// So many bytes.
    Bytes(usize),
    /// Nothing, until something of it is answered.
    WhenAnswered,
    /// Nothing, until something of others is answered.
    WhenOthersAre,
}

/// What one connection has here.
pub(crate) struct Held<'a> {
    inputs: &'a Inputs,
    from: Address,
    logged_in: bool,
    /// All of it, and what of it counts.
    bytes: usize,
    counted: usize,
}

impl Inputs {
    /// A connection from there, which has nothing here yet.
    pub(crate) fn of(&self, from: Address) -> Held<'_> {
        Held { inputs: self, from, logged_in: false, bytes: 0, counted: 0 }
    }

    fn counts(&self) -> MutexGuard<'_, [Counts; 2]> {
        // Nothing that holds it can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn change(&mut self, from: Address, before: usize, now: usize) {
        self.all = self.all + now - before;
        let of_address = self.addresses.entry(from).or_default();
        *of_address = *of_address + now - before;
        if *of_address == 0 {
            self.addresses.remove(&from);
        }
    }
}

impl Held<'_> {
    /// So much of it is here now.
    pub(crate) fn set(&mut self, bytes: usize) {
        self.bytes = bytes;
        let counted = bytes.saturating_sub(FREE);
        if counted != self.counted {
            self.inputs.counts()[usize::from(self.logged_in)].change(self.from, self.counted, counted);
            self.counted = counted;
        }
    }

    /// The connection is logged in.
    pub(crate) fn log_in(&mut self) {
        if !self.logged_in {
            let mut counts = self.inputs.counts();
            counts[0].change(self.from, self.counted, 0);
            counts[1].change(self.from, 0, self.counted);
            self.logged_in = true;
        }
    }

    /// How many bytes may be read now.
    pub(crate) fn room(&self) -> Room {
        if self.bytes >= CONNECTION {
            return Room::WhenAnswered;
        }
        match (self.share_is_full(), self.bytes < FREE) {
            (false, _) => Room::Bytes(usize::MAX),
            (true, true) => Room::Bytes(FREE),
            (true, false) => Room::WhenOthersAre,
        }
    }

    fn share_is_full(&self) -> bool {
        let (of_address, all) =
            if self.logged_in { (ACCOUNTS_OF_ADDRESS, ACCOUNTS) } else { (STRANGERS_OF_ADDRESS, STRANGERS) };
        let counts = &self.inputs.counts()[usize::from(self.logged_in)];
        let own = counts.addresses.get(&self.from).copied().unwrap_or_default();
        counts.all >= all || own >= of_address && !self.from.is_loopback()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Address = Address::V4([192, 0, 2, 1]);
    const OTHER: Address = Address::V4([192, 0, 2, 2]);
    const HERE: Address = Address::V4([127, 0, 0, 1]);
    const PLENTY: Room = Room::Bytes(usize::MAX);

    fn held(inputs: &Inputs, from: Address, bytes: usize) -> Held<'_> {
        let mut held = inputs.of(from);
        held.set(bytes);
        held
    }

    #[test]
    fn a_connection_is_full_by_itself() {
        let inputs = Inputs::default();
        let mut held = held(&inputs, FAR, CONNECTION);
        assert_eq!(held.room(), Room::WhenAnswered);
        held.set(CONNECTION - 1);
        assert_eq!(held.room(), PLENTY);
    }

    #[test]
    fn strangers_of_an_address_take_nothing_from_others_nor_from_who_is_logged_in() {
        let inputs = Inputs::default();
        let most = STRANGERS_OF_ADDRESS / (CONNECTION - FREE) + 1;
        let flood: Vec<_> = (0..most).map(|_| held(&inputs, FAR, CONNECTION)).collect();
        assert_eq!(held(&inputs, FAR, FREE).room(), Room::WhenOthersAre);
        assert_eq!(held(&inputs, FAR, FREE - 1).room(), Room::Bytes(FREE), "a little is always free");
        assert_eq!(held(&inputs, OTHER, FREE).room(), PLENTY);
        let mut person = held(&inputs, FAR, 2 * FREE);
        person.log_in();
        assert_eq!(person.room(), PLENTY);
        drop(flood);
        assert_eq!(held(&inputs, FAR, FREE).room(), PLENTY);
        drop(person);
        assert!(inputs.counts().iter().all(|counts| counts.all == 0 && counts.addresses.is_empty()));
    }

    #[test]
    fn in_all_there_is_a_limit_on_loopback_too() {
        let inputs = Inputs::default();
        let flood: Vec<_> = (0..STRANGERS / (CONNECTION - FREE)).map(|_| held(&inputs, HERE, CONNECTION)).collect();
        assert_eq!(held(&inputs, HERE, FREE).room(), PLENTY, "many may stand behind this address");
        let last = held(&inputs, HERE, CONNECTION);
        for from in [HERE, FAR] {
            assert_eq!(held(&inputs, from, FREE).room(), Room::WhenOthersAre);
        }
        drop((flood, last));
        assert_eq!(inputs.counts()[0].all, 0);
    }
}
