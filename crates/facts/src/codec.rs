//! How a fact stands on disk and between replicas: CBOR (RFC 8949) with numbered fields.
//!
//! A fact is an array of eight: incarnation, seq, changes, stamp, author, key, kind, body. The body is
//! a byte string with CBOR of its own, so that a program passes on what it does not understand. Fields
//! that a later version adds at the end, of the fact or of a body, are ignored here and kept in the
//! bytes.

use std::sync::Arc;

use minicbor::decode::Error;
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::fact::{Body, Fact, Unknown};
use crate::ids::{AccountId, Incarnation, Key, Position, Seq, Stamp};
use crate::limits;

/// The envelope's fields, before the kind and the body.
const FIELDS: u64 = 8;

mod kind {
    pub const CLAIM: u32 = 1;
    pub const CONFIRM: u32 = 2;
    pub const WITHDRAW: u32 = 3;
    pub const MESSAGE: u32 = 4;
    pub const DELIVERED: u32 = 5;
    pub const SESSION: u32 = 6;
    pub const LOGOUT: u32 = 7;
    pub const PASSWORD: u32 = 8;
    pub const DELETE: u32 = 9;
    pub const LOST: u32 = 10;
    pub const REHASH: u32 = 11;
    pub const USED: u32 = 12;
    pub const BLOCK: u32 = 13;
}

impl Fact {
    /// Reads a fact. A body that can't be read is [`Body::Unknown`]: it is for somebody newer.
    ///
    /// # Errors
    /// The envelope is not one: then these bytes are no fact.
    pub fn decode(bytes: impl Into<Arc<[u8]>>) -> Result<Self, Error> {
        let bytes: Arc<[u8]> = bytes.into();
        if bytes.len() > limits::FACT_BYTES {
            return Err(Error::message("a fact is larger than the limit"));
        }
        let mut decoder = Decoder::new(&bytes);
        let fields = decoder.array()?.ok_or_else(|| Error::message("a fact is an array of known length"))?;
        if fields < FIELDS {
            return Err(Error::message("a fact has at least eight fields"));
        }
        let incarnation = Incarnation(decoder.u64()?);
        let seq = Seq(decoder.u64()?);
        if seq == Seq::NONE {
            return Err(Error::message("facts are numbered from 1"));
        }
        let changes: Vec<Position> = decode_list(&mut decoder)?;
        let stamp = Stamp(decoder.u64()?);
        let author: AccountId = decoder.decode()?;
        let key: Key = decoder.decode()?;
        let kind = decoder.u32()?;
        let body = decode_body(kind, decoder.bytes()?);
        Ok(Self { position: Position { incarnation, seq }, changes, stamp, author, key, body, bytes })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let kind = encode_body(&self.body, &mut body);
        let mut bytes = Vec::with_capacity(body.len() + 80);
        let mut encoder = Encoder::new(&mut bytes);
        let written = (|| {
            encoder
                .array(FIELDS)?
                .u64(self.position.incarnation.0)?
                .u64(self.position.seq.0)?
                .encode(&self.changes)?
                .u64(self.stamp.0)?
                .encode(self.author)?
                .encode(self.key)?
                .u32(kind)?
                .bytes(&body)?
                .ok()
        })();
        written.expect("writing to a vector never fails");
        bytes
    }
}

/// A list of known length, not longer than the bytes that are left can hold.
fn decode_list<'b, T: Decode<'b, ()>>(decoder: &mut Decoder<'b>) -> Result<Vec<T>, Error> {
    let length = decoder.array()?.ok_or_else(|| Error::message("a list has a known length"))?;
    let left = decoder.input().len().saturating_sub(decoder.position());
    if length > left as u64 {
        return Err(Error::message("a list is longer than what holds it"));
    }
    (0..length).map(|_| decoder.decode()).collect()
}

