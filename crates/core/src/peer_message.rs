//! What replicas say to each other, and how it stands on the wire (CBOR).
//!
//! Each message is an array whose first element is the number of its kind. A kind that is not known is
//! read as [`PeerMessage::Unknown`] and ignored: it comes from a newer version.

use std::sync::Arc;

use lastword_facts::ids::{AccountId, Incarnation, Order, Position, Seq};
use lastword_facts::{Fact, VersionVector};
use minicbor::decode::Error;
use minicbor::{Decode, Decoder, Encode, Encoder};

/// Why bytes are no message.
pub use minicbor::decode::Error as DecodeError;

/// The version of what replicas say to each other.
pub const PEER_VERSION: u32 = 1;

/// The largest message between replicas, in bytes as encoded.
pub const MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// What replicas say to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerMessage {
    /// The first thing that each side says.
    Hello(Hello),
    /// Facts that the sender made, in their order: pushed as soon as they are made.
    Push(Vec<Arc<Fact>>),
    /// What has become durable at the sender since it last said so.
    Confirm(Vec<Position>),
    /// Asks for facts of one incarnation.
    Pull(Pull),
    /// The answer to a pull: facts from there on, without a gap, as many as fit. None: it can't now.
    Pulled(Pull, Vec<Arc<Fact>>),
    /// Asks for all that the other has received about rivals of a claim.
    Ask(Ask),
    /// The answer.
    Verdict(Verdict),
    /// Asks for a sign of life, and tells what the sender's wall clock shows, in microseconds since 1970. (Older
    /// versions don't.)
    Ping(u64, Option<u64>),
    /// The sign of life, with the number of the ping.
    Pong(u64),
    /// Who listens at the sender, and who does not any more. Not stored anywhere.
    Presence(Presence),
    /// What was asked for is not at the sender, nor on its way to its disk.
    Missing(Position),
    /// The sender was stale when it said hello, and is not any more: it has told what it has before this.
    CaughtUp,
    /// Something newer.
    Unknown(u32),
}

/// The first thing that each side says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// [`PEER_VERSION`] of the sender.
    pub version: u32,
    /// A hash of the group's list: both sides must have the same.
    pub group: u64,
    /// Under which incarnation the sender writes.
    pub incarnation: Incarnation,
    /// What is durable at the sender.
    pub vector: VersionVector,
    /// The sender may lack what other replicas have ([`crate::io::Health::stale`]). Older versions don't say: they may.
    pub stale: bool,
}

/// Who has begun and who has ceased to listen, since the sender last said so on this link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Presence {
    /// Listen now.
    #[n(0)]
    pub online: Vec<AccountId>,
    /// Don't any more.
    #[n(1)]
    pub offline: Vec<AccountId>,
}

/// Asks for facts of one incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Pull {
    /// From this one on.
    #[n(0)]
    pub from: Position,
    /// Up to and with this one.
    #[n(1)]
    pub upto: Seq,
}

/// Asks for all that the other has received about rivals of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Ask {
    /// The claim.
    #[n(0)]
    pub claim: Position,
    /// Its place in the order of display.
    #[n(1)]
    pub order: Order,
    /// Whose it is.
    #[n(2)]
    pub account: AccountId,
    /// The name claimed.
    #[n(3)]
    pub name: String,
    /// Its confirm fact is made: this is the second look.
    #[n(4)]
    pub confirming: bool,
}

/// All that a replica has received about rivals of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Verdict {
    /// The claim that was asked about.
    #[n(0)]
    pub claim: Position,
    /// At which look.
    #[n(1)]
    pub confirming: bool,
    /// The claims of others on the same name.
    #[n(2)]
    pub rivals: Vec<Rival>,
}

/// A claim of somebody else on the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Rival {
    /// Where it was written.
    #[n(0)]
    pub claim: Position,
    /// Its place in the order of display.
    #[n(1)]
    pub order: Order,
    /// Whose it is.
    #[n(2)]
    pub account: AccountId,
    /// It was confirmed, as far as its teller has heard.
    #[n(3)]
    pub confirmed: bool,
    /// It was withdrawn, as far as its teller has heard.
    #[n(4)]
    pub withdrawn: bool,
}

