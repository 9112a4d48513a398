//! Which replicas are linked now, and which of two links to the same one stays.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastword_core::io::{LinkId, ReplicaId};
use tokio::sync::watch;

/// Two links that both sides dialled belong to one moment if the first was not older than this when the second came.
/// Much longer than a dial takes, and not longer than it takes to give up a link that is dead.
const ONE_MOMENT: Duration = Duration::from_secs(5);

/// The links that were made and have not ended.
#[derive(Debug)]
pub(super) struct Links {
    made: Mutex<BTreeMap<ReplicaId, Made>>,
    /// A bit for each replica that is linked.
    linked: watch::Sender<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Made {
    link: LinkId,
    dialled_by: ReplicaId,
    at: Instant,
}

impl Links {
    pub(super) fn new() -> Self {
        Self { made: Mutex::default(), linked: watch::Sender::new(0) }
    }

    /// A link was made. Says whether it is to be used; it then takes the place of any other one to that replica.
    ///
    /// A newer link is as a rule the better one: where one side has lost a link that the other still believes in, it
    /// dials again. But where both have dialled at the same moment, both must keep the same one of the two, or each
    /// would close what the other keeps: the one that was dialled by the later of the two in the list.
    pub(super) fn enter(&self, peer: ReplicaId, link: LinkId, dialled_by: ReplicaId, now: Instant) -> bool {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = made.get(&peer)
            && other.dialled_by > dialled_by
            && now.duration_since(other.at) < ONE_MOMENT
        {
            return false;
        }
        made.insert(peer, Made { link, dialled_by, at: now });
        self.publish(&made);
        true
    }

    /// A link has ended.
    pub(super) fn leave(&self, peer: ReplicaId, link: LinkId) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.get(&peer).is_some_and(|made| made.link == link) {
            made.remove(&peer);
            self.publish(&made);
        }
    }

    fn publish(&self, made: &BTreeMap<ReplicaId, Made>) {
        self.linked.send_replace(made.keys().map(|&peer| bit(peer)).sum());
    }

    /// Ready as soon as this replica is linked, or is not.
    pub(super) async fn wait_until(&self, peer: ReplicaId, is_linked: bool) {
        // It ends only with what is watched, which outlives this.
        let _ = self.linked.subscribe().wait_for(|linked| (linked & bit(peer) != 0) == is_linked).await;
    }
}

fn bit(peer: ReplicaId) -> u32 {
    // A group has 26 replicas at most.
    1 << (peer.0 % 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ReplicaId = ReplicaId(0);
    const B: ReplicaId = ReplicaId(1);

    #[test]
    fn of_two_that_were_dialled_at_one_moment_both_sides_keep_the_same() {
        let now = Instant::now();
        // One by a, two by b; each side hears of them in its own order.
        for (order_at_a, order_at_b) in [([1, 2], [1, 2]), ([1, 2], [2, 1]), ([2, 1], [1, 2]), ([2, 1], [2, 1])] {
            for (peer, order) in [(B, order_at_a), (A, order_at_b)] {
                let links = Links::new();
                let mut kept = 0;
                for link in order {
                    if links.enter(peer, LinkId(link), if link == 1 { A } else { B }, now) {
                        kept = link;
                    }
                }
                assert_eq!(kept, 2, "{order_at_a:?} {order_at_b:?}");
            }
        }
    }

    #[test]
    fn a_later_one_takes_the_place_of_one_that_its_dialler_has_lost() {
        let links = Links::new();
        let began = Instant::now();
        assert!(links.enter(B, LinkId(1), B, began));
        assert!(!links.enter(B, LinkId(2), A, began + Duration::from_secs(1)));
        assert!(links.enter(B, LinkId(3), A, began + ONE_MOMENT));
        assert!(links.enter(B, LinkId(4), A, began + ONE_MOMENT), "the same side dialled again");
        links.leave(B, LinkId(1));
        assert_eq!(*links.linked.borrow(), 2, "what was replaced ends without a word");
        links.leave(B, LinkId(4));
        assert_eq!(*links.linked.borrow(), 0);
    }
}
