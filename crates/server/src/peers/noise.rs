//! The handshake between replicas, and what encrypts all that follows: Noise `NNpsk0` with the cluster
//! key (revision 34 of the Noise protocol framework; the `snow` crate).
//!
//! ```text
//! dialler   LASTWORD-PEER/1\n  length  message 1 (who it is)
//! listener  1                  length  message 2 (who it is)     or 0: your key is not ours
//! ```
//! Then both send frames: a length of two bytes, and so much ciphertext.

use std::io;

use lastword_core::io::ReplicaId;
use snow::{Builder, HandshakeState, TransportState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cluster_key::ClusterKey;

/// What a replica says first, so that the listener knows what comes.
pub(crate) const PREFACE: &[u8] = b"LASTWORD-PEER/1\n";

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
/// The largest Noise message, in bytes, and what its authentication takes of that.
const MESSAGE_BYTES: usize = 65_535;
const TAG_BYTES: usize = 16;

const ACCEPTED: u8 = 1;
const WRONG_KEY: u8 = 0;

/// Who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) own: ReplicaId,
    pub(crate) group: u64,
}

impl Identity {
    fn to_bytes(self) -> [u8; 9] {
        let mut bytes = [self.own.0; 9];
        bytes[1..].copy_from_slice(&self.group.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (own, group) = bytes.split_first_chunk::<1>()?;
        Some(Self { own: ReplicaId(own[0]), group: u64::from_be_bytes(*group.first_chunk()?) })
    }
}

/// Why two replicas did not come together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("it can't be reached: {0}")]
    Unreachable(io::Error),
    #[error("it did not answer in time")]
    Late,
    #[error(
        "its cluster key is another one: give all replicas of the group the same --key file, or none and the same --group in the same order (the key is made of it then)"
    )]
    WrongKey,
    #[error("what it says is no handshake of a replica; is this address one of the group?")]
    Nonsense,
    #[error("it has another list of the group: start every replica with the same --group, in the same order")]
    WrongGroup,
    #[error("it says that it is replica {}: the addresses in --group don't lead where they should", .0.name())]
    WrongReplica(ReplicaId),
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("encryption failed: {0}")]
    Noise(#[from] snow::Error),
}

/// Encrypts and decrypts what goes over a link.
pub(crate) struct Transport {
    state: TransportState,
    buffer: Vec<u8>,
}

/// Shakes hands with a replica that was dialled.
pub(crate) async fn dial(
    stream: &mut TcpStream,
    key: &ClusterKey,
    own: Identity,
) -> Result<(Transport, Identity), HandshakeError> {
    let mut state = builder(key)?.build_initiator()?;
    let mut buffer = vec![0; 1024];
    let length = state.write_message(&own.to_bytes(), &mut buffer)?;
    let mut first = PREFACE.to_vec();
    first.extend((length as u16).to_be_bytes());
    first.extend(&buffer[..length]);
    stream.write_all(&first).await?;
    match stream.read_u8().await? {
        ACCEPTED => {}
        WRONG_KEY => return Err(HandshakeError::WrongKey),
        _ => return Err(HandshakeError::Nonsense),
    }
    let length = usize::from(stream.read_u16().await?);
    let mut message = vec![0; length.min(1024)];
    stream.read_exact(&mut message).await?;
    let theirs = read_identity(&mut state, &message)?;
    finish(state, own, theirs)
}

/// Shakes hands with a replica that has dialled, of which some bytes were read already. What is left of
/// them afterwards, and what is decrypted already, belongs to the link.
pub(crate) async fn accept(
    stream: &mut TcpStream,
    read: &mut Vec<u8>,
    key: &ClusterKey,
    own: Identity,
) -> Result<(Transport, Identity, Vec<u8>), HandshakeError> {
    let head = PREFACE.len() + 2;
    let whole = loop {
        if read.len() >= head {
            let whole = head + usize::from(u16::from_be_bytes([read[head - 2], read[head - 1]]));
            if whole > 1024 {
                return Err(HandshakeError::Nonsense);
            }
            if read.len() >= whole {
                break whole;
            }
        }
        if stream.read_buf(read).await? == 0 {
            return Err(HandshakeError::Nonsense);
        }
    };
    let mut state = builder(key)?.build_responder()?;
    let theirs = match read_identity(&mut state, &read[head..whole]) {
        Ok(theirs) => theirs,
        Err(error) => {
            stream.write_all(&[WRONG_KEY]).await?;
            return Err(error);
        }
    };
    read.drain(..whole);
    let mut buffer = vec![0; 1024];
    let length = state.write_message(&own.to_bytes(), &mut buffer)?;
    let mut answer = vec![ACCEPTED];
    answer.extend((length as u16).to_be_bytes());
    answer.extend(&buffer[..length]);
    stream.write_all(&answer).await?;
    let (mut transport, theirs) = finish(state, own, theirs)?;
    // The first message could be a recorded one, sent again: only who encrypts with what was agreed on
    // just now is let in, or a stranger could put himself in the place of a link that lives.
    let mut plain = Vec::new();
    loop {
        transport.open(read, &mut plain)?;
        if !plain.is_empty() {
            return Ok((transport, theirs, plain));
        }
        if stream.read_buf(read).await? == 0 {
            return Err(HandshakeError::Nonsense);
        }
    }
}

fn builder(key: &ClusterKey) -> Result<Builder<'_>, HandshakeError> {
    let pattern = PATTERN.parse().map_err(|_| HandshakeError::Nonsense)?;
    Ok(Builder::new(pattern).psk(0, key.bytes())?)
}

/// Reads the other's handshake message: that it can be decrypted says that its key is ours.
fn read_identity(state: &mut HandshakeState, message: &[u8]) -> Result<Identity, HandshakeError> {
    let mut buffer = vec![0; 1024];
    match state.read_message(message, &mut buffer) {
        Ok(length) => Identity::from_bytes(&buffer[..length]).ok_or(HandshakeError::Nonsense),
        Err(snow::Error::Decrypt) => Err(HandshakeError::WrongKey),
        Err(_) => Err(HandshakeError::Nonsense),
    }
}

fn finish(state: HandshakeState, own: Identity, theirs: Identity) -> Result<(Transport, Identity), HandshakeError> {
    if theirs.group != own.group {
        return Err(HandshakeError::WrongGroup);
    }
    let transport = Transport { state: state.into_transport_mode()?, buffer: vec![0; MESSAGE_BYTES] };
    Ok((transport, theirs))
}

impl Transport {
    /// Encrypts a piece of the stream, as frames at the end of `into`.
    pub(crate) fn seal(&mut self, plain: &[u8], into: &mut Vec<u8>) -> Result<(), snow::Error> {
        for piece in plain.chunks(MESSAGE_BYTES - TAG_BYTES) {
            let length = self.state.write_message(piece, &mut self.buffer)?;
            into.extend((length as u16).to_be_bytes());
            into.extend(&self.buffer[..length]);
        }
        Ok(())
    }

    /// Decrypts the whole frames that were read, at the end of `into`, and takes them away.
    pub(crate) fn open(&mut self, read: &mut Vec<u8>, into: &mut Vec<u8>) -> Result<(), snow::Error> {
        let mut taken = 0;
        while let Some((length, rest)) = read[taken..].split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some(frame) = rest.get(..length) else { break };
            let plain = self.state.read_message(frame, &mut self.buffer)?;
            into.extend(&self.buffer[..plain]);
            taken += 2 + length;
        }
        read.drain(..taken);
        Ok(())
    }
}
