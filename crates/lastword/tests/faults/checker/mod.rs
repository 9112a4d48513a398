//! What must be true of what clients were told and shown, as in the simulator.
//!
//! The checker knows each message by its text: `p3:17>5@9:4` is the 17th of person 3, to person 5, who
//! answers the 4th of person 9. It is told when a message is about to be sent, what came of it, and when
//! it was shown, and says at once what is wrong with that; in the end it says what is missing.
//!
//! There are no excuses but these, which the design itself makes:
//! * A message whose sender was told that it was refused, or was told nothing, may or may not be there,
//!   and has no place in the order (as in the simulator). It comes once at most, and to nobody else.
//! * The order holds within a session: a client that ended has forgotten what it kept for other replicas.
//! * A client that ended before it confirmed gets messages again, in its next life.
//! * Undelivered messages from and to a deleted account go with it.
//! * What was acknowledged by one disk alone, whose client ended, and whose disk was then destroyed, is
//!   gone: see [`disks::Disks`], which makes this all but impossible.
//! * Somebody who was told `name_taken` while there was trouble may have the account after all, and can
//!   log in then.
//! * A message whose record was damaged on a disk may be shown late by that replica, until it is mended.

mod accounts;
mod disks;
mod history;
mod messages;
mod shown;
mod text;

use std::time::Instant;

use accounts::Accounts;
pub use accounts::{Account, Credentials};
use disks::Disks;
use messages::Messages;
use shown::Lives;
pub use shown::Shown;
pub use text::{Id, Text};

/// The most violations that are kept: the first ones tell.
const VIOLATIONS: usize = 50;

/// All that is known of what clients did and saw.
pub struct Checker {
    began: Instant,
    messages: Messages,
    accounts: Accounts,
    lives: Lives,
    disks: Disks,
    violations: Vec<String>,
    /// What was let pass, by the reasons that the head of this file gives.
    pub excused: Excused,
    /// The end has come, and it was looked at what is missing.
    pub was_judged: bool,
}

/// How often something was let pass.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Excused {
    /// Acknowledged by one disk alone, which was destroyed.
    pub only_disk: u64,
    /// Shown late, since its record was damaged.
    pub hurt: u64,
    /// Shown again to a client that was started anew.
    pub again: u64,
    /// Sent, and nobody knows what came of it.
    pub unknown: u64,
    /// Names, on each replica, of people who were told that they are taken, and can log in.
    pub refused_owner: u64,
}

impl Checker {
    /// A checker of so many people.
    pub fn new(people: usize) -> Self {
        Self {
            began: Instant::now(),
            messages: Messages::new(people),
            accounts: Accounts::default(),
            lives: Lives::default(),
            disks: Disks::default(),
            violations: Vec::new(),
            excused: Excused::default(),
            was_judged: false,
        }
    }

    /// Milliseconds since the checker was made.
    pub fn now_ms(&self) -> u32 {
        self.began.elapsed().as_millis() as u32
    }

    /// Something is wrong.
    pub fn violated(&mut self, what: String) {
        if self.violations.len() < VIOLATIONS {
            self.violations.push(what);
        }
    }

    /// What is wrong, so far.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// A disk is about to be destroyed, or a part of it. All replicas were seen in sync since `in_sync_ms`.
    pub fn disk_goes(&mut self, in_sync_ms: u32) {
        let now = self.now_ms();
        self.disks.goes(in_sync_ms, now);
        self.messages.doubt_answers_under_way();
    }

    /// The replica whose disk was destroyed has everything again.
    pub fn disk_is_back(&mut self) {
        let now = self.now_ms();
        self.disks.is_back(now);
    }

    /// Records of this replica are damaged.
    pub fn disk_is_hurt(&mut self, replica: usize) {
        let now = self.now_ms();
        self.disks.is_hurt(replica, now);
    }

    /// This replica's disk was read through, and is whole.
    pub fn disk_is_mended(&mut self, replica: usize) {
        let now = self.now_ms();
        self.disks.is_mended(replica, now);
    }
}
