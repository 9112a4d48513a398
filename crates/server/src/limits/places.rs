//! Places for the connections of clients.
//!
//! Anybody can open a connection, so connections without a login ("strangers") have three quarters of all places and no
//! more. When these are taken, the next one gets the place of the stranger that came first. A person who means to log in
//! does so within seconds, and gets in between thousands of connections that only keep places. Nobody who has logged in
//! ever has to make way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// All places of a server.
pub(crate) struct Places {
    all: usize,
    for_strangers: usize,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    taken: usize,
    /// In the order in which they came.
    strangers: BTreeMap<u64, Arc<Leave>>,
    came: u64,
}

/// Tells a stranger that its place has been given to another one.
#[derive(Default)]
struct Leave {
    is_due: AtomicBool,
    told: Notify,
}

/// A connection that has a place, until this is dropped or the place is given to another one.
pub(crate) struct Guest {
    number: u64,
    inside: Arc<Mutex<Inside>>,
    leave: Arc<Leave>,
    logged_in: AtomicBool,
}

impl Places {
    /// This many.
    pub(crate) fn new(all: usize) -> Self {
        Self { all, for_strangers: (all - all / 4).max(1), inside: Arc::default() }
    }

    /// Gives a place to one more stranger; another one may have to leave for it at once. `None` if everybody inside
    /// has logged in.
    pub(crate) fn enter(&self) -> Option<Guest> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.taken >= self.all || inside.strangers.len() >= self.for_strangers {
            let (_, first) = inside.strangers.pop_first()?;
            first.is_due.store(true, Ordering::Relaxed);
            first.told.notify_one();
            inside.taken -= 1;
        }
        inside.taken += 1;
        inside.came += 1;
        let (number, leave) = (inside.came, Arc::<Leave>::default());
        inside.strangers.insert(number, leave.clone());
        Some(Guest { number, inside: self.inside.clone(), leave, logged_in: AtomicBool::new(false) })
    }
}

impl Guest {
    /// Somebody has logged in: this is no stranger any more.
    pub(crate) fn log_in(&self) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.strangers.remove(&self.number).is_some() {
            self.logged_in.store(true, Ordering::Relaxed);
        }
    }

    /// Ready once the place was given to another one: this connection must end now. May be given up and called again,
    /// by one task at a time.
    pub(crate) async fn must_leave(&self) {
        if !self.has_to_leave() {
            self.leave.told.notified().await;
        }
    }

    /// Whether the place was given to another one.
    pub(crate) fn has_to_leave(&self) -> bool {
        self.leave.is_due.load(Ordering::Relaxed)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let was_stranger = inside.strangers.remove(&self.number).is_some();
        if was_stranger || self.logged_in.load(Ordering::Relaxed) {
            inside.taken -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn taken(places: &Places) -> usize {
        places.inside.lock().unwrap().taken
    }

    #[test]
    fn the_first_stranger_makes_way_and_nobody_who_has_logged_in() {
        let places = Places::new(8);
        let enter = || places.enter().expect("a place");
        let first: Vec<Guest> = (0..6).map(|_| enter()).collect();
        first[0].log_in();
        let second = enter();
        assert!(!first.iter().any(Guest::has_to_leave), "five strangers and this one");
        let third = enter();
        let leaving: Vec<bool> = first.iter().map(Guest::has_to_leave).collect();
        assert_eq!(leaving, [false, true, false, false, false, false]);
        assert!(first[1].must_leave().now_or_never().is_some() && first[1].must_leave().now_or_never().is_some());
        assert!(third.must_leave().now_or_never().is_none());
        first[1].log_in();
        assert_eq!(taken(&places), 7, "the place was passed on, and a login comes too late");
        drop((first, second, third));
        assert_eq!(taken(&places), 0);
    }

    #[test]
    fn there_is_a_place_until_all_have_logged_in() {
        let places = Places::new(4);
        let mut inside = Vec::new();
        for _ in 0..4 {
            let waiting = places.enter().expect("a place");
            let guest = places.enter().expect("a place");
            guest.log_in();
            inside.push(guest);
            drop(waiting);
        }
        assert!(places.enter().is_none());
        assert!(!inside.iter().any(Guest::has_to_leave));
        inside.pop();
        assert!(places.enter().is_some());
    }
}