fn encode_body(body: &Body, into: &mut Vec<u8>) -> u32 {
    fn write<T: Encode<()>>(kind: u32, value: &T, into: &mut Vec<u8>) -> u32 {
        minicbor::encode(value, into).expect("writing to a vector never fails");
        kind
    }
    match body {
        Body::Claim(claim) => write(kind::CLAIM, claim, into),
        Body::Confirm(verdict) => write(kind::CONFIRM, verdict, into),
        Body::Withdraw(verdict) => write(kind::WITHDRAW, verdict, into),
        Body::Message(message) => write(kind::MESSAGE, message, into),
        Body::Delivered(delivered) => write(kind::DELIVERED, delivered, into),
        Body::Session(session) => write(kind::SESSION, session, into),
        Body::Logout(logout) => write(kind::LOGOUT, logout, into),
        Body::Password(password) => write(kind::PASSWORD, password, into),
        Body::Delete => kind::DELETE,
        Body::Lost => kind::LOST,
        Body::Rehash(rehash) => write(kind::REHASH, rehash, into),
        Body::Used(used) => write(kind::USED, used, into),
        Body::Block(block) => write(kind::BLOCK, block, into),
        Body::Unknown(unknown) => unknown.kind,
    }
}

fn decode_body(kind: u32, bytes: &[u8]) -> Body {
    fn read<'b, T: Decode<'b, ()>>(bytes: &'b [u8], body: fn(T) -> Body) -> Option<Body> {
        minicbor::decode(bytes).ok().map(body)
    }
    let body = match kind {
        kind::CLAIM => read(bytes, Body::Claim),
        kind::CONFIRM => read(bytes, Body::Confirm),
        kind::WITHDRAW => read(bytes, Body::Withdraw),
        kind::MESSAGE => read(bytes, Body::Message),
        kind::DELIVERED => read(bytes, Body::Delivered),
        kind::SESSION => read(bytes, Body::Session),
        kind::LOGOUT => read(bytes, Body::Logout),
        kind::PASSWORD => read(bytes, Body::Password),
        kind::DELETE => Some(Body::Delete),
        kind::LOST => Some(Body::Lost),
        kind::REHASH => read(bytes, Body::Rehash),
        kind::USED => read(bytes, Body::Used),
        kind::BLOCK => read(bytes, Body::Block),
        _ => None,
    };
    body.unwrap_or(Body::Unknown(Unknown { kind }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fact::{Block, Claim, Delivered, Logout, Message, Password, Rehash, Session, Used, Verdict};
    use crate::ids::Order;
    use crate::token::TokenHash;

    fn bodies() -> Vec<Body> {
        let position = Position { incarnation: Incarnation(u64::MAX), seq: Seq(9) };
        let order = Order { stamp: Stamp(8), incarnation: Incarnation(7) };
        let token = TokenHash([3; 32]);
        vec![
            Body::Claim(Claim { name: "alice".into(), password: "$argon2id$".into(), at_ms: 1 }),
            Body::Confirm(Verdict { claim: position, name: "alice".into() }),
            Body::Withdraw(Verdict { claim: position, name: "alice".into() }),
            Body::Message(Message { to: AccountId(5), text: "hi 😀".into(), at_ms: u64::MAX, unwanted: None }),
            Body::Message(Message { to: AccountId(5), text: "hi".into(), at_ms: 1, unwanted: Some(true) }),
            Body::Block(Block { whom: AccountId(5), on: true }),
            Body::Delivered(Delivered { upto: vec![position] }),
            Body::Session(Session { token, password: Some(order), at_ms: Some(1) }),
            Body::Session(Session { token, password: None, at_ms: None }),
            Body::Logout(Logout { token }),
            Body::Password(Password { password: "$argon2id$".into(), keep: None, replaces: None, known: None }),
            Body::Password(Password {
                password: "$argon2id$".into(),
                keep: Some(token),
                replaces: Some(order),
                known: Some(3),
            }),
            Body::Delete,
            Body::Lost,
            Body::Rehash(Rehash { password: "$argon2id$".into(), of: order }),
            Body::Used(Used { token, at_ms: u64::MAX }),
        ]
    }

    fn fact(body: Body) -> Fact {
        let position = Position { incarnation: Incarnation(1), seq: Seq(2) };
        let changes = vec![Position { incarnation: Incarnation(3), seq: Seq(4) }];
        Fact::new(position, changes, Stamp(5), AccountId(6), Key(7), body)
    }

    #[test]
    fn every_kind_is_read_back_as_it_was_written() {
        for body in bodies() {
            let fact = fact(body);
            assert_eq!(Fact::decode(fact.bytes().clone()).unwrap(), fact);
        }
    }

    /// What a newer version adds is ignored, and its bytes are passed on untouched.
    #[test]
    fn a_newer_fact_keeps_its_bytes() {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes);
        encoder.array(9).unwrap().u64(1).unwrap().u64(2).unwrap().array(0).unwrap().u64(5).unwrap();
        encoder.encode(AccountId(6)).unwrap().encode(Key(7)).unwrap();
        encoder.u32(77).unwrap().bytes(b"whatever").unwrap().str("a ninth field").unwrap();
        let fact = Fact::decode(bytes.clone()).unwrap();
        assert_eq!(fact.body, Body::Unknown(Unknown { kind: 77 }));
        assert_eq!(fact.bytes()[..], bytes[..]);
    }

    #[test]
    fn a_known_kind_with_a_newer_field_is_understood() {
        let mut body = Vec::new();
        let mut encoder = Encoder::new(&mut body);
        encoder.array(5).unwrap().encode(AccountId(5)).unwrap().str("hi").unwrap().u64(1).unwrap();
        encoder.bool(true).unwrap().str("newer").unwrap();
        assert!(matches!(decode_body(kind::MESSAGE, &body), Body::Message(message) if message.unwanted == Some(true)));
    }

    /// As older versions wrote them, and as they are written still where nobody is blocked.
    #[test]
    fn a_message_of_before_is_for_its_receiver() {
        let mut body = Vec::new();
        Encoder::new(&mut body).array(3).unwrap().encode(AccountId(5)).unwrap().str("hi").unwrap().u64(1).unwrap();
        let message = Message { to: AccountId(5), text: "hi".into(), at_ms: 1, unwanted: None };
        assert_eq!(decode_body(kind::MESSAGE, &body), Body::Message(message.clone()));
        let mut written = Vec::new();
        encode_body(&Body::Message(message), &mut written);
        assert_eq!(written, body);
    }

    /// As older versions wrote them, without a time.
    #[test]
    fn a_session_of_before_is_understood() {
        let token = TokenHash([3; 32]);
        let mut body = Vec::new();
        Encoder::new(&mut body).array(2).unwrap().encode(token).unwrap().null().unwrap();
        let session = Session { token, password: None, at_ms: None };
        assert_eq!(decode_body(kind::SESSION, &body), Body::Session(session));
    }

    /// As older versions wrote them: they don't say what they replace.
    #[test]
    fn a_password_of_before_is_understood() {
        let mut body = Vec::new();
        Encoder::new(&mut body).array(2).unwrap().str("$argon2id$").unwrap().null().unwrap();
        let password = Password { password: "$argon2id$".into(), keep: None, replaces: None, known: None };
        assert_eq!(decode_body(kind::PASSWORD, &body), Body::Password(password));
    }

    #[test]
    fn a_list_that_claims_to_be_endless_is_no_fact() {
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes).array(8).unwrap().u64(1).unwrap().u64(2).unwrap().array(u64::MAX).unwrap();
        assert!(Fact::decode(bytes).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            let _ = Fact::decode(bytes);
        }

        #[test]
        fn no_damage_makes_reading_panic(kind in 0..10usize, at: prop::sample::Index, to: u8) {
            let mut bytes = fact(bodies()[kind].clone()).bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(fact) = Fact::decode(bytes) {
                let _ = fact.impossible();
            }
        }
    }
}
