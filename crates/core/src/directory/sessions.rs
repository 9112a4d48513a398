//! Sessions: which are good, and which must go when there are too many.
//!
//! A session lives until a fact ends it, so the state does not depend on the order of arrival. Nothing is pushed out
//! by others: the replica that accepts a login beyond [`limits::SESSIONS`] ends another session by a logout. Each
//! replica does so for what it knows, so after a split there are at most so many for each side, until the next login.
//!
//! A session that is ended is forgotten, but for its token: those of the [`limits::SESSIONS_ENDED`] that were ended last
//! are remembered, so that they stay ended if something about them comes late.

use lastword_facts::fact::{Session, Used};
use lastword_facts::ids::{AccountId, Order};
use lastword_facts::token::TokenHash;
use lastword_facts::views::{AccountRecord, EndedRecord, SessionRecord};
use lastword_facts::{Fact, limits};
use lastword_marks::{Bug, planted};

use super::{Account, Directory};

impl Account {
    fn session_is_good(&self, session: &SessionRecord) -> bool {
        let kept = self.record.password.as_ref().is_some_and(|password| password.keep == Some(session.token));
        let opened = self.is_in_force(session.password) || planted(Bug::LosersStayIn);
        !self.record.deleted && (opened || kept)
    }
}

impl Directory {
    /// The account that a session's token opens.
    pub(crate) fn session(&self, token: TokenHash) -> Option<AccountId> {
        let id = *self.sessions.get(&token)?;
        let account = self.living(id)?;
        let session = account.record.sessions.iter().find(|session| session.token == token)?;
        account.session_is_good(session).then_some(id)
    }

    /// When a session was last used, if that is known.
    pub(crate) fn last_used(&self, id: AccountId, token: TokenHash) -> Option<u64> {
        let sessions = &self.accounts.get(&id)?.record.sessions;
        sessions.iter().find(|session| session.token == token)?.last_used_ms
    }

    /// The sessions of an account that are good, those first that were not used for longest.
    pub(crate) fn good_sessions(&self, id: AccountId) -> Vec<TokenHash> {
        self.sessions_by_use(id, |account, session| account.session_is_good(session))
    }

    /// The sessions of an account that were not ended and open nothing any more, in the same order.
    pub(crate) fn void_sessions(&self, id: AccountId) -> Vec<TokenHash> {
        self.sessions_by_use(id, |account, session| !account.session_is_good(session))
    }

    fn sessions_by_use(&self, id: AccountId, which: fn(&Account, &SessionRecord) -> bool) -> Vec<TokenHash> {
        let Some(account) = self.living(id) else { return Vec::new() };
        let sessions = account.record.sessions.iter().filter(|session| which(account, session));
        let mut sessions: Vec<(Order, TokenHash)> = sessions.map(|session| (session.used, session.token)).collect();
        sessions.sort_unstable();
        sessions.into_iter().map(|(_, token)| token).collect()
    }

    // What follows takes facts in.

    pub(crate) fn open_session(&mut self, fact: &Fact, session: &Session) -> Option<Box<AccountRecord>> {
        let AccountRecord { sessions, ended, deleted, .. } = &mut self.accounts.get_mut(&fact.author)?.record;
        let Session { token, password, at_ms: last_used_ms } = *session;
        if *deleted
            || sessions.iter().any(|other| other.token == token)
            || ended.iter().any(|ended| ended.token == token)
        {
            return None;
        }
        let order = fact.order();
        let place = sessions.partition_point(|other| other.order > order);
        sessions.insert(place, SessionRecord { order, token, password, last_used_ms, used: order });
        self.sessions.insert(token, fact.author);
        self.changed(fact.author)
    }

    pub(crate) fn end_session(&mut self, fact: &Fact, token: TokenHash) -> Option<Box<AccountRecord>> {
        let AccountRecord { sessions, ended, deleted, .. } = &mut self.accounts.get_mut(&fact.author)?.record;
        if *deleted {
            return None;
        }
        if let Some(place) = sessions.iter().position(|session| session.token == token) {
            sessions.remove(place);
            self.sessions.remove(&token);
        }
        // Two replicas may have ended it: the later one counts, whichever comes first.
        let before = ended.iter().position(|ended| ended.token == token).map(|place| ended.remove(place));
        let order = before.map_or(fact.order(), |before| before.order.max(fact.order()));
        let place = ended.partition_point(|other| other.order > order);
        ended.insert(place, EndedRecord { order, token });
        ended.truncate(limits::SESSIONS_ENDED);
        self.changed(fact.author)
    }

    pub(crate) fn used(&mut self, fact: &Fact, used: &Used) -> Option<Box<AccountRecord>> {
        let sessions = &mut self.accounts.get_mut(&fact.author)?.record.sessions;
        let session = sessions.iter_mut().find(|session| session.token == used.token)?;
        session.last_used_ms = session.last_used_ms.max(Some(used.at_ms));
        session.used = session.used.max(fact.order());
        self.changed(fact.author)
    }
}
