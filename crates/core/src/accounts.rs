//! Accounts and sessions: create, login, resume, logout, delete.

use lastword_facts::fact::{Logout, Rehash, Session};
use lastword_facts::ids::{AccountId, Key, Stamp};
use lastword_facts::token::{SessionToken, TokenHash};
use lastword_facts::views::Query;
use lastword_facts::{Body, Name, limits};
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::directory::fold;
use crate::io::{Busy, ConnectionId, Fit, JobId, Notice, Password, Refusal, Tag};
use crate::jobs::{Candidate, Job};
use crate::release::{Login, Reply};
use crate::time::Now;

/// After so long a hash may be asked for again, in milliseconds.
const HASH_RETRY_MS: u64 = 500;

impl Core {
    pub(crate) fn create(
        &mut self,
        id: ConnectionId,
        tag: Tag,
        name: String,
        password: Password,
        key: Key,
    ) -> Result<(), Refusal> {
        let name = Name::new(&name)?;
        self.check_new_password(&password)?;
        self.ready_for_people()?;
        self.room_for_facts()?;
        self.room_for_jobs(id)?;
        let account = AccountId::of_create(key, name.as_str());
        let login = self.connections.login(id);
        if login.is_some_and(|login| login.account != account) {
            return Err(Refusal::AlreadyLoggedIn);
        }
        if self.directory.is_deleted(account) {
            return Err(Refusal::BadRequest("This account was deleted; draw a new `key` to create another one."));
        }
        if self.rival_is_confirmed(&fold(name.as_str()), account) {
            return Err(self.name_taken());
        }
        if self.directory.any(account).is_none() && self.directory.len() >= self.config.settings.accounts {
            return Err(Refusal::Closed);
        }
        self.wait(id);
        let name = name.as_str().to_owned();
        match self.directory.any(account).map(|known| known.password_hash().to_owned()) {
            Some(hash) => {
                hit("create of an account that exists");
                let job = Job::CreateAgain { connection: id, tag, name, key, hash: hash.clone() };
                self.check(id, job, password, vec![hash]);
            }
            None => {
                let again = password.clone();
                self.hash(id, Job::Create { connection: id, tag, name, key, password: again }, password);
            }
        }
        Ok(())
    }

    pub(crate) fn check_new_password(&self, password: &Password) -> Result<(), Refusal> {
        if password.0.len() > limits::PASSWORD_BYTES {
            return Err(Refusal::TooLong("A password has at most 1,024 bytes."));
        }
        let min = self.config.settings.password_bytes_min;
        if password.0.len() < min {
            return Err(Refusal::ShortPassword { min });
        }
        Ok(())
    }

    pub(crate) fn log_in(
        &mut self,
        id: ConnectionId,
        tag: Tag,
        name: String,
        password: Password,
    ) -> Result<(), Refusal> {
        if password.0.len() > limits::PASSWORD_BYTES {
            return Err(Refusal::TooLong("A password has at most 1,024 bytes."));
        }
        if self.connections.login(id).is_some_and(|login| self.directory.resolve(&name) != Some(login.account)) {
            return Err(Refusal::AlreadyLoggedIn);
        }
        self.ready_for_people()?;
        self.room_for_people()?;
        self.room_for_jobs(id)?;
        let accounts = self.directory.login_candidates(&name);
        let known = accounts.iter().filter_map(|&id| self.directory.living(id));
        let (candidates, hashes) = known
            .map(|known| {
                let (account, password, hash) = (known.record.id, known.password_order(), known.hash_order());
                (Candidate { account, password, hash }, known.password_hash().to_owned())
            })
            .unzip();
        self.wait(id);
        self.check(id, Job::Login { connection: id, tag, asked: name, candidates }, password, hashes);
        Ok(())
    }

