//! Sequences of requests: any bytes are one, and these begin with what makes most of the others mean something.

use crate::chance::Chance;

/// Listening, messages to and fro, and then anything.
pub fn of_one(chance: &mut Chance) -> Vec<u8> {
    let mut input = vec![18];
    for _ in 0..chance.below(20) {
        // A message to bob or to oneself, short or not; now and then a confirm, and some time.
        let length = chance.below(12) as u8;
        input.extend([11, 0, chance.below(200) as u8, length, chance.below(256) as u8]);
        if chance.once_in(4) {
            input.extend([20, 1, chance.below(256) as u8, chance.below(40) as u8, 0x1e]);
        }
    }
    input.extend((0..chance.below(400)).map(|_| chance.number() as u8));
    input
}
