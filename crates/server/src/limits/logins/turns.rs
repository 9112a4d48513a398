//! Guesses at one name have their turns one after another, wherever they come from: somebody with many addresses would
//! else have as many guesses.
//!
//! Only while a name has seen many wrong passwords, and never for addresses where its owner is known.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::super::addresses::Network;

/// One turn for each name after so long.
pub(super) const EACH: Duration = Duration::from_millis(300);
/// So many may wait for one name, which takes the last of them 19 s.
const MOST: usize = 64;
/// While so few wait, one address or network may have several of them; beyond that, one.
const FEW: usize = 16;
const SEVERAL: usize = 4;

/// What an attempt has to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    /// It has its turn.
    Now,
    /// It is to ask again after that.
    After(Duration),
    /// Too many wait already.
    Crowded,
}

/// Those who wait, by name.
#[derive(Default)]
pub(super) struct Turns(HashMap<u64, Queue>);

struct Queue {
    /// The attempts, in their order, and where they come from.
    waiting: VecDeque<(u64, Network)>,
    free_at: Instant,
}

impl Turns {
    /// Asks for an attempt's turn; the first time it gets in line.
    pub(super) fn ask(&mut self, name: u64, attempt: u64, from: Network, now: Instant) -> Go {
        // Lines in which nobody waits any more say nothing after a moment.
        if self.0.len() == self.0.capacity() {
            self.0.retain(|_, queue| !queue.waiting.is_empty() || queue.free_at > now);
        }
        let queue = self.0.entry(name).or_insert_with(|| Queue { waiting: VecDeque::new(), free_at: now });
        let place = match queue.waiting.iter().position(|(waiting, _)| *waiting == attempt) {
            Some(place) => place,
            None => {
                let own = queue.waiting.iter().filter(|(_, network)| *network == from).count();
                let most = if queue.waiting.len() < FEW { SEVERAL } else { 1 };
                if own >= most || queue.waiting.len() >= MOST {
                    return Go::Crowded;
                }
                queue.waiting.push_back((attempt, from));
                queue.waiting.len() - 1
            }
        };
        let later = queue.free_at.saturating_duration_since(now) + EACH * place as u32;
        if !later.is_zero() {
            return Go::After(later);
        }
        queue.waiting.pop_front();
        queue.free_at = now + EACH;
        Go::Now
    }

    /// An attempt will not ask again.
    pub(super) fn leave(&mut self, name: u64, attempt: u64) {
        if let Some(queue) = self.0.get_mut(&name) {
            queue.waiting.retain(|(waiting, _)| *waiting != attempt);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Address;

    fn network(n: u8) -> Network {
        Address::V4([192, 0, 2, n]).widest()
    }

    #[test]
    fn one_after_another_wherever_they_come_from() {
        let (mut turns, start) = (Turns::default(), Instant::now());
        assert_eq!(turns.ask(1, 0, network(0), start), Go::Now);
        for n in 1..5 {
            assert_eq!(turns.ask(1, n, network(n as u8), start), Go::After(EACH * n as u32));
        }
        assert_eq!(turns.ask(2, 9, network(0), start), Go::Now, "another name");
        assert_eq!(turns.ask(1, 2, network(2), start + EACH), Go::After(EACH), "not before the one in front");
        assert_eq!(turns.ask(1, 1, network(1), start + EACH), Go::Now);
        turns.leave(1, 2);
        assert_eq!(turns.ask(1, 3, network(3), start + EACH * 2), Go::Now, "who has left holds nobody up");
        let late = start + EACH * 100;
        assert_eq!((turns.ask(1, 4, network(4), late), turns.ask(1, 5, network(5), late)), (Go::Now, Go::After(EACH)));
    }

    #[test]
    fn one_address_has_few_places_and_one_where_many_wait() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        turns.ask(1, 0, network(0), now);
        let places = |turns: &mut Turns, from: u8, first: u64| {
            (first..first + 20).filter(|&n| turns.ask(1, n, network(from), now) != Go::Crowded).count()
        };
        for n in 1..5 {
            assert_eq!(places(&mut turns, n, 100 * u64::from(n)), SEVERAL);
        }
        assert_eq!(places(&mut turns, 5, 500), 1);
        for n in 6..100 {
            places(&mut turns, n, 100 * u64::from(n));
        }
        assert_eq!(turns.0[&1].waiting.len(), MOST);
    }
}