    pub(crate) fn resume(
        &mut self,
        now: Now,
        id: ConnectionId,
        tag: Tag,
        token: TokenHash,
        seen: Option<Stamp>,
    ) -> Result<(), Refusal> {
        if planted(Bug::BelievesStrangers)
            && let Some(seen) = seen
        {
            self.ledger.observe(seen);
        }
        self.ready_for_people()?;
        let Some(account) = self.directory.session(token) else {
            // It may be logged in with an older session of its own. What it has sent behind this request would be
            // taken in, and then once more, after what it sends when it has learned of the refusal.
            self.connections.log_out(id);
            return Err(self.opens_nothing());
        };
        // What this client does next is ordered after what it has seen. Of somebody who is not known here it says
        // nothing: they log in, and hand it in once more.
        if let Some(seen) = seen {
            self.ledger.observe(seen);
        }
        if self.connections.login(id).is_some_and(|login| login.account != account) {
            return Err(Refusal::AlreadyLoggedIn);
        }
        self.room_for_jobs(id)?;
        self.connections.log_in(id, Login { account, token });
        self.note_use(now, account, token);
        let notice = self.notice_for(account);
        let job = Job::LoginCount { connection: id, tag, account, token: None, notice };
        self.confirm_delivered(now, account);
        self.query_when_durable(job, Query::PendingCount(account));
        Ok(())
    }

    /// What a person is told at login.
    pub(crate) fn notice_for(&self, account: AccountId) -> Option<Notice> {
        let known = self.directory.living(account)?;
        if known.password_was_changed_twice() {
            return Some(Notice::PasswordChangedTwice);
        }
        let (from, to) = (known.record.name.clone(), known.called.to_string());
        (from != to).then_some(Notice::Renamed { from, to })
    }

    pub(crate) fn log_out(&mut self, now: Now, id: ConnectionId, tag: Tag, key: Key) -> Result<(), Refusal> {
        let login = self.logged_in(id)?;
        // The connection goes on without a login; all others of the session are ended.
        self.connections.log_out(id);
        self.confirm_delivered(now, login.account);
        let body = Body::Logout(Logout { token: login.token });
        let fact = self.ledger.make(now, login.account, Some(key), body);
        self.admit(now, &fact, Some(Reply::Stored(id, tag)));
        Ok(())
    }

    pub(crate) fn delete(&mut self, now: Now, id: ConnectionId, tag: Tag, key: Key) -> Result<(), Refusal> {
        let login = self.logged_in(id)?;
        self.connections.log_out(id);
        self.confirm_delivered(now, login.account);
        let fact = self.ledger.make(now, login.account, Some(key), Body::Delete);
        self.admit(now, &fact, Some(Reply::Stored(id, tag)));
        Ok(())
    }

    /// A new password is hashed.
    pub(crate) fn on_hashed(&mut self, now: Now, id: JobId, hash: Option<String>, token: SessionToken) {
        let Some(job) = self.jobs.done(id) else { return };
        match (job, hash) {
            (Job::Create { connection, tag, name, key, password }, Some(hash)) => {
                // Two of them came at once, perhaps with two passwords: whoever is later must know that of the first.
                match self.directory.any(AccountId::of_create(key, &name)) {
                    Some(known) => {
                        hit("two creates of one account at once");
                        let hash = known.password_hash().to_owned();
                        let job = Job::CreateAgain { connection, tag, name, key, hash: hash.clone() };
                        self.check(connection, job, password, vec![hash]);
                    }
                    None => self.attempt(now, connection, tag, name, key, hash, false, token),
                }
            }
            (Job::NewPassword { connection, tag, key, replaces }, Some(hash)) => {
                if let Err(refusal) = self.set_password(now, connection, tag, key, replaces, hash) {
                    self.answer(connection, tag, Err(refusal));
                }
                self.go_on(now, connection);
            }
            (Job::Create { connection, tag, .. } | Job::NewPassword { connection, tag, .. }, None) => {
                self.answer(connection, tag, Err(Refusal::TooMany { retry_ms: HASH_RETRY_MS }));
                self.go_on(now, connection);
            }
            _ => debug_assert!(false, "a hash that nobody asked for"),
        }
    }

