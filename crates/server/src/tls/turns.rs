//! Turns for handshakes: one at a time, each address after the others.
//!
//! A handshake is dear for moments only: the server computes for about a millisecond, and then waits for the client, which may take
//! its time. So a turn is one step of a handshake, up to the next wait. Thousands of handshakes from one address wait for
//! one another; somebody from elsewhere waits for one step of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::limits::{Address, Network, Queue};

/// Gives turns to those that ask.
#[derive(Clone)]
pub(super) struct Turns(Arc<Mutex<State>>);

struct State {
    /// Somebody has a turn.
    is_taken: bool,
    /// Each waits on a connection of its own, and those are bounded.
    waiting: Queue<Network, oneshot::Sender<()>>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { is_taken: false, waiting: Queue::new(usize::MAX) })))
    }

    /// The same future, of which each step waits for its turn among those from its address. Networks of IPv6 that one customer may
    /// have (a /48) are one address here.
    pub(super) fn step_by_step<F: Future + Unpin>(&self, future: F, from: Address) -> Stepwise<F> {
        Stepwise { future, turns: self.clone(), of: from.widest(), turn: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, of: Network) -> Turn {
        let (give, given) = oneshot::channel();
        let mut state = self.state();
        // It has room for all.
        let _ = state.waiting.put(of, give);
        if !state.is_taken {
            state.give_next();
        }
        drop(state);
        Turn { turns: self.clone(), given, has_begun: false }
    }
}

impl State {
    fn give_next(&mut self) {
        self.is_taken = false;
        while let Some(next) = self.waiting.take() {
            // Some have gone meanwhile.
            if next.send(()).is_ok() {
                self.is_taken = true;
                return;
            }
        }
    }
}

/// A turn that was asked for, and perhaps given. The next one has its turn when this is dropped.
struct Turn {
    turns: Turns,
    given: oneshot::Receiver<()>,
    has_begun: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // After this nobody can give it a turn that would then be lost.
        self.given.close();
        if self.has_begun || self.given.try_recv().is_ok() {
            self.turns.state().give_next();
        }
    }
}

/// A future that waits for a turn before each step.
pub(super) struct Stepwise<F> {
    future: F,
    turns: Turns,
    of: Network,
    turn: Option<Turn>,
}

impl<F: Future + Unpin> Future for Stepwise<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context) -> Poll<F::Output> {
        let this = self.get_mut();
        let Some(turn) = &mut this.turn else {
            this.turn = Some(this.turns.ask(this.of));
            // All others that have something to do ask before anybody begins: or each would find its turn free, in the
            // order in which they came.
            context.waker().wake_by_ref();
            return Poll::Pending;
        };
        // Nobody drops what it is given with.
        let _ = ready!(Pin::new(&mut turn.given).poll(context));
        turn.has_begun = true;
        let polled = Pin::new(&mut this.future).poll(context);
        this.turn = None;
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CROWD: Address = Address::V4([192, 0, 2, 1]);
    const PERSON: Address = Address::V4([192, 0, 2, 2]);

    /// Runs such a handshake, of two steps; each step is noted.
    fn shake(turns: &Turns, from: Address, steps: &Arc<Mutex<Vec<Address>>>) -> tokio::task::JoinHandle<()> {
        let (steps, mut left) = (steps.clone(), 2);
        let handshake = std::future::poll_fn(move |context| {
            steps.lock().unwrap().push(from);
            left -= 1;
            if left == 0 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        });
        tokio::spawn(turns.step_by_step(handshake, from))
    }

    #[tokio::test]
    async fn a_crowd_of_one_address_waits_for_itself() {
        let (turns, steps) = (Turns::new(), Arc::default());
        let crowd: Vec<_> = (0..100).map(|_| shake(&turns, CROWD, &steps)).collect();
        shake(&turns, PERSON, &steps).await.expect("done");
        let last = steps.lock().unwrap().iter().rposition(|&from| from == PERSON).expect("two");
        assert!(last < 10, "a few steps of the crowd before each of one's own, and not {last}");
        for one in crowd {
            one.await.expect("done");
        }
        assert_eq!(steps.lock().unwrap().len(), 202);
        assert!(!turns.state().is_taken && turns.state().waiting.len() == 0);
    }

    #[tokio::test]
    async fn whoever_goes_before_their_turn_keeps_nobody_waiting() {
        let (turns, steps) = (Turns::new(), Arc::default());
        let crowd: Vec<_> = (0..100).map(|_| shake(&turns, CROWD, &steps)).collect();
        let last = shake(&turns, CROWD, &steps);
        // All have asked, and the first has its turn.
        tokio::task::yield_now().await;
        crowd.iter().for_each(tokio::task::JoinHandle::abort);
        tokio::time::timeout(std::time::Duration::from_secs(10), last).await.expect("in time").expect("done");
        assert!(steps.lock().unwrap().len() < 10);
    }
}
