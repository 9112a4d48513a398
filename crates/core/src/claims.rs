//! What was heard of claims on names, on receipt: before they are taken in, and from whoever told.
//!
//! Names are the one thing that does not merge by itself, so here a replica must look further than its
//! log: at what it holds, and at what others say they have received.

use std::collections::BTreeMap;
use std::time::Duration;

use lastword_facts::ids::{AccountId, Order, Position};

use crate::peer_message::Rival;
use crate::time::Mono;

/// Names of which something is remembered. Beyond that a claim is judged by what was taken in.
const NAMES_HEARD: usize = 10_000;
/// How long it is remembered: well over the time that an unconfirmed claim stands in the way.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What was heard of one claim.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) rival: Rival,
    /// When it was first heard of.
    pub(crate) arrived: Mono,
}

/// What was heard, by folded name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hearsay {
    names: BTreeMap<Box<str>, Vec<Heard>>,
    swept: Mono,
}

impl Hearsay {
    /// Takes in what somebody says of a claim. Marks are only ever added.
    pub(crate) fn hear(&mut self, now: Mono, folded: &str, rival: Rival) {
        if now.since(self.swept) > REMEMBERED {
            self.swept = now;
            for heard in self.names.values_mut() {
                heard.retain(|heard| now.since(heard.arrived) < REMEMBERED);
            }
            self.names.retain(|_, heard| !heard.is_empty());
        }
        if self.names.len() >= NAMES_HEARD && !self.names.contains_key(folded) {
            return;
        }
        let heard = self.names.entry(folded.into()).or_default();
        match heard.iter_mut().find(|heard| heard.rival.claim == rival.claim) {
            Some(known) => {
                // A verdict that came before its claim did not know the claim's order.
                known.rival.order = known.rival.order.max(rival.order);
                known.rival.confirmed |= rival.confirmed;
                known.rival.withdrawn |= rival.withdrawn;
            }
            None => heard.push(Heard { rival, arrived: now }),
        }
    }

    /// What was heard of a name.
    pub(crate) fn of(&self, folded: &str) -> &[Heard] {
        self.names.get(folded).map(Vec::as_slice).unwrap_or_default()
    }
}

/// An attempt at a name that is under way here.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) name: String,
    pub(crate) folded: Box<str>,
    pub(crate) account: AccountId,
    /// Who is answered.
    pub(crate) replies: Vec<(crate::io::ConnectionId, crate::io::Tag)>,
    pub(crate) claim: Position,
    pub(crate) order: Order,
    /// When this look began: with the making of the claim, or of the confirm.
    pub(crate) since: Mono,
    /// The second look: the confirm is made.
    pub(crate) confirming: bool,
    /// The fact of this look is on all disks that are in sync.
    pub(crate) stored: bool,
    /// Who has said at this look, on the link that it has now, what it has received about rivals.
    pub(crate) verdicts: std::collections::BTreeSet<crate::io::ReplicaId>,
    /// The password is known to be that of the account, of an earlier claim.
    pub(crate) checked: bool,
    pub(crate) token: lastword_facts::token::SessionToken,
}
