//! An account with as many sessions as it may have: a login beyond that ends another one.
//!
//! 1. The replica that accepts the login ends the session that was not used for longest, of those that have no
//!    connection here, by the same fact as a logout. So replicas agree on it without asking, and two of them that each
//!    accept a login may each end one.
//! 2. A session with a connection at another replica must not look unused. So when an account has many sessions, each
//!    replica notes that those with a connection here are in use, before it is their turn.
//! 3. If all of them have a connection here, the login is refused: nobody who is talking is put out.

use std::collections::BTreeSet;

use lastword_facts::fact::Logout;
use lastword_facts::ids::AccountId;
use lastword_facts::token::TokenHash;
use lastword_facts::{Body, limits};
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::io::Refusal;
use crate::time::Now;

/// With so many good sessions an account is crowded.
const CROWDED: usize = limits::SESSIONS * 3 / 4;
/// After so long a login may find a place, in milliseconds.
const RETRY_MS: u64 = 1000;

impl Core {
    /// Makes room for one more session of an account.
    ///
    /// # Errors
    /// All that it may have are in use here.
    pub(crate) fn make_room_for_session(&mut self, now: Now, account: AccountId) -> Result<(), Refusal> {
        let mut good = self.directory.good_sessions(account);
        if planted(Bug::EndsConnected) {
            good.reverse();
        }
        let too_many = (good.len() + 1).saturating_sub(limits::SESSIONS);
        let is_idle = |token: &&TokenHash| !self.connections.is_used(**token) || planted(Bug::EndsConnected);
        let idle: Vec<TokenHash> = good.iter().filter(is_idle).take(too_many).copied().collect();
        if good.len() - idle.len() >= limits::SESSIONS {
            hit("login refused: all sessions are in use");
            return Err(Refusal::TooMany { retry_ms: RETRY_MS });
        }
        let void = self.directory.void_sessions(account);
        let too_many = (good.len() - idle.len() + void.len() + 1).saturating_sub(limits::SESSIONS_OPEN);
        for token in idle.into_iter().chain(void.into_iter().take(too_many)) {
            hit("session ended for another");
            let fact = self.ledger.make(now, account, None, Body::Logout(Logout { token }));
            self.admit(now, &fact, None);
        }
        Ok(())
    }

    /// A session was opened, here or elsewhere.
    pub(crate) fn on_session_opened(&mut self, account: AccountId) {
        if self.directory.good_sessions(account).len() >= CROWDED {
            self.crowded.insert(account);
        }
    }

    /// Notes of crowded accounts which sessions have a connection here: half of the sessions, those that were used
    /// last, are far from being ended.
    pub(crate) fn note_uses_of_crowded(&mut self, now: Now) {
        let crowded: BTreeSet<AccountId> = std::mem::take(&mut self.crowded);
        for account in crowded {
            let good = self.directory.good_sessions(account);
            let next: Vec<TokenHash> = good.iter().take(good.len() / 2).copied().collect();
            for token in next {
                if self.connections.is_used(token) && self.room_for_people().is_ok() {
                    hit("use of a session noted in a crowd");
                    let at_ms = self.middle_clock(now).wall_ms();
                    self.make_used(now, account, token, at_ms);
                }
            }
        }
    }
}
