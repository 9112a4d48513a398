//! What a run did, as one number: the proof that a change of the code changes nothing that it does.
//!
//! It covers, in the order in which they happen, what is stored, what is said over links, what is applied to the views,
//! and what people's clients are told. Left out are the texts of errors, which people may word in another way, and the
//! names of types and fields: only values and encodings count. (SipHash-1-3, as it is quick and good enough: nobody
//! tries to deceive it.)

use std::hash::Hasher as _;
use std::sync::Arc;

use lastword_facts::Fact;
use lastword_facts::ids::Position;
use lastword_facts::views::{Applied, Change};
use siphasher::sip::SipHasher13;

/// Adds up what a run does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Digest(SipHasher13);

/// Kinds of what is added.
#[derive(Clone, Copy)]
enum Kind {
    Stored,
    Said,
    Applied,
    Told,
}

impl Digest {
    /// Of the run of a seed: those of two seeds that do the same differ, too.
    pub(crate) fn of(seed: u64) -> Self {
        let mut digest = Self::default();
        digest.0.write_u64(seed);
        digest
    }

    /// The sum of all until now.
    pub(crate) fn sum(&self) -> u64 {
        self.0.finish()
    }

    fn add(&mut self, kind: Kind, who: u64, bytes: &[u8]) {
        self.0.write_u8(kind as u8);
        self.0.write_u64(who);
        self.0.write_usize(bytes.len());
        self.0.write(bytes);
    }

    /// A replica hands facts to its disk.
    pub(crate) fn stored(&mut self, node: usize, facts: &[Arc<Fact>]) {
        facts.iter().for_each(|fact| self.add(Kind::Stored, node as u64, fact.bytes()));
    }

    /// A replica says something to another one.
    pub(crate) fn said(&mut self, from: usize, to: usize, message: &[u8]) {
        self.add(Kind::Said, (from as u64) << 32 | to as u64, message);
    }

    /// A replica tells its views what a fact changes.
    pub(crate) fn applied(&mut self, node: usize, Applied { index, position, stamp, change }: &Applied) {
        let mut bytes = Vec::new();
        for number in [index.0, position.incarnation.0, position.seq.0, stamp.0] {
            bytes.extend(number.to_be_bytes());
        }
        let write = |bytes: &mut Vec<u8>, positions: &[Position]| {
            for position in positions {
                bytes.extend(position.incarnation.0.to_be_bytes());
                bytes.extend(position.seq.0.to_be_bytes());
            }
        };
        match change {
            Change::None => bytes.push(0),
            Change::Unreadable(position) => {
                bytes.push(1);
                write(&mut bytes, &[*position]);
            }
            Change::Account(record) => {
                bytes.push(2);
                encode(record, &mut bytes);
            }
            Change::Message(fact) => {
                bytes.push(3);
                bytes.extend_from_slice(fact.bytes());
            }
            Change::Block(record) => {
                bytes.push(4);
                encode(record, &mut bytes);
            }
            Change::Delivered { account, upto } => {
                bytes.push(5);
                bytes.extend(account.0.to_be_bytes());
                write(&mut bytes, upto);
            }
            Change::Deleted(record) => {
                bytes.push(6);
                encode(record, &mut bytes);
            }
        }
        self.add(Kind::Applied, node as u64, &bytes);
    }

    /// A replica tells a client something: a line.
    pub(crate) fn told(&mut self, connection: u64, line: &[u8]) {
        self.add(Kind::Told, connection, &without_text_of_error(line));
    }
}

fn encode(record: &impl minicbor::Encode<()>, bytes: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = minicbor::encode(record, bytes);
}

/// A line of the client protocol, without the words of an error in it.
fn without_text_of_error(line: &[u8]) -> Vec<u8> {
    let Ok(mut answer) = serde_json::from_slice::<serde_json::Value>(line) else { return line.to_owned() };
    match answer.get_mut("error").and_then(serde_json::Value::as_object_mut) {
        Some(error) => {
            error.remove("text");
            answer.to_string().into_bytes()
        }
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_an_error_do_not_count_and_all_else_does() {
        let sum = |line: &str| {
            let mut digest = Digest::default();
            digest.told(7, line.as_bytes());
            digest.sum()
        };
        let error = |code: &str, text: &str| sum(&format!(r#"{{"id":1,"error":{{"code":"{code}","text":"{text}"}}}}"#));
        assert_eq!(error("too_long", "a"), error("too_long", "b"));
        assert_ne!(error("too_long", "a"), error("too_many", "a"));
        assert_ne!(sum(r#"{"event":"message","text":"a"}"#), sum(r#"{"event":"message","text":"b"}"#));
    }

    #[test]
    fn order_and_length_count() {
        let sum = |messages: &[&[u8]]| {
            let mut digest = Digest::default();
            messages.iter().for_each(|message| digest.said(0, 1, message));
            digest.sum()
        };
        assert_ne!(sum(&[b"a", b"b"]), sum(&[b"b", b"a"]));
        assert_ne!(sum(&[b"ab"]), sum(&[b"a", b"b"]));
    }
}