mod kind {
    pub const HELLO: u32 = 1;
    pub const PUSH: u32 = 2;
    pub const CONFIRM: u32 = 3;
    pub const PULL: u32 = 4;
    pub const PULLED: u32 = 5;
    pub const ASK: u32 = 6;
    pub const VERDICT: u32 = 7;
    pub const PING: u32 = 8;
    pub const PONG: u32 = 9;
    pub const PRESENCE: u32 = 10;
    pub const MISSING: u32 = 11;
    pub const CAUGHT_UP: u32 = 12;
}

impl PeerMessage {
    /// Writes the message at the end of `into`.
    pub fn encode(&self, into: &mut Vec<u8>) {
        self.write(&mut Encoder::new(into)).expect("writing to a vector never fails");
    }

    fn write(
        &self,
        encoder: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        match self {
            Self::Hello(hello) => {
                encoder.array(6)?.u32(kind::HELLO)?.u32(hello.version)?.u64(hello.group)?.u64(hello.incarnation.0)?;
                encoder.array(hello.vector.len() as u64)?;
                for position in hello.vector.iter() {
                    encoder.encode(position)?;
                }
                encoder.bool(hello.stale)?.ok()
            }
            Self::Push(facts) => {
                encoder.array(2)?.u32(kind::PUSH)?;
                write_facts(encoder, facts)
            }
            Self::Confirm(changes) => encoder.array(2)?.u32(kind::CONFIRM)?.encode(changes)?.ok(),
            Self::Pull(pull) => encoder.array(2)?.u32(kind::PULL)?.encode(pull)?.ok(),
            Self::Pulled(pull, facts) => {
                encoder.array(3)?.u32(kind::PULLED)?.encode(pull)?;
                write_facts(encoder, facts)
            }
            Self::Ask(ask) => encoder.array(2)?.u32(kind::ASK)?.encode(ask)?.ok(),
            Self::Verdict(verdict) => encoder.array(2)?.u32(kind::VERDICT)?.encode(verdict)?.ok(),
            Self::Ping(number, None) => encoder.array(2)?.u32(kind::PING)?.u64(*number)?.ok(),
            Self::Ping(number, Some(wall_us)) => encoder.array(3)?.u32(kind::PING)?.u64(*number)?.u64(*wall_us)?.ok(),
            Self::Pong(number) => encoder.array(2)?.u32(kind::PONG)?.u64(*number)?.ok(),
            Self::Presence(presence) => encoder.array(2)?.u32(kind::PRESENCE)?.encode(presence)?.ok(),
            Self::Missing(position) => encoder.array(2)?.u32(kind::MISSING)?.encode(position)?.ok(),
            Self::CaughtUp => encoder.array(1)?.u32(kind::CAUGHT_UP)?.ok(),
            Self::Unknown(kind) => encoder.array(1)?.u32(*kind)?.ok(),
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// These bytes are no message: the connection they came on is to be closed.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        let fields = decoder.array()?.ok_or_else(|| Error::message("a message is an array of known length"))?;
        if fields == 0 {
            return Err(Error::message("a message begins with its kind"));
        }
        Ok(match decoder.u32()? {
            kind::HELLO => Self::Hello(Hello {
                version: decoder.u32()?,
                group: decoder.u64()?,
                incarnation: Incarnation(decoder.u64()?),
                vector: read_list(&mut decoder, |decoder| decoder.decode::<Position>())?.into_iter().collect(),
                stale: if fields > 5 { decoder.bool()? } else { true },
            }),
            kind::PUSH => Self::Push(read_list(&mut decoder, read_fact)?),
            kind::CONFIRM => Self::Confirm(read_list(&mut decoder, |decoder| decoder.decode())?),
            kind::PULL => Self::Pull(decoder.decode()?),
            kind::PULLED => {
                let pull = decoder.decode()?;
                Self::Pulled(pull, read_list(&mut decoder, read_fact)?)
            }
            kind::ASK => Self::Ask(decoder.decode()?),
            kind::VERDICT => Self::Verdict(decoder.decode()?),
            kind::PING => {
                let number = decoder.u64()?;
                Self::Ping(number, if fields > 2 { Some(decoder.u64()?) } else { None })
            }
            kind::PONG => Self::Pong(decoder.u64()?),
            kind::PRESENCE => Self::Presence(decoder.decode()?),
            kind::MISSING => Self::Missing(decoder.decode()?),
            kind::CAUGHT_UP => Self::CaughtUp,
            unknown => Self::Unknown(unknown),
        })
    }
}

fn write_facts(
    encoder: &mut Encoder<&mut Vec<u8>>,
    facts: &[Arc<Fact>],
) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
    encoder.array(facts.len() as u64)?;
    for fact in facts {
        encoder.bytes(fact.bytes())?;
    }
    encoder.ok()
}

