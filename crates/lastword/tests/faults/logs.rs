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
    let mut query = log.prepare("SELECT place, incarnation, seq, checksum, fact FROM log ORDER BY incarnation, seq")?;
    let mut rows = query.query([])?;
    let (mut facts, mut digest, mut damaged) = (0, 0xcbf2_9ce4_8422_2325_u64, 0);
    while let Some(row) = rows.next()? {
        let [place, incarnation, seq]: [i64; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
        let fact: Vec<u8> = row.get(4)?;
        let mut checksum = Crc::default();
        // An incarnation stands with its sign bit turned, so that the order is kept.
        for number in [place, incarnation ^ i64::MIN, seq] {
            checksum.add(&number.to_be_bytes());
        }
        checksum.add(&fact);
        damaged += u64::from(row.get::<_, i64>(3)? != i64::from(checksum.value()));
        for byte in incarnation.to_be_bytes().iter().chain(&seq.to_be_bytes()).chain(&fact) {
            digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        facts += 1;
    }
    Ok((Contents { facts, digest }, damaged))
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
