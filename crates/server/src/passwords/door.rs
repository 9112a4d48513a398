//! Where what is to be hashed waits, and which thread does it when.
//!
//! The threads that hash lose their core to whoever else wants one ([`super::stand_back`]): a flood of logins is felt by
//! nobody. But on a machine where somebody always wants one they would hardly come to an end, and people would wait for
//! their logins for ten seconds and more. So there is one thread besides, the *relief*, that keeps some share of a core. It
//! does nothing as long as those make way. What one of them has had in hand for too long the relief does once more, and
//! whoever ends first has done it; and while all of them are so late, it does what waits, too.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lastword_core::io::JobId;

use super::Ask;
use crate::limits::{Address, Queue};

/// What is to be done, and for which job of the core.
pub(super) type Work = (JobId, Arc<Ask>);

/// Where threads wait for work.
///
/// Whoever is woken takes the core at once from a thread that has lost it to everybody. So nobody is woken while the desk
/// is locked: on a busy machine it would stay so for seconds, and the core's task, which puts things in, waits for it.
pub(super) struct Door {
    desk: Mutex<Desk>,
    /// Something waits, or the end has come.
    filled: Condvar,
    /// There may be something for the relief, or the end has come.
    relief: Condvar,
}

impl Door {
    /// So many may wait; so many threads work beside the relief; and who has had something for so long is late.
    pub(super) fn new(waiting: usize, threads: usize, late: Duration) -> Self {
        let desk = Desk { queue: Queue::new(waiting), in_hand: Vec::new(), relieved: 0, threads, late, closed: false };
        Self { desk: Mutex::new(desk), filled: Condvar::new(), relief: Condvar::new() }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Nothing that holds it can panic.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in. Hands back what there is no room for.
    #[must_use]
    pub(super) fn put(&self, address: Option<Address>, work: Work) -> Option<Work> {
        let (dropped, for_relief) = {
            let mut desk = self.desk();
            (desk.queue.put(address, work), desk.all_are_late())
        };
        self.filled.notify_one();
        if for_relief {
            self.relief.notify_one();
        }
        dropped
    }

    /// What is next, as soon as there is something; `None` at the end.
    pub(super) fn take(&self) -> Option<Work> {
        let mut desk = self.desk();
        while !desk.closed {
            if let Some(next) = desk.take(Instant::now()) {
                drop(desk);
                self.relief.notify_one();
                return Some(next);
            }
            desk = self.filled.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// What the relief is to do, as soon as others are late; `None` at the end.
    pub(super) fn relieve(&self) -> Option<Work> {
        let mut desk = self.desk();
        while !desk.closed {
            desk = match desk.relieve(Instant::now()) {
                Relief::Do(work) => return Some(work),
                Relief::Look(later) => {
                    let waited = self.relief.wait_timeout(desk, later);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                Relief::Rest => self.relief.wait(desk).unwrap_or_else(PoisonError::into_inner),
            };
        }
        None
    }

    /// A thread has done this. Whether it was the first to.
    #[must_use]
    pub(super) fn done(&self, job: JobId, by: By) -> bool {
        self.desk().done(job, by)
    }

    /// How much waits, or is being done.
    pub(super) fn len(&self) -> usize {
        let desk = self.desk();
        desk.queue.len() + desk.in_hand.len()
    }

    /// Nobody gets anything any more.
    pub(super) fn close(&self) {
        self.desk().closed = true;
        self.filled.notify_all();
        self.relief.notify_all();
    }
}

/// Who has done something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// One of the threads that lose their core to everybody.
    Thread,
    /// The one that keeps some of it.
    Relief,
}

struct Desk {
    /// Whose address is not known comes in the turn of all such.
    queue: Queue<Option<Address>, Work>,
    in_hand: Vec<InHand>,
    /// Threads that are at something that the relief has begun, too.
    relieved: usize,
    threads: usize,
    late: Duration,
    closed: bool,
}

/// What is being done.
struct InHand {
    work: Work,
    since: Instant,
    /// By the relief, too, or alone.
    by_relief: bool,
}

/// What the relief is to do.
enum Relief {
    Do(Work),
    /// Nobody is late yet; somebody may be then.
    Look(Duration),
    /// Nothing, until something is begun.
    Rest,
}

impl Desk {
    fn take(&mut self, now: Instant) -> Option<Work> {
        let work = self.queue.take()?;
        self.in_hand.push(InHand { work: work.clone(), since: now, by_relief: false });
        Some(work)
    }

    fn relieve(&mut self, now: Instant) -> Relief {
        let oldest = self.in_hand.iter_mut().filter(|in_hand| !in_hand.by_relief).min_by_key(|in_hand| in_hand.since);
        if let Some(oldest) = oldest {
            let later = self.late.saturating_sub(now.saturating_duration_since(oldest.since));
            if !later.is_zero() {
                return Relief::Look(later);
            }
            oldest.by_relief = true;
            self.relieved += 1;
            return Relief::Do(oldest.work.clone());
        }
        match if self.all_are_late() { self.queue.take() } else { None } {
            Some(work) => {
                self.in_hand.push(InHand { work: work.clone(), since: now, by_relief: true });
                Relief::Do(work)
            }
            None => Relief::Rest,
        }
    }

    /// Whether each thread is at something that the relief has done meanwhile.
    fn all_are_late(&self) -> bool {
        self.relieved >= self.threads
    }

    fn done(&mut self, job: JobId, by: By) -> bool {
        let at = self.in_hand.iter().position(|in_hand| in_hand.work.0 == job);
        let in_hand = at.map(|at| self.in_hand.swap_remove(at));
        // What a thread brings was begun by the relief, too, if it is marked so, or if the relief was the first to end it.
        if by == By::Thread && in_hand.as_ref().is_none_or(|in_hand| in_hand.by_relief) {
            self.relieved -= 1;
        }
        in_hand.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastword_core::io::Password;

    const LATE: Duration = Duration::from_millis(100);

    /// A desk of so many threads, at which so much waits.
    fn desk(threads: usize, waiting: u64) -> Desk {
        let door = Door::new(10, threads, LATE);
        for job in 1..=waiting {
            let work = (JobId(job), Arc::new(Ask::Hash(Password("secret".into()))));
            assert!(door.put(None, work).is_none());
        }
        door.desk.into_inner().expect("nobody has panicked")
    }

    fn taken(work: Option<Work>) -> Option<u64> {
        work.map(|(job, _)| job.0)
    }

    fn relief(desk: &mut Desk, now: Instant) -> Result<u64, Option<Duration>> {
        match desk.relieve(now) {
            Relief::Do((job, _)) => Ok(job.0),
            Relief::Look(later) => Err(Some(later)),
            Relief::Rest => Err(None),
        }
    }

    #[test]
    fn the_relief_does_nothing_while_others_make_way() {
        let (mut desk, start) = (desk(1, 2), Instant::now());
        assert_eq!(relief(&mut desk, start), Err(None), "nothing was begun");
        assert_eq!(taken(desk.take(start)), Some(1));
        assert_eq!(relief(&mut desk, start + LATE / 4), Err(Some(LATE / 4 * 3)));
        assert!(desk.done(JobId(1), By::Thread));
        assert_eq!(taken(desk.take(start + LATE / 2)), Some(2));
        assert_eq!(relief(&mut desk, start + LATE), Err(Some(LATE / 2)), "each has its own time");
        assert!(desk.done(JobId(2), By::Thread));
        assert_eq!((relief(&mut desk, start + LATE), desk.relieved), (Err(None), 0));
    }

    #[test]
    fn what_is_late_is_done_once_more_and_counts_once() {
        for relief_is_first in [true, false] {
            let (mut desk, start) = (desk(2, 2), Instant::now());
            assert_eq!((taken(desk.take(start)), taken(desk.take(start))), (Some(1), Some(2)));
            assert_eq!(relief(&mut desk, start + LATE), Ok(1));
            assert_eq!(relief(&mut desk, start + LATE), Ok(2));
            let mut ends = [By::Thread, By::Relief];
            if relief_is_first {
                ends.reverse();
            }
            for job in [JobId(1), JobId(2)] {
                assert!(desk.done(job, ends[0]));
                assert!(!desk.done(job, ends[1]));
            }
            assert_eq!((desk.in_hand.len(), desk.relieved), (0, 0));
        }
    }

    #[test]
    fn while_all_are_late_the_relief_does_what_waits() {
        let (mut desk, start) = (desk(2, 4), Instant::now());
        assert_eq!((taken(desk.take(start)), taken(desk.take(start + LATE))), (Some(1), Some(2)));
        assert_eq!(relief(&mut desk, start + LATE), Ok(1));
        assert!(desk.done(JobId(1), By::Relief));
        assert_eq!(relief(&mut desk, start + LATE), Err(Some(LATE)), "the other one is not late");
        assert_eq!(relief(&mut desk, start + LATE * 2), Ok(2));
        assert!(desk.done(JobId(2), By::Relief));
        assert_eq!(relief(&mut desk, start + LATE * 2), Ok(3), "both are");
        assert!(desk.done(JobId(3), By::Relief));
        assert!(!desk.done(JobId(1), By::Thread), "one of them is free again");
        assert_eq!(relief(&mut desk, start + LATE * 3), Err(None));
        assert_eq!(taken(desk.take(start + LATE * 3)), Some(4));
    }
}