fn read_fact(decoder: &mut Decoder) -> Result<Arc<Fact>, Error> {
    Fact::decode(decoder.bytes()?).map(Arc::new)
}

/// A list of known length. Grows with what is really there, not with what is claimed.
fn read_list<'b, T>(
    decoder: &mut Decoder<'b>,
    mut read: impl FnMut(&mut Decoder<'b>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let length = decoder.array()?.ok_or_else(|| Error::message("a list has a known length"))?;
    (0..length).map(|_| read(decoder)).collect()
}

#[cfg(test)]
mod tests {
    use lastword_facts::Body;
    use lastword_facts::ids::{Key, Stamp};

    use super::*;

    #[test]
    fn every_message_is_read_back_as_it_was_written() {
        let position = Position { incarnation: Incarnation(u64::MAX), seq: Seq(9) };
        let order = Order { stamp: Stamp(8), incarnation: Incarnation(7) };
        let fact = Arc::new(Fact::new(position, vec![], Stamp(5), AccountId(6), Key(7), Body::Delete));
        let pull = Pull { from: position, upto: Seq(12) };
        let rival = Rival { claim: position, order, account: AccountId(1), confirmed: true, withdrawn: false };
        let messages = [
            PeerMessage::Hello(Hello {
                version: 1,
                group: u64::MAX,
                incarnation: Incarnation(3),
                vector: [position].into_iter().collect(),
                stale: false,
            }),
            PeerMessage::Push(vec![fact.clone(), fact.clone()]),
            PeerMessage::Confirm(vec![position]),
            PeerMessage::Pull(pull),
            PeerMessage::Pulled(pull, vec![fact]),
            PeerMessage::Ask(Ask {
                claim: position,
                order,
                account: AccountId(1),
                name: "alice".into(),
                confirming: true,
            }),
            PeerMessage::Verdict(Verdict { claim: position, confirming: false, rivals: vec![rival] }),
            PeerMessage::Ping(3, Some(u64::MAX)),
            PeerMessage::Ping(3, None),
            PeerMessage::Pong(4),
            PeerMessage::Presence(Presence { online: vec![AccountId(1)], offline: vec![AccountId(2)] }),
            PeerMessage::Missing(position),
            PeerMessage::CaughtUp,
            PeerMessage::Unknown(99),
        ];
        for message in messages {
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            assert_eq!(PeerMessage::decode(&bytes).unwrap(), message);
        }
    }

    /// A hello as versions wrote it that did not say whether they are stale.
    #[test]
    fn who_does_not_say_may_be_stale() {
        let hello = |stale| {
            let (group, incarnation, vector) = (7, Incarnation(3), VersionVector::new());
            PeerMessage::Hello(Hello { version: 1, group, incarnation, vector, stale })
        };
        let mut bytes = Vec::new();
        hello(false).encode(&mut bytes);
        bytes.pop();
        bytes[0] -= 1;
        assert_eq!(PeerMessage::decode(&bytes).unwrap(), hello(true));
    }
}
