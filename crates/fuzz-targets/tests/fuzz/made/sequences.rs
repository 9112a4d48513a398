//! Sequences of requests: any bytes are one, and these begin with what makes most of the others mean something.

use crate::chance::Chance;

/// Listening, messages to and fro, blocks, and then anything.
pub fn of_one(chance: &mut Chance) -> Vec<u8> {
    let mut input = vec![18];
    // The second connection is now and then bob's, who writes to alice.
    let bob_writes = chance.once_in(3);
    if bob_writes {
        input.extend([0x83, 150, 0]);
    }
    for _ in 0..chance.below(20) {
        // A message to bob or to oneself, short or not; now and then a confirm, and some time.
        let length = chance.below(12) as u8;
        input.extend([11, 0, chance.below(200) as u8, length, chance.below(256) as u8]);
        if bob_writes {
            input.extend([0x8b, 0, 0, length, chance.below(256) as u8]);
        }
        if chance.once_in(4) {
            // Alice blocks bob, or does so no more, and asks whom she blocks.
            input.extend([24, 0, 150, chance.below(2) as u8, chance.below(256) as u8, 26, chance.below(5) as u8, 0]);
        }
        if chance.once_in(4) {
            input.extend([20, 1, chance.below(256) as u8, chance.below(40) as u8, 0x1e]);
        }
    }
    input.extend((0..chance.below(400)).map(|_| chance.number() as u8));
    input
}
