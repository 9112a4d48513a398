//! From when until when a certificate is valid: read from its DER (X.690), since nothing else here tells it.
//!
//! ```text
//! Certificate ::= SEQUENCE { SEQUENCE { [0] version?, serial, algorithm, issuer, SEQUENCE { from, until }, … }, … }
//! ```
//! `rustls` has checked the certificate before. What can't be read is not known, and no more.

use lastword_protocol::date::{day_of, start_of_day};

const SEQUENCE: u8 = 0x30;
/// The version, which certificates of the first one leave out.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A certificate that ends so soon is worth a warning, in seconds: who renews them by a program has long done so.
const SOON: i64 = 14 * 24 * 3600;

/// From when until when something is valid, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Validity {
    /// Of a certificate in DER.
    pub(crate) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = inside(SEQUENCE, certificate)?;
        let (mut rest, _) = inside(SEQUENCE, certificate)?;
        if let Some((_, behind)) = inside(VERSION, rest) {
            rest = behind;
        }
        // The serial number, the algorithm and the issuer.
        for _ in 0..3 {
            (_, _, rest) = element(rest)?;
        }
        let (validity, _) = inside(SEQUENCE, rest)?;
        let (tag, from, rest) = element(validity)?;
        let from = seconds(tag, from)?;
        let (tag, until, _) = element(rest)?;
        Some(Self { from, until: seconds(tag, until)? })
    }

    /// Of a whole chain: while all of its certificates are valid. `None` if one can't be read, or there is none.
    pub(crate) fn of_all<'a>(chain: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let all: Vec<Self> = chain.map(Self::of).collect::<Option<_>>()?;
        let from = all.iter().map(|one| one.from).max()?;
        Some(Self { from, until: all.iter().map(|one| one.until).min()? })
    }

    /// What is to be said of it at this moment, if anything is.
    pub(crate) fn warning(&self, now: i64) -> Option<String> {
        let (from, until) = (day_of(self.from), day_of(self.until));
        if now > self.until {
            Some(format!("it expired on {until}, and clients refuse it"))
        } else if now < self.from {
            Some(format!(
                "it is not valid before {from}, and clients refuse it until then (is this machine's clock right?)"
            ))
        } else if self.until - now < SOON {
            Some(format!("it ends on {until}, and clients refuse it from then on"))
        } else {
            None
        }
    }
}

/// The first element: its tag, what is in it, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        // No certificate is larger than four gigabytes.
        let digits: [u8; 4] = match *digits {
            [a] => [0, 0, 0, a],
            [a, b] => [0, 0, a, b],
            [a, b, c] => [0, a, b, c],
            [a, b, c, d] => [a, b, c, d],
            _ => return None,
        };
        (u32::from_be_bytes(digits) as usize, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// What is in the first element, if it has this tag, and what follows it.
fn inside(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|&(found, ..)| found == tag).map(|(_, content, rest)| (content, rest))
}

/// A time as RFC 5280 has it: `YYMMDDHHMMSSZ` of 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
fn seconds(tag: u8, time: &[u8]) -> Option<i64> {
    let digits = time.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let number = |digits: &[u8]| digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let year = number(&digits[..2]);
            (year + if year < 50 { 2000 } else { 1900 }, &digits[2..])
        }
        (GENERALIZED_TIME, 14) => (number(&digits[..4]), &digits[4..]),
        _ => return None,
    };
    let two = |n: usize| number(&rest[2 * n..2 * n + 2]);
    Some(start_of_day(year, two(0), two(1)) + two(2) * 3600 + two(3) * 60 + two(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        match content.len() {
            short @ 0..0x80 => bytes.push(short as u8),
            long => bytes.extend([0x82, (long >> 8) as u8, long as u8]),
        }
        bytes.extend(content);
        bytes
    }

    /// As far as it is read. `issuer` bytes make it long.
    fn certificate(version: bool, issuer: usize, times: [(u8, &str); 2]) -> Vec<u8> {
        let mut signed = if version { of(VERSION, &[2, 1, 2]) } else { Vec::new() };
        signed.extend([of(2, &[7; 20]), of(SEQUENCE, &[6, 0]), of(SEQUENCE, &vec![0; issuer])].concat());
        let times: Vec<u8> = times.iter().flat_map(|(tag, time)| of(*tag, time.as_bytes())).collect();
        signed.extend(of(SEQUENCE, &times));
        of(SEQUENCE, &[of(SEQUENCE, &signed), of(SEQUENCE, &[])].concat())
    }

    const TIMES: [(u8, &str); 2] = [(UTC_TIME, "700101000001Z"), (GENERALIZED_TIME, "20500101000000Z")];
    const EXPECTED: Validity = Validity { from: 1, until: 2_524_608_000 };

    #[test]
    fn both_forms_of_a_time_are_read_with_a_version_and_without() {
        for (version, issuer) in [(true, 10), (false, 10), (true, 300)] {
            assert_eq!(Validity::of(&certificate(version, issuer, TIMES)), Some(EXPECTED));
        }
        let shorter = certificate(true, 10, [(UTC_TIME, "491231235959Z"), (UTC_TIME, "491231235959Z")]);
        let chain = [certificate(true, 10, TIMES), shorter];
        let of_all = Validity::of_all(chain.iter().map(Vec::as_slice));
        assert_eq!(of_all, Some(Validity { from: 2_524_607_999, until: 2_524_607_999 }));
        assert_eq!(Validity::of_all(std::iter::empty()), None);
    }

    /// Whatever is cut off, or changed, nothing panics.
    #[test]
    fn what_is_no_certificate_is_not_known() {
        let whole = certificate(true, 300, TIMES);
        for end in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..end]), None);
        }
        for place in 0..whole.len() {
            for value in [0, 0x7f, 0x80, 0x81, 0x84, 0x85, 0xff] {
                let mut changed = whole.clone();
                changed[place] = value;
                // Only that it returns.
                let _ = Validity::of(&changed);
            }
        }
        for time in ["", "Z", "2050010100000Z", "20500101000000", "205001010000x0Z"] {
            assert_eq!(seconds(GENERALIZED_TIME, time.as_bytes()), None, "{time}");
        }
    }

    #[test]
    fn a_certificate_is_warned_of_when_it_is_of_no_use_or_soon_will_be() {
        let validity = Validity { from: 1_000_000, until: 1_000_000 + 2 * SOON };
        let said = |now: i64| validity.warning(now).unwrap_or_default();
        assert!(said(999_999).contains("not valid before 1970-01-12"), "{}", said(999_999));
        assert_eq!((said(1_000_000), said(1_000_000 + SOON)), (String::new(), String::new()));
        assert!(said(1_000_001 + SOON).contains("ends on 1970-02-09"), "{}", said(1_000_001 + SOON));
        assert!(said(1_000_001 + 2 * SOON).contains("expired on 1970-02-09"));
    }
}
