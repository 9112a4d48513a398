//! Where in a client's frames the bytes end that were read so far (RFC 6455, 5.2): pure, and it changes nothing.

/// The longest head of a frame: two bytes, a length of eight, a mask of four.
const HEAD_BYTES: usize = 14;
/// Of the first byte of a head.
const FIN: u8 = 0x80;
const OPCODE: u8 = 0x0f;
/// Of the second one.
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;

/// What was read of frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// A head that is not whole yet.
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    /// Of the last frame's payload, still to come.
    payload_bytes: u64,
    /// The last frame of data was not its message's last one.
    goes_on: bool,
}

impl Frames {
    /// These bytes were read.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.payload_bytes > 0 {
                let taken = bytes.len().min(usize::try_from(self.payload_bytes).unwrap_or(usize::MAX));
                self.payload_bytes -= taken as u64;
                bytes = &bytes[taken..];
                continue;
            }
            self.head[self.head_bytes] = first;
            self.head_bytes += 1;
            bytes = rest;
            if let Some(payload_bytes) = self.payload_of_head() {
                let is_data = self.head[0] & OPCODE < 8;
                self.goes_on = if is_data { self.head[0] & FIN == 0 } else { self.goes_on };
                (self.head_bytes, self.payload_bytes) = (0, payload_bytes);
            }
        }
    }

    /// Whether all that was read are whole frames of whole messages.
    pub(super) fn are_whole(&self) -> bool {
        self.head_bytes == 0 && self.payload_bytes == 0 && !self.goes_on
    }

    /// How long the payload is, once the head is whole.
    fn payload_of_head(&self) -> Option<u64> {
        let head = &self.head[..self.head_bytes];
        let second = *head.get(1)?;
        let (length_bytes, short) = match second & LENGTH {
            126 => (2, None),
            127 => (8, None),
            short => (0, Some(u64::from(short))),
        };
        let mask_bytes = if second & MASKED == 0 { 0 } else { 4 };
        if head.len() < 2 + length_bytes + mask_bytes {
            return None;
        }
        let length = head[2..2 + length_bytes].iter().fold(0, |length, &byte| length << 8 | u64::from(byte));
        Some(short.unwrap_or(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match length {
            0..126 => frame.push(MASKED | length as u8),
            126..65_536 => frame.extend([&[MASKED | 126][..], &(length as u16).to_be_bytes()].concat()),
            _ => frame.extend([&[MASKED | 127][..], &(length as u64).to_be_bytes()].concat()),
        }
        frame.extend([1, 2, 3, 4]);
        frame.extend(std::iter::repeat_n(0x7f, length));
        frame
    }

    #[test]
    fn the_end_of_a_message_is_found_in_whatever_pieces_it_comes() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            let bytes = frame(0x81, length);
            for piece in [1, 2, 3, 7, 4096, usize::MAX] {
                let mut frames = Frames::default();
                let (last, pieces) = {
                    let mut pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
                    (pieces.pop().expect("some"), pieces)
                };
                for piece in pieces {
                    frames.read(piece);
                    assert!(!frames.are_whole(), "{length}");
                }
                frames.read(last);
                assert!(frames.are_whole(), "{length}");
            }
        }
    }

    #[test]
    fn a_message_in_several_frames_is_whole_with_the_last() {
        let mut frames = Frames::default();
        for (first, whole) in [(0x01, false), (0x89, false), (0x00, false), (0x80, true), (0x89, true), (0x82, true)] {
            frames.read(&frame(first, 10));
            assert_eq!(frames.are_whole(), whole, "{first:x}");
        }
    }
}
