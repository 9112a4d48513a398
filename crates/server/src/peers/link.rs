//! A link to another replica: messages in, messages out, as many at once as there are.

use std::sync::Arc;
use std::time::Instant;

use lastword_core::Input;
use lastword_core::io::{LinkId, ReplicaId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;

use super::Peers;
use super::framing::{FrameError, take_messages, write_message};
use super::noise::Transport;
use crate::engine::outbox::{self, LinkOutbox};
use crate::engine::{Engine, ToCore};

/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// Why a link ended, where it was not just closed.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("{0}")]
    Broken(#[from] std::io::Error),
    #[error("what came can't be decrypted: {0}")]
    Noise(#[from] snow::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// What has come before the link runs.
#[derive(Default)]
pub(super) struct Early {
    /// Not decrypted yet.
    pub(super) read: Vec<u8>,
    /// Decrypted.
    pub(super) plain: Vec<u8>,
}

/// A connection to a replica that has shown that it is one.
pub(super) struct Made {
    pub(super) peer: ReplicaId,
    pub(super) dialled_by: ReplicaId,
    pub(super) stream: TcpStream,
    pub(super) transport: Transport,
    pub(super) early: Early,
}

/// Runs a link until it ends, and tells the core of its beginning and end. Not if another one is to be kept.
pub(super) async fn run(peers: &Peers, made: Made) {
    let Made { peer, dialled_by, stream, transport, early } = made;
    let (engine, group) = (&peers.engine, &peers.group);
    let link = LinkId(engine.draw_id());
    if !peers.links.enter(peer, link, dialled_by, Instant::now()) {
        return tracing::debug!(peer = %peer.name(), "linked to {} already", group.describe(peer));
    }
    peers.problems.set(peer, None);
    let outbox = Arc::new(outbox::for_link());
    engine.give(ToCore::LinkUp(peer, link, outbox.clone())).await;
    tracing::debug!(peer = %peer.name(), link = link.0, "linked to {}", group.describe(peer));
    let (reading, writing) = stream.into_split();
    // One nonce counter a direction, but one state: held for the moments of encrypting only.
    let transport = Mutex::new(transport);
    let ended = tokio::select! {
        ended = read_messages(engine, peer, link, reading, &transport, early) => ended,
        ended = write_messages(&outbox, writing, &transport) => ended,
        // A server that stops goes on storing and confirming for as long as it has to answer.
        () = async {
            engine.closing().await;
            tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        } => Ok(()),
    };
    outbox.close();
    peers.links.leave(peer, link);
    engine.give(ToCore::Input(Input::LinkDown(peer, link))).await;
    if let Err(error) = ended {
        let (name, described) = (peer.name(), group.describe(peer));
        match error {
            LinkError::Broken(_) => tracing::debug!(peer = %name, "the link to {described} broke: {error}"),
            _ => tracing::error!(peer = %name, "the link to {described} is closed: {error}"),
        }
    }
}

async fn read_messages(
    engine: &Engine,
    peer: ReplicaId,
    link: LinkId,
    mut stream: OwnedReadHalf,
    transport: &Mutex<Transport>,
    early: Early,
) -> Result<(), LinkError> {
    let Early { mut read, mut plain } = early;
    loop {
        transport.lock().await.open(&mut read, &mut plain)?;
        let messages = take_messages(&mut plain)?;
        if !messages.is_empty() {
            engine.give(ToCore::LinkMessages(peer, link, messages)).await;
        }
        read.reserve(READ_BYTES);
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    }
}

async fn write_messages(
    outbox: &LinkOutbox,
    mut stream: OwnedWriteHalf,
    transport: &Mutex<Transport>,
) -> Result<(), LinkError> {
    let (mut plain, mut sealed) = (Vec::new(), Vec::new());
    loop {
        outbox.filled().await;
        let taken = outbox.take();
        for message in taken.items {
            write_message(&mut plain, &message);
        }
        transport.lock().await.seal(&plain, &mut sealed)?;
        stream.write_all(&sealed).await?;
        for buffer in [&mut plain, &mut sealed] {
            buffer.clear();
            buffer.shrink_to(4 * READ_BYTES);
        }
        if taken.closed {
            return Ok(());
        }
    }
}
