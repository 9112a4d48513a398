//! The logs of stopped replicas: the same facts in all, each record whole.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// What a log holds.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    facts: u64,
    /// Over all facts, by their positions.
    digest: u64,
}

/// What is wrong with these, by replica.
pub fn judge(data: &[(&str, &Path)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut first: Option<(&str, Contents)> = None;
    for (name, path) in data {
        match read(path) {
            Err(error) => wrong.push(format!("log.db of {name} can't be read: {error}")),
            Ok((contents, damaged)) => {
                if damaged > 0 {
                    wrong.push(format!("log.db of {name} has {damaged} damaged records"));
                }
                match &first {
                    Some((other, others)) if *others != contents => {
                        wrong.push(format!("log.db of {name} has {contents:?}, and that of {other} {others:?}"));
                    }
                    Some(_) => {}
                    None => first = Some((name, contents)),
                }
            }
        }
    }
    wrong
}

fn read(data: &Path) -> rusqlite::Result<(Contents, u64)> {
    let log = Connection::open_with_flags(data.join("log.db"), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut query = log.prepare("SELECT place, incarnation, seq, checksum, fact FROM log")?;
    let mut rows = query.query([])?;
    let (mut facts, mut damaged) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let [place, incarnation, seq]: [i64; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
        let fact: Vec<u8> = row.get(4)?;
        // An incarnation stands with its sign bit turned, so that the order is kept.
        let by_columns = [incarnation ^ i64::MIN, seq].map(|number| number as u64);
        // A fact names its position itself: where only the columns are damaged, that tells.
        let position = own_position(&fact).unwrap_or(by_columns);
        let checksum = |bytes: &[u8]| {
            let mut checksum = Crc::default();
            for number in [place as u64, position[0], position[1]] {
                checksum.add(&number.to_be_bytes());
            }
            checksum.add(bytes);
            i64::from(checksum.value())
        };
        damaged += u64::from(row.get::<_, i64>(3)? != checksum(&fact));
        facts.push((position, fact));
    }
    facts.sort_unstable();
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for ([incarnation, seq], fact) in &facts {
        for byte in incarnation.to_be_bytes().iter().chain(&seq.to_be_bytes()).chain(fact) {
            digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    Ok((Contents { facts: facts.len() as u64, digest }, damaged))
}

/// The first two numbers of a fact, which is an array of CBOR: its incarnation and its seq.
fn own_position(fact: &[u8]) -> Option<[u64; 2]> {
    let (head, rest) = fact.split_first()?;
    if !(0x82..=0x97).contains(head) {
        return None;
    }
    let (incarnation, rest) = number(rest)?;
    let (seq, _) = number(rest)?;
    Some([incarnation, seq])
}

/// An unsigned number of CBOR (RFC 8949, 3.1), and what follows it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first()?;
    let length = match head {
        0..=23 => return Some((u64::from(*head), rest)),
        24..=27 => 1 << (head - 24),
        _ => return None,
    };
    let (number, rest) = rest.split_at_checked(length)?;
    Some((number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)), rest))
}

/// CRC-32, by the book: what the store writes is checked by other code than what wrote it.
struct Crc(u32);

impl Default for Crc {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Crc {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u32::from(*byte);
            for _ in 0..8 {
                self.0 = (self.0 >> 1) ^ (0xedb8_8320 & (self.0 & 1).wrapping_neg());
            }
        }
    }

    fn value(&self) -> u32 {
        !self.0
    }
}
