//! What an operator is told.

use super::ReplicaId;

/// Something an operator wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Answers wait for this replica's disk from now on.
    InSync(ReplicaId),
    /// Answers do not wait for this replica's disk any more.
    OutOfSync(ReplicaId, Leave),
    /// This replica does not belong to the group: its list of the group is another one.
    WrongGroup(ReplicaId),
    /// A fact that can't be was kept and ignored.
    Ignored(lastword_facts::Position, &'static str),
    /// A fact of a newer version was kept, to be used once it is understood.
    NotUnderstood(lastword_facts::Position, u32),
    /// A record of the log is damaged; it is asked for at the others.
    Damaged(lastword_facts::Position),
    /// A damaged record came back whole from another replica.
    Repaired(lastword_facts::Position),
    /// A record that is damaged here is missing everywhere else: its position is filled with nothing.
    Lost(lastword_facts::Position),
    /// Facts that came too early do not fit; they are asked for again later.
    HoldFull,
    /// This replica has all that one had that was not stale, or all others of the group.
    NotStaleAnyMore,
    /// The wall clock of this replica differs from the own one: while it does, no unused session is ended.
    ClocksDiffer(ReplicaId),
    /// The own wall clock was set: until the next start no unused session is ended.
    ClockWasSet,
}

/// Why answers wait no more for a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// Its connection has ended.
    Disconnected,
    /// Another connection to it has taken the place of that one, as a rule for a round trip: it is no loss.
    Replaced,
    /// Nothing came from it for too long.
    Silent,
    /// It has not confirmed the oldest fact that waits for it for too long.
    Slow,
}
