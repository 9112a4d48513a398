//! How messages stand in the decrypted stream between replicas: a length of four bytes, and so much CBOR.

use lastword_core::PeerMessage;
use lastword_core::peer_message::{DecodeError, MESSAGE_BYTES};

/// Why a stream can't be read on: its link is to be closed.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// These bytes are no message.
    #[error("what came is no message between replicas: {0}")]
    Nonsense(#[from] DecodeError),
    /// So many bytes are announced.
    #[error("a message of {0} bytes came, and {MESSAGE_BYTES} are the most")]
    TooLong(usize),
}

/// Takes the whole messages off the front of the decrypted stream.
///
/// # Errors
/// One of them is none, or is too long.
pub fn take_messages(plain: &mut Vec<u8>) -> Result<Vec<PeerMessage>, FrameError> {
    let mut messages = Vec::new();
    let mut taken = 0;
    while let Some((length, rest)) = plain[taken..].split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if length > MESSAGE_BYTES {
            return Err(FrameError::TooLong(length));
        }
        let Some(message) = rest.get(..length) else { break };
        messages.push(PeerMessage::decode(message)?);
        taken += 4 + length;
    }
    plain.drain(..taken);
    Ok(messages)
}

/// Writes a message at the end of the stream.
pub fn write_message(plain: &mut Vec<u8>, message: &PeerMessage) {
    let from = plain.len();
    plain.extend([0; 4]);
    message.encode(plain);
    let length = (plain.len() - from - 4) as u32;
    plain[from..from + 4].copy_from_slice(&length.to_be_bytes());
}
