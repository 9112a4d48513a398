//! The handshake between replicas, and what encrypts all that follows: Noise `NNpsk0` with the cluster
//! key (revision 34 of the Noise protocol framework; the `snow` crate).
//!
//! ```text
//! dialler   LASTWORD-PEER/1\n  length  message 1 (who it is, its list of the group)
//! listener  1                  length  message 2 (the same)      or 0: your key is not ours
//! ```
//! Then both send frames: a length of two bytes, and so much ciphertext.

use std::io;

use lastword_core::io::ReplicaId;
use snow::{Builder, HandshakeState, TransportState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cluster_key::ClusterKey;
use crate::group::Group;

/// What a replica says first, so that the listener knows what comes.
pub(crate) const PREFACE: &[u8] = b"LASTWORD-PEER/1\n";

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
/// The largest Noise message, in bytes, and what its authentication takes of that.
const MESSAGE_BYTES: usize = 65_535;
const TAG_BYTES: usize = 16;

const ACCEPTED: u8 = 1;
const WRONG_KEY: u8 = 0;

/// Of a list of the group so much is told, in bytes: enough to see how it differs.
const LIST_BYTES: usize = 600;

/// Who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) own: ReplicaId,
    /// A hash of the group's list.
    pub(crate) group: u64,
    /// The list, or how it begins: for people, where the hashes differ.
    pub(crate) list: String,
}

impl Identity {
    pub(crate) fn of(group: &Group) -> Self {
        Self { own: group.own, group: group.hash, list: group.list.clone() }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.own.0];
        bytes.extend(self.group.to_be_bytes());
        bytes.extend(&self.list.as_bytes()[..self.list.floor_char_boundary(LIST_BYTES)]);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (own, rest) = bytes.split_first_chunk::<1>()?;
        let (group, list) = rest.split_first_chunk::<8>()?;
        // It goes into log lines as it is.
        let list = String::from_utf8_lossy(list).replace(char::is_control, "?");
        Some(Self { own: ReplicaId(own[0]), group: u64::from_be_bytes(*group), list })
    }
}

/// Why two replicas did not come together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error(
        "its host name can't be resolved ({0}): correct it in --group, or in the DNS or /etc/hosts of this machine"
    )]
    NoSuchHost(io::Error),
    #[error("it can't be reached: {0}")]
    Unreachable(io::Error),
    #[error("it did not answer in time")]
    Late,
    #[error(
        "it has another cluster key: start all replicas of the group with the same --key FILE (without --key, each user of each machine has a key of their own)"
    )]
    WrongKey,
    #[error("what answers there is not a replica: check its address in --group")]
    Nonsense,
    #[error(
        "it was started with another list of the group, --group {theirs}; this replica has --group {own}: start all replicas with the same list, in the same order"
    )]
    WrongGroup { own: String, theirs: String },
    #[error(
        "replica {} answers at this address: check that each address in --group leads to its own server", .0.name()
    )]
    WrongReplica(ReplicaId),
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("encryption failed: {0}")]
    Noise(#[from] snow::Error),
}

impl HandshakeError {
    /// Whether somebody has to mend it: the other one runs, or can't be found by its name, and this goes on by itself
    /// for ever.
    pub(crate) fn is_fault(&self) -> bool {
        match self {
            Self::NoSuchHost(_)
            | Self::WrongKey
            | Self::Nonsense
            | Self::WrongGroup { .. }
            | Self::WrongReplica(_)
            | Self::Noise(_) => true,
            Self::Unreachable(_) | Self::Late | Self::Broken(_) => false,
        }
    }
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
    own: &Identity,
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
    own: &Identity,
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

fn finish(state: HandshakeState, own: &Identity, theirs: Identity) -> Result<(Transport, Identity), HandshakeError> {
    if theirs.group != own.group {
        return Err(HandshakeError::WrongGroup { own: own.list.clone(), theirs: theirs.list });
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
