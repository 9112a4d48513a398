//! What a search begins with, and how much may go wrong in it.

use std::time::Duration;

use lastword_core::Settings;
use lastword_facts::{AccountId, Key};

/// The replicas of every group that is searched.
pub(super) const REPLICAS: usize = 3;
/// The most operations of a scenario, those of its beginning among them.
pub(super) const OPERATIONS: usize = 5;

/// What a client wants of a replica.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// Which replica is asked: 0 is `a`.
    pub at: usize,
    /// What for.
    pub deed: Deed,
}

/// What a client wants.
#[derive(Debug, Clone, Copy)]
pub enum Deed {
    /// An account of this name. Creates with one number are one attempt, tried again.
    Create {
        /// The name.
        name: &'static str,
        /// Tells the clients' keys apart.
        key: u8,
    },
    /// The account that this operation created writes to itself. Sends with one number are one message, sent again.
    Send {
        /// The place of the create among the operations.
        author: usize,
        /// Tells the clients' keys apart.
        key: u8,
    },
}

/// How much may go wrong on one path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Crashes. Each may be followed by a start.
    pub crashes: u8,
    /// Links that break by themselves. Each may be followed by a new one.
    pub cuts: u8,
    /// Disks that are emptied while their replica is down.
    pub wipes: u8,
    /// Steps of time. Between them it stands still.
    pub passes: u8,
}

/// A small group, and all that may happen to it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// Done one after the other on a healthy group, before the search begins.
    pub before: Vec<Operation>,
    /// May happen at any moment, those at one replica in their order.
    pub operations: Vec<Operation>,
    /// How much may go wrong.
    pub budget: Budget,
    /// Who may crash: `a`, `b`, `c`.
    pub mortal: [bool; REPLICAS],
    /// Which links may break by themselves: a-b, a-c, b-c.
    pub breakable: [bool; REPLICAS],
    /// Pairs that are not linked before the end, in the same order.
    pub apart: [bool; REPLICAS],
    /// A new link may come up before both sides have heard that the old one is down.
    pub overtaking: bool,
    /// Orders that can make no difference are left out. Without it really all of them are tried.
    pub reduced: bool,
    /// Whose disks sync in no time: fewer states, where it is not the disks that matter.
    pub swift: [bool; REPLICAS],
    /// On which links nothing takes any time: a-b, a-c, b-c.
    pub near: [bool; REPLICAS],
    /// How far the clock of each replica is ahead, in milliseconds.
    pub ahead_ms: [u64; REPLICAS],
    /// How far a step of time goes.
    pub pass: Duration,
    /// The times and limits of the cores.
    pub settings: Settings,
    /// More states than these end the search, which then is not complete.
    pub most_states: usize,
}

impl Scenario {
    /// A healthy group with one account, made at `a`, and nothing to happen yet.
    pub fn new(name: &'static str) -> Self {
        let never = Duration::from_secs(3600);
        Self {
            name,
            before: vec![Operation { at: 0, deed: Deed::Create { name: "ann", key: 1 } }],
            operations: Vec::new(),
            budget: Budget::default(),
            mortal: [true; REPLICAS],
            breakable: [true; REPLICAS],
            apart: [false; REPLICAS],
            overtaking: true,
            reduced: true,
            swift: [false; REPLICAS],
            near: [false; REPLICAS],
            ahead_ms: [0; REPLICAS],
            pass: Duration::from_millis(600),
            // Signs of life would only multiply the states: links here break, or work. A step of time is
            // longer than the patience with a slow peer.
            settings: Settings {
                heartbeat: never,
                silence: never,
                confirm_patience: Duration::from_millis(500),
                ..Settings::default()
            },
            most_states: 30_000_000,
        }
    }

    /// With a message of the account at a replica. Messages with one number are one, sent again.
    #[must_use]
    pub fn send(mut self, at: usize, key: u8) -> Self {
        self.operations.push(Operation { at, deed: Deed::Send { author: 0, key } });
        self
    }

    /// With somebody who wants a name at a replica.
    #[must_use]
    pub fn create(mut self, at: usize, name: &'static str, key: u8) -> Self {
        self.operations.push(Operation { at, deed: Deed::Create { name, key } });
        self
    }

    pub(super) fn operation(&self, number: usize) -> Option<&Operation> {
        self.before.iter().chain(&self.operations).nth(number)
    }

    pub(super) fn operations(&self) -> usize {
        self.before.len() + self.operations.len()
    }

    /// The account that an operation is about, and the key of its fact.
    pub(super) fn identity(&self, number: usize) -> Option<(AccountId, Key)> {
        match self.operation(number)?.deed {
            Deed::Create { name, key } => Some((AccountId::of_create(draw_key(key), name), draw_key(key))),
            Deed::Send { author, key } => match self.operation(author)?.deed {
                Deed::Create { name, key: of } => Some((AccountId::of_create(draw_key(of), name), draw_key(key))),
                Deed::Send { .. } => None,
            },
        }
    }

    /// The name that an operation wants, if it is a create.
    pub(super) fn name_wanted(&self, number: usize) -> Option<&'static str> {
        match self.operation(number)?.deed {
            Deed::Create { name, .. } => Some(name),
            Deed::Send { .. } => None,
        }
    }
}

/// A key of version 7.
pub(super) fn draw_key(number: u8) -> Key {
    Key((1_790_000_000_000 << 80) | (7 << 76) | (2 << 62) | u128::from(number))
}
