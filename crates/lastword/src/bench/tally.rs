//! What was acknowledged and what came, message by message, of one sender to one receiver.

/// Messages are numbered from 0 in the order in which they were sent.
#[derive(Default)]
pub(super) struct Tally {
    acknowledged: Bits,
    arrived: Bits,
    /// One more than the largest number that came.
    next: u64,
    verdict: Verdict,
}

/// What went wrong. All is zero where nothing did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Acknowledged, but neither delivered nor pending.
    pub lost: u64,
    /// Delivered once more.
    pub twice: u64,
    /// Delivered after a later one.
    pub out_of_order: u64,
}

impl Verdict {
    pub fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.twice += other.twice;
        self.out_of_order += other.out_of_order;
    }
}

impl Tally {
    pub fn acknowledge(&mut self, number: u64) {
        self.acknowledged.set(number);
    }

    /// A message has come, or is found pending.
    pub fn arrive(&mut self, number: u64) {
        if self.arrived.set(number) {
            self.verdict.twice += 1;
        } else if number < self.next {
            self.verdict.out_of_order += 1;
        }
        self.next = self.next.max(number + 1);
    }

    /// Everything that was acknowledged has come.
    pub fn is_complete(&self) -> bool {
        self.acknowledged.missing_in(&self.arrived) == 0
    }

    pub fn verdict(&self) -> Verdict {
        Verdict { lost: self.acknowledged.missing_in(&self.arrived), ..self.verdict }
    }
}

/// A set of numbers, one bit for each up to the largest.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    /// Puts it in, and says whether it was there already.
    fn set(&mut self, number: u64) -> bool {
        let word = usize::try_from(number / 64).expect("as many as were sent");
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        let was = self.0[word] & bit != 0;
        self.0[word] |= bit;
        was
    }

    fn missing_in(&self, other: &Self) -> u64 {
        let there = other.0.iter().copied().chain(std::iter::repeat(0));
        self.0.iter().zip(there).map(|(&word, there)| u64::from((word & !there).count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Tally, Verdict};

    fn tally(acknowledged: &[u64], arrived: &[u64]) -> Tally {
        let mut tally = Tally::default();
        acknowledged.iter().for_each(|&number| tally.acknowledge(number));
        arrived.iter().for_each(|&number| tally.arrive(number));
        tally
    }

    #[test]
    fn what_was_not_acknowledged_may_come_or_not() {
        let tally = tally(&[0, 1, 3, 200], &[0, 1, 2, 3, 200]);
        assert!(tally.is_complete() && tally.verdict() == Verdict::default());
    }

    #[test]
    fn each_kind_of_mistake_is_counted() {
        let tally = tally(&[0, 1, 2, 3, 64, 130], &[0, 2, 1, 2, 3]);
        assert!(!tally.is_complete());
        assert_eq!(tally.verdict(), Verdict { lost: 2, twice: 1, out_of_order: 1 });
    }
}
