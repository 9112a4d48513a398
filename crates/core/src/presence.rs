//! Who is online where: told between replicas, stored nowhere.
//!
//! An account is online while a connection of it listens, at any replica that is connected. What a
//! replica has said is forgotten with its link.

use std::collections::BTreeSet;

use lastword_facts::ids::AccountId;
use lastword_marks::{Bug, planted};

use crate::Core;
use crate::connections::Connections;
use crate::io::{LinkId, ReplicaId};
use crate::peer_message::{PeerMessage, Presence};

/// Accounts in one message.
const ACCOUNTS: usize = 10_000;
/// Accounts that may be online at one other replica and are not known here yet, together with those that are: more than
/// one process has connections.
const ONLINE: usize = 1_000_000;

/// What the others were told of who listens here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    online: BTreeSet<AccountId>,
}

impl Told {
    /// What has changed since, among these accounts.
    fn news(&mut self, touched: BTreeSet<AccountId>, connections: &Connections) -> Presence {
        let mut news = Presence::default();
        for account in touched {
            if connections.is_listening(account) {
                if self.online.insert(account) {
                    news.online.push(account);
                }
            } else if self.online.remove(&account) {
                news.offline.push(account);
            }
        }
        news
    }
}

impl Core {
    /// Whether somebody would get a message at once: they listen here, or at a replica that is connected.
    pub fn is_online(&self, account: AccountId) -> bool {
        self.connections.is_listening(account) || self.peers.links().any(|(_, link)| link.online.contains(&account))
    }

    /// Tells the others who has come and gone.
    pub(crate) fn tell_presence(&mut self) {
        let touched = self.connections.take_touched();
        if touched.is_empty() {
            return;
        }
        self.on_come_or_gone(touched.iter().copied());
        let news = self.told.news(touched, &self.connections);
        if !news.online.is_empty() || !news.offline.is_empty() {
            self.send_to_all(&PeerMessage::Presence(news));
        }
    }

    /// Tells one who has just said hello about everybody who is here.
    pub(crate) fn tell_who_is_here(&mut self, peer: ReplicaId, link: LinkId) {
        let here: Vec<AccountId> = self.told.online.iter().copied().collect();
        for online in here.chunks(ACCOUNTS) {
            let presence = Presence { online: online.to_vec(), offline: Vec::new() };
            self.send(peer, link, PeerMessage::Presence(presence));
        }
    }

    pub(crate) fn on_presence(&mut self, peer: ReplicaId, link: LinkId, presence: Presence) {
        let Some(link) = self.peers.link(peer, link) else { return };
        for account in &presence.offline {
            link.online.remove(account);
        }
        // Also those whose facts are still on their way from a third replica: they are told of only once. Their number
        // has a bound of its own.
        for &account in &presence.online {
            let room = link.online.len() < ONLINE && !planted(Bug::ForgetsUnknownOnline);
            if room || self.directory.any(account).is_some() {
                link.online.insert(account);
            }
        }
        self.on_come_or_gone(presence.offline.into_iter().chain(presence.online));
    }

    /// These may have come or gone, here or elsewhere: who watches them is told in a moment.
    pub(crate) fn on_come_or_gone(&mut self, accounts: impl Iterator<Item = AccountId>) {
        for account in accounts {
            self.connections.watching.touch(self.last_call, account);
        }
    }
}
