//! What the core reports, as log lines for a person. Who reads them with a program finds the replica they are about in
//! the field `peer`.

use lastword_core::io::{Leave, ReplicaId, Report};

use crate::group::Group;

pub(crate) fn log(group: &Group, report: &Report) {
    let of = |replica| group.describe(replica);
    let name = |replica: &ReplicaId| replica.name();
    match report {
        Report::InSync(peer) => tracing::info!(peer = %name(peer), "{} is in sync", of(*peer)),
        Report::OutOfSync(peer, why) => {
            let why = match why {
                Leave::Disconnected => "its connection has ended",
                Leave::Silent => "nothing came from it for 2 s",
                Leave::Slow => "its disk or the way to it takes more than 1 s",
            };
            tracing::warn!(peer = %name(peer), "{} is out of sync: {why}", of(*peer));
        }
        Report::WrongGroup(peer) => tracing::error!(
            peer = %name(peer),
            "{} has another list of the group: start every replica with the same --group, in the same order",
            of(*peer)
        ),
        Report::Ignored(position, why) => tracing::warn!("the fact {position:?} is kept and ignored: {why}"),
        Report::NotUnderstood(position, kind) => tracing::warn!(
            "the fact {position:?} is of kind {kind}, which a newer lastword wrote: it is kept until this replica is upgraded"
        ),
        Report::Damaged(position) => {
            tracing::error!(
                "the record of fact {position:?} in log.db is damaged: fetching it from the other replicas"
            );
        }
        Report::Lost(position) => tracing::error!(
            "the fact {position:?} is damaged here and missing on every other replica: it is lost, and its place is left empty"
        ),
        Report::Repaired(position) => tracing::info!("the record of fact {position:?} is repaired"),
        Report::HoldFull => tracing::debug!("no room for facts that arrived too early: they will be requested again"),
        Report::ClocksDiffer(peer) => tracing::warn!(
            "the clocks of this replica and of {} differ by more than an hour: unused sessions are kept until they agree",
            of(*peer)
        ),
        Report::ClockWasSet => tracing::warn!(
            "the clock was set by more than an hour since this server started: unused sessions are kept until it is restarted"
        ),
        Report::NotStaleAnyMore => tracing::info!("caught up: this replica is no longer stale"),
    }
}
