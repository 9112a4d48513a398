//! Connections that say they are replicas and have not shown it yet: anybody can open them.
//!
//! There is a limit for all and for each address. A connection beyond it takes the place of the one that has waited
//! longest, which is closed: a real replica shows what it is within a round trip or two, so it gets in between
//! thousands that only keep places.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::limits::Address;

/// Connections that knock at a time: from one address, and in all.
const PER_ADDRESS: usize = 8;
const IN_ALL: usize = 64;

/// All that knock now, the longest-waiting first.
#[derive(Debug, Default)]
pub(super) struct Door(Arc<Mutex<VecDeque<Knocking>>>);

#[derive(Debug)]
struct Knocking {
    from: Address,
    sent_away: Arc<Notify>,
}

/// One that knocks; it does no more when this is dropped.
pub(super) struct Knock {
    door: Arc<Mutex<VecDeque<Knocking>>>,
    sent_away: Arc<Notify>,
}

impl Door {
    /// One more knocks, and another one may have to go for it.
    pub(super) fn knock(&self, from: Address) -> Knock {
        let sent_away = Arc::new(Notify::new());
        let mut door = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = door.iter().filter(|other| other.from == from).count();
        let goes = if of_address >= PER_ADDRESS {
            door.iter().position(|other| other.from == from)
        } else {
            (door.len() >= IN_ALL).then_some(0)
        };
        if let Some(gone) = goes.and_then(|place| door.remove(place)) {
            gone.sent_away.notify_one();
        }
        door.push_back(Knocking { from, sent_away: sent_away.clone() });
        Knock { door: self.0.clone(), sent_away }
    }
}

impl Knock {
    /// Ready when another one has taken the place.
    pub(super) async fn sent_away(&self) {
        self.sent_away.notified().await;
    }
}

impl Drop for Knock {
    fn drop(&mut self) {
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        door.retain(|other| !Arc::ptr_eq(&other.sent_away, &self.sent_away));
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures_util::FutureExt;

    use super::*;

    fn from(n: u8) -> Address {
        IpAddr::from([192, 0, 2, n]).into()
    }

    fn stays(knock: &Knock) -> bool {
        knock.sent_away().now_or_never().is_none()
    }

    #[test]
    fn the_longest_waiting_goes_first_of_its_own_address_then_of_all() {
        let door = Door::default();
        let greedy: Vec<Knock> = (0..PER_ADDRESS + 2).map(|_| door.knock(from(1))).collect();
        assert_eq!(greedy.iter().map(stays).collect::<Vec<_>>(), [vec![false; 2], vec![true; PER_ADDRESS]].concat());
        let crowd: Vec<Knock> = (0..IN_ALL - PER_ADDRESS).map(|n| door.knock(from(2 + n as u8))).collect();
        assert!(crowd.iter().all(stays) && stays(&greedy[2]));
        let last = door.knock(from(250));
        assert!(stays(&last) && !stays(&greedy[2]) && crowd.iter().all(stays));
        assert_eq!(door.0.lock().unwrap().len(), IN_ALL);
        drop((greedy, crowd, last));
        assert!(door.0.lock().unwrap().is_empty());
    }
}
