//! The links to the other replicas: one a pair; the one later in the list dials.

pub mod framing;
mod link;
mod noise;

use std::sync::Arc;
use std::time::{Duration, Instant};

use lastword_core::io::ReplicaId;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::engine::Engine;
use crate::group::Group;
use crate::listen::Shared;
use crate::stream::Stream;
use noise::{HandshakeError, Identity};

pub(crate) use noise::PREFACE;

/// A dial and the handshake may take so long each.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two dials: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Those who can't be let in are told of in the log so often.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Dials those before this replica in the list, for as long as what is returned lives.
pub(crate) fn dial_all(engine: &Engine, group: &Group) -> JoinSet<()> {
    let mut dialling = JoinSet::new();
    for peer in (0..group.own.0).map(ReplicaId) {
        dialling.spawn(keep_dialling(engine.clone(), group.clone(), peer));
    }
    dialling
}

async fn keep_dialling(engine: Engine, group: Group, peer: ReplicaId) {
    let mut backoff = BACKOFF.0;
    let mut last_said = String::new();
    loop {
        match dial(&group, peer).await {
            Ok((stream, transport)) => {
                (backoff, last_said) = (BACKOFF.0, String::new());
                link::run(&engine, &group, peer, stream, transport, link::Early::default()).await;
            }
            // A peer that is down is no news; all else is said once.
            Err(HandshakeError::Unreachable(_)) => {}
            Err(error) => {
                let text = error.to_string();
                if text != last_said {
                    say(&group, peer, &error);
                    last_said = text;
                }
            }
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF.1);
    }
}

/// What may pass, as where a peer is killed in the middle of it, is less than what somebody has to mend.
fn say(group: &Group, peer: ReplicaId, error: &HandshakeError) {
    let described = group.describe(peer);
    match error {
        HandshakeError::Late | HandshakeError::Broken(_) => {
            tracing::warn!(peer = %peer.name(), "no link to {described}: {error}");
        }
        _ => tracing::error!(peer = %peer.name(), "no link to {described}: {error}"),
    }
}

async fn dial(group: &Group, peer: ReplicaId) -> Result<(TcpStream, noise::Transport), HandshakeError> {
    let address = group.dialled_at(peer);
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect((address.host.as_str(), address.port)));
    let mut stream = connected.await.map_err(|_| HandshakeError::Late)?.map_err(HandshakeError::Unreachable)?;
    let _ = stream.set_nodelay(true);
    let identity = Identity { own: group.own, group: group.hash };
    let handshake = tokio::time::timeout(PATIENCE, noise::dial(&mut stream, &group.key, identity));
    let (transport, theirs) = handshake.await.map_err(|_| HandshakeError::Late)??;
    if theirs.own != peer {
        return Err(HandshakeError::WrongReplica(theirs.own));
    }
    Ok((stream, transport))
}

/// Another replica has dialled; some bytes were read already.
pub(crate) async fn accept(mut stream: TcpStream, mut read: Vec<u8>, shared: &Arc<Shared>) {
    let group = &shared.wire.group;
    let identity = Identity { own: group.own, group: group.hash };
    let from = stream.peer_addr().map_or_else(|_| "somebody".to_owned(), |address| address.to_string());
    let handshake = tokio::time::timeout(PATIENCE, noise::accept(&mut stream, &mut read, &group.key, identity));
    match handshake.await.unwrap_or(Err(HandshakeError::Late)) {
        Ok((transport, theirs, plain)) => {
            if theirs.own == group.own || usize::from(theirs.own.0) >= group.members.len() {
                let why = format!("says that it is replica {}, which can't be", theirs.own.name());
                return tell_of_stranger(shared, &from, &why);
            }
            link::run(&shared.engine, group, theirs.own, stream, transport, link::Early { read, plain }).await;
        }
        Err(error @ (HandshakeError::WrongKey | HandshakeError::WrongGroup)) => {
            tell_of_stranger(shared, &from, &format!("wants to be a replica, but {error}"));
            super::front::linger(Stream::Plain(stream)).await;
        }
        Err(error) => tracing::debug!("{from} wanted to be a replica: {error}"),
    }
}

/// Says in the log why somebody was not let in as a replica: now and then only, for who dials in vain
/// dials every second.
fn tell_of_stranger(shared: &Shared, from: &str, why: &str) {
    let mut told = shared.told_of_stranger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if told.is_some_and(|told| told.elapsed() < TELL_AGAIN) {
        return tracing::debug!("{from} {why}");
    }
    *told = Some(Instant::now());
    tracing::error!("{from} {why}");
}
