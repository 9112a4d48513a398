//! Version vectors: what somebody has, in a few bytes.

use std::collections::BTreeMap;

use crate::ids::{Incarnation, Position, Seq};

/// For each incarnation, the seq up to which *everything* is there, without a gap.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct VersionVector(BTreeMap<Incarnation, Seq>);

impl VersionVector {
    /// A vector that covers nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Up to where everything of this incarnation is there; [`Seq::NONE`] for an unknown one.
    pub fn seq(&self, incarnation: Incarnation) -> Seq {
        self.0.get(&incarnation).copied().unwrap_or_default()
    }

    /// Whether the fact at this position is there.
    pub fn covers(&self, position: Position) -> bool {
        self.seq(position.incarnation) >= position.seq
    }

    /// Whether everything that `other` covers is there.
    pub fn covers_all(&self, other: &Self) -> bool {
        other.iter().all(|position| self.covers(position))
    }

    /// Takes a position in, with all before it; never lowers anything.
    pub fn raise(&mut self, position: Position) {
        if position.seq > Seq::NONE {
            let seq = self.0.entry(position.incarnation).or_default();
            *seq = (*seq).max(position.seq);
        }
    }

    /// Takes a position out, with all after it in its incarnation.
    pub fn lower(&mut self, position: Position) {
        if let Some(seq) = self.0.get_mut(&position.incarnation) {
            *seq = (*seq).min(position.previous().seq);
            if *seq == Seq::NONE {
                self.0.remove(&position.incarnation);
            }
        }
    }

    /// The last position of each incarnation, in the incarnations' order.
    pub fn iter(&self) -> impl Iterator<Item = Position> + '_ {
        self.0.iter().map(|(&incarnation, &seq)| Position { incarnation, seq })
    }

    /// How many incarnations it names.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it covers nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Position> for VersionVector {
    fn from_iter<I: IntoIterator<Item = Position>>(positions: I) -> Self {
        let mut vector = Self::new();
        for position in positions {
            vector.raise(position);
        }
        vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(incarnation: u64, seq: u64) -> Position {
        Position { incarnation: Incarnation(incarnation), seq: Seq(seq) }
    }

    #[test]
    fn raising_never_lowers() {
        let mut vector: VersionVector = [at(1, 5), at(2, 1)].into_iter().collect();
        vector.raise(at(1, 3));
        assert!(vector.covers(at(1, 5)) && !vector.covers(at(1, 6)) && !vector.covers(at(3, 1)));
    }

    #[test]
    fn covering_all_is_per_incarnation() {
        let mine: VersionVector = [at(1, 5), at(2, 1)].into_iter().collect();
        assert!(mine.covers_all(&[at(1, 5)].into_iter().collect()));
        assert!(!mine.covers_all(&[at(1, 1), at(3, 1)].into_iter().collect()));
        assert!(mine.covers_all(&VersionVector::new()));
    }

    #[test]
    fn what_is_damaged_is_taken_out_with_all_after_it() {
        let mut vector: VersionVector = [at(1, 5), at(2, 1)].into_iter().collect();
        vector.lower(at(1, 3));
        vector.lower(at(1, 4));
        vector.lower(at(2, 1));
        vector.lower(at(3, 1));
        assert_eq!(vector, [at(1, 2)].into_iter().collect());
    }
}
