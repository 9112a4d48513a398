//! What goes into the machine and what comes out of it.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use lastword_protocol::answer::Done;
use lastword_protocol::{Op, Request, ServerLine};

use crate::error::Error;
use crate::event::Event;

/// A moment: how long after the machine was made. Never goes back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    /// A moment that never comes.
    pub(super) const NEVER: Self = Self(Duration::MAX);
}

impl Add<Duration> for Time {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }
}

/// A replica, by its place in the list that the caller gave, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplicaIndex(pub usize);

/// Tells one connection to a replica from the next: counted up with each [`Output::Dial`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// A command of the caller, by a number that the caller draws; its [`Output::Done`] carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandId(pub u64);

/// An event for the caller, by its place in the stream, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventNumber(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The dial that was asked for succeeded.
    Connected {
        /// To whom.
        replica: ReplicaIndex,
        /// As the [`Output::Dial`] said.
        epoch: Epoch,
    },
    /// The dial failed, or the connection broke. What it said before must have been handed in before.
    Lost {
        /// To whom.
        replica: ReplicaIndex,
        /// As the [`Output::Dial`] said.
        epoch: Epoch,
    },
    /// A replica said something.
    Line {
        /// Who.
        replica: ReplicaIndex,
        /// As the [`Output::Dial`] said.
        epoch: Epoch,
        /// What.
        line: ServerLine,
    },
    /// The caller wants something done. `hello`, `resume` and `delivered` are the machine's own: they
    /// are refused.
    Command {
        /// Drawn by the caller; the [`Output::Done`] carries it.
        id: CommandId,
        /// What. Its key, where it has one, is fresh, or that of the same deed in an earlier life.
        op: Op,
    },
    /// The caller is done with every event up to and with this one: messages are confirmed.
    Shown {
        /// The last of them.
        upto: EventNumber,
    },
    /// The time of [`Machine::poll_timeout`](super::Machine::poll_timeout) has come. Hand in what has
    /// arrived first.
    Timer,
}

/// What the driver is to do, in this order.
#[derive(Debug)]
pub enum Output {
    /// Dial this replica, and say [`Input::Connected`] or [`Input::Lost`] with the same epoch.
    Dial {
        /// Whom.
        replica: ReplicaIndex,
        /// Names the connection from now on.
        epoch: Epoch,
    },
    /// Write a request. If the connection is gone meanwhile, forget it.
    Send {
        /// To whom.
        replica: ReplicaIndex,
        /// On which connection.
        epoch: Epoch,
        /// What.
        request: Request,
    },
    /// Close the connection, or give up the dial. Nothing more is to be handed in with this epoch.
    Close {
        /// To whom.
        replica: ReplicaIndex,
        /// Which.
        epoch: Epoch,
    },
    /// A command is answered. Exactly one comes for each [`Input::Command`].
    Done {
        /// Which command.
        id: CommandId,
        /// The `ok` object of the operation, or why not.
        result: Result<Done, Error>,
    },
    /// Something for the caller. Once the caller is done with it, say [`Input::Shown`].
    Event {
        /// Its place in the stream.
        number: EventNumber,
        /// What.
        event: Event,
    },
}

impl fmt::Display for ReplicaIndex {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
