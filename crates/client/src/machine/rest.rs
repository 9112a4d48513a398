//! No connection is kept while nobody is logged in and nothing is asked for.
//!
//! A server closes a connection on which nobody logs in, after half a minute. To connect again at once, for as long as a
//! login prompt stands open, is work for every replica and use to nobody; and on a slow line the caller would be told
//! each time that one was lost. So the first server that says so puts all connections to rest, and the next command
//! dials. The caller is told nothing, unless the leader can't be reached then.

use super::io::{Output, ReplicaIndex};
use super::leader::PATIENCE;
use super::link::State;
use super::{Machine, Time};

impl Machine {
    /// The server is about to close this connection, since nobody has logged in on it. That is no reason to speak to
    /// another one.
    pub(super) fn on_idle(&mut self, r: usize) {
        if self.links[r].live().is_none() {
            self.close(r);
        } else if self.session.is_some() || !self.deeds.is_empty() || self.leadership.leader.is_none() {
            self.reconnect(r);
        } else {
            self.rest();
        }
    }

    fn rest(&mut self) {
        for (r, link) in self.links.iter_mut().enumerate() {
            if let Some(epoch) = link.epoch() {
                self.outputs.push_back(Output::Close { replica: ReplicaIndex(r), epoch });
            }
            if link.live().is_some() {
                link.failures = 0;
            }
            link.state = State::Down(Time::NEVER);
        }
        self.leadership.rest();
    }

    /// Something is to be done: dials, and waits a while for the one that led.
    pub(super) fn wake(&mut self) {
        if self.leadership.wake(self.now + PATIENCE) {
            for r in 0..self.links.len() {
                self.dial(r);
            }
        }
    }
}