    /// A password is checked.
    pub(crate) fn on_checked(&mut self, now: Now, id: JobId, fits: Result<Option<Fit>, Busy>, token: SessionToken) {
        let Some(job) = self.jobs.done(id) else { return };
        let (connection, tag) = match &job {
            Job::Login { connection, tag, .. }
            | Job::CreateAgain { connection, tag, .. }
            | Job::OldPassword { connection, tag, .. } => (*connection, *tag),
            _ => return debug_assert!(false, "a check that nobody asked for"),
        };
        let refusal = match (job, fits) {
            (_, Err(Busy)) => Some(Refusal::TooMany { retry_ms: HASH_RETRY_MS }),
            (Job::Login { asked, candidates, .. }, Ok(Some(fit))) => {
                let fits = candidates.get(fit.which).copied();
                let opened = self.open_session(now, connection, tag, &asked, fits, token);
                if let (Ok(()), Some(fits), Some(hash)) = (&opened, fits, fit.rehashed) {
                    self.rehash(now, fits, hash);
                }
                opened.err()
            }
            (Job::CreateAgain { name, key, hash, .. }, Ok(Some(_))) => {
                return self.attempt(now, connection, tag, name, key, hash, true, token);
            }
            (Job::OldPassword { new, key, replaces, .. }, Ok(Some(_))) => {
                return self.hash(connection, Job::NewPassword { connection, tag, key, replaces }, new);
            }
            (Job::CreateAgain { .. }, Ok(None)) => Some(Refusal::NameTaken),
            (Job::OldPassword { .. }, Ok(None)) => Some(Refusal::BadPassword("The old password is not right.")),
            (_, Ok(_)) => Some(self.opens_nothing()),
        };
        if let Some(refusal) = refusal {
            self.answer(connection, tag, Err(refusal));
        }
        self.go_on(now, connection);
    }

    /// Why nobody is let in: what this replica does not know, others may.
    fn opens_nothing(&self) -> Refusal {
        if self.may_lack() && !planted(Bug::RefusesUnknown) {
            hit("a login that others may know");
            return Refusal::NotKnownHere;
        }
        Refusal::WrongLogin
    }

    fn open_session(
        &mut self,
        now: Now,
        connection: ConnectionId,
        tag: Tag,
        asked: &str,
        fits: Option<Candidate>,
        token: SessionToken,
    ) -> Result<(), Refusal> {
        let Candidate { account, password, .. } = fits.ok_or_else(|| self.opens_nothing())?;
        // While the password was checked, the account may have gone, or got another one.
        let known = self.directory.living(account).ok_or_else(|| self.opens_nothing())?;
        if !known.is_in_force(password) || fold(asked.split('~').next().unwrap_or(asked)) != fold(&known.record.name) {
            return Err(self.opens_nothing());
        }
        self.room_for_people()?;
        self.make_room_for_session(now, account)?;
        self.confirm_delivered(now, account);
        let body = Body::Session(Session { token: token.hash(), password, at_ms: self.session_time(now) });
        let fact = self.ledger.make(now, account, None, body);
        self.connections.log_out(connection);
        self.admit(now, &fact, Some(Reply::Login { connection, tag, account, token: token.clone() }));
        self.connections.log_in(connection, Login { account, token: token.hash() });
        Ok(())
    }

    /// Somebody has logged in whose password was hashed with older parameters. Nobody waits for this one, and where
    /// there is no room for it, the next login makes it.
    fn rehash(&mut self, now: Now, of: Candidate, hash: String) {
        let known = self.directory.living(of.account);
        // Another login may have done it meanwhile.
        let known = known.filter(|known| known.hash_order() == of.hash && self.room_for_facts().is_ok());
        let Some(set) = known.and_then(|known| known.password_set()) else { return };
        hit("a password hashed anew");
        let body = Body::Rehash(Rehash { password: hash, of: set });
        let fact = self.ledger.make(now, of.account, None, body);
        self.admit(now, &fact, None);
    }
}
