//! Dialling the other replicas, for as long as they are not linked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lastword_core::io::ReplicaId;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::noise::{self, HandshakeError, Identity, Transport};
use super::{FIRST_TURN, Peers, link};
use crate::group::Address;

/// Each step of a dial may take so long.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two dials: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Dials all other replicas, for as long as what is returned lives.
pub(crate) fn dial_all(peers: &Arc<Peers>) -> JoinSet<()> {
    let mut dialling = JoinSet::new();
    for peer in (0..peers.group.members.len()).map(|place| ReplicaId(place as u8)) {
        if peer != peers.group.own {
            let peers = peers.clone();
            dialling.spawn(async move { Dialler::new(&peers, peer).run().await });
        }
    }
    dialling
}

/// What dials one replica.
struct Dialler<'a> {
    peers: &'a Peers,
    peer: ReplicaId,
    backoff: Duration,
    /// Why the last dial came to nothing, if the log has that.
    said: String,
}

impl<'a> Dialler<'a> {
    fn new(peers: &'a Peers, peer: ReplicaId) -> Self {
        Self { peers, peer, backoff: BACKOFF.0, said: String::new() }
    }

    async fn run(&mut self) {
        let (links, own) = (&self.peers.links, self.peers.group.own);
        loop {
            let is_late_in_turn = self.peer > own && self.said.is_empty();
            if is_late_in_turn {
                // Ended early by the other one's dial.
                let _ = tokio::time::timeout(FIRST_TURN, links.wait_until(self.peer, true)).await;
            }
            links.wait_until(self.peer, false).await;
            match dial(self.peers, self.peer).await {
                Ok((stream, transport)) => {
                    (self.backoff, self.said) = (BACKOFF.0, String::new());
                    let early = link::Early::default();
                    let made = link::Made { peer: self.peer, dialled_by: own, stream, transport, early };
                    link::run(self.peers, made).await;
                }
                Err(error) => self.say(&error),
            }
            tokio::time::sleep(self.backoff).await;
            self.backoff = (self.backoff * 2).min(BACKOFF.1);
        }
    }

    /// Tells the log once, and when it changes, and clients for as long as it is so. Counts another list each time.
    fn say(&mut self, error: &HandshakeError) {
        if matches!(error, HandshakeError::WrongGroup { .. }) {
            self.peers.engine.metrics.on_other_list();
        }
        let text = error.to_string();
        // One that is killed in the middle of a handshake has no other fault than before.
        if error.is_fault() || matches!(error, HandshakeError::Unreachable(_)) {
            self.peers.problems.set(self.peer, error.is_fault().then(|| text.clone()));
        }
        if text == self.said {
            return;
        }
        let (name, described) = (self.peer.name(), self.peers.group.describe(self.peer));
        match error {
            HandshakeError::Unreachable(_) => {
                tracing::info!(peer = %name, "no link to {described}: {text}; trying again until it is there");
            }
            _ if error.is_fault() => tracing::error!(peer = %name, "no link to {described}: {text}"),
            _ => tracing::warn!(peer = %name, "no link to {described}: {text}"),
        }
        self.said = text;
    }
}

async fn dial(peers: &Peers, peer: ReplicaId) -> Result<(TcpStream, Transport), HandshakeError> {
    let group = &peers.group;
    let found = tokio::time::timeout(PATIENCE, find(group.dialled_at(peer)));
    let places = found.await.map_err(|_| HandshakeError::Late)?.map_err(HandshakeError::NoSuchHost)?;
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(&places[..]));
    let mut stream = connected.await.map_err(|_| HandshakeError::Late)?.map_err(HandshakeError::Unreachable)?;
    let _ = stream.set_nodelay(true);
    let identity = Identity::of(group);
    let handshake = tokio::time::timeout(PATIENCE, noise::dial(&mut stream, &group.key, &identity));
    let (transport, theirs) = handshake.await.map_err(|_| HandshakeError::Late)??;
    if theirs.own != peer {
        return Err(HandshakeError::WrongReplica(theirs.own));
    }
    Ok((stream, transport))
}

async fn find(address: &Address) -> std::io::Result<Vec<SocketAddr>> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((address.host.as_str(), address.port)).await?.collect();
    if found.is_empty() { Err(std::io::Error::other("it has no address")) } else { Ok(found) }
}
