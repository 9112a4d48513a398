//! People without a client of ours, who ask replicas by hand: other devices of somebody, a thief who knows a password, a
//! script that logs in again and again, and a stranger who says that they have seen the end of time.
//!
//! They come in some seeds only, none of those that failed once: those are to show what they showed.

use lastword_core::io::Request as CoreRequest;
use lastword_facts::token::TokenHash;

use super::*;

/// Between two visits, at most, in milliseconds.
const EVERY_MS: u64 = 60;

/// All guests.
#[derive(Default)]
pub(crate) struct Guests {
    /// The passwords that were ever wanted for an account, of each person.
    pub(crate) passwords: BTreeMap<usize, Vec<String>>,
    visits: BTreeMap<ConnectionId, Visit>,
    /// Sessions that guests have opened: whose, and the token.
    pub(crate) sessions: Vec<(AccountId, TokenHash)>,
    /// Those that they have ended by themselves.
    pub(crate) logged_out: BTreeSet<TokenHash>,
    /// Questions at the end: what was answered to each.
    pub(crate) answers: BTreeMap<ConnectionId, bool>,
}

/// A guest at a replica.
pub(crate) struct Visit {
    pub(crate) node: usize,
    life: u64,
    person: usize,
    password: String,
    plan: Next,
    /// The session that the connection is logged in with.
    pub(crate) token: Option<TokenHash>,
}

/// What a guest does after the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing: it was a stranger.
    Go,
    /// Goes without a word.
    Leave,
    /// Ends the session.
    LogOut,
    /// Stays connected.
    Stay,
    /// Changes the password.
    Change,
    /// It was a question at the end.
    Tell,
}

impl World {
    /// Somebody comes.
    pub(super) fn guest(&mut self) {
        if self.now > self.trouble_until {
            return;
        }
        let wait = self.chance.ms(1..EVERY_MS);
        self.after(wait, Happening::Guest);
        let node = self.chance.below(self.nodes.len() as u64) as usize;
        let known: Vec<usize> = (0..self.people.len()).filter(|&n| self.people[n].stage == Stage::Chatting).collect();
        // Mostly the same one: else nobody would ever have too many sessions.
        let someone = self.chance.pick(&known).copied();
        let person = known.first().copied().filter(|_| self.chance.per_mille(900)).or(someone);
        if !self.nodes[node].is_up() || self.nodes[node].frozen {
            return;
        }
        if self.chance.per_mille(100) {
            return self.boast(node);
        }
        let Some(person) = person else { return };
        let passwords = self.passwords_of(person);
        let newest = passwords.last().cloned().filter(|_| self.chance.per_mille(700));
        let Some(password) = newest.or_else(|| self.chance.pick(&passwords).cloned()) else { return };
        let plan = match self.chance.below(100) {
            0..4 => Next::Change,
            4..8 => Next::Stay,
            8..30 => Next::LogOut,
            _ => Next::Leave,
        };
        let name = self.people[person].name.clone();
        let login = CoreRequest::Login { name, password: Password(password.clone()) };
        self.visit(node, person, password, plan, login);
    }

    /// A stranger has seen something that nobody can have seen.
    fn boast(&mut self, node: usize) {
        let seen = Stamp([u64::MAX, Stamp::MAX.0, Stamp::HORIZON.0, 1 << 60][self.chance.below(4) as usize]);
        let token = self.draw_token().hash();
        self.count("hostile seen");
        self.visit(node, 0, String::new(), Next::Go, CoreRequest::Resume { token, seen: Some(seen) });
    }

    fn visit(
        &mut self,
        node: usize,
        person: usize,
        password: String,
        plan: Next,
        request: CoreRequest,
    ) -> ConnectionId {
        let id = ConnectionId(self.next_number());
        let life = self.nodes[node].life;
        self.guests.visits.insert(id, Visit { node, life, person, password, plan, token: None });
        self.say(|| format!("a guest comes to n{node} as p{person}, to {plan:?}"));
        self.input(node, Input::Opened(id));
        self.input(node, Input::Request(id, Tag(1), request));
        id
    }

    /// What was wanted for a person's account, the first one first.
    pub(crate) fn passwords_of(&mut self, person: usize) -> Vec<String> {
        let first = format!("secret of {person}");
        self.guests.passwords.entry(person).or_insert_with(|| vec![first]).clone()
    }

    /// The connection of a guest ends.
    fn goes(&mut self, id: ConnectionId) {
        let Some(visit) = self.guests.visits.remove(&id) else { return };
        if self.nodes[visit.node].life == visit.life {
            let (node, life, input) = (visit.node, visit.life, Input::Closed(id));
            self.after(Duration::from_millis(1), Happening::Input { node, life, input });
        }
    }

    /// Its replica ends it.
    pub(super) fn guest_closed(&mut self, id: ConnectionId) {
        self.guests.visits.remove(&id);
    }

    /// A replica answers a guest.
    pub(super) fn guest_answered(
        &mut self,
        id: ConnectionId,
        tag: Tag,
        result: &Result<Answer, lastword_core::io::Refusal>,
    ) {
        let Some(visit) = self.guests.visits.get_mut(&id) else { return };
        let (node, life, person, plan) = (visit.node, visit.life, visit.person, visit.plan);
        if plan == Next::Tell {
            self.guests.answers.insert(id, result.is_ok());
            return self.goes(id);
        }
        let Ok(answer) = result else { return self.goes(id) };
        if let Answer::LoggedIn { account, token: Some(token), .. } = answer {
            visit.token = Some(token.hash());
            self.guests.sessions.push((*account, token.hash()));
        }
        let request = match (plan, tag) {
            (Next::Change, Tag(1)) => {
                let old = Password(visit.password.clone());
                let mine = self.passwords_of(person).len();
                let new = format!("secret {mine} of {person}");
                self.guests.passwords.entry(person).or_default().push(new.clone());
                self.count("password changed by a guest");
                CoreRequest::Password { old, new: Password(new), key: Key(self.draw_key(0).as_u128()) }
            }
            (Next::LogOut, Tag(1)) => {
                self.guests.logged_out.extend(visit.token);
                CoreRequest::Logout { key: Key(self.draw_key(0).as_u128()) }
            }
            (Next::Stay, _) => return,
            _ => return self.goes(id),
        };
        let (wait, input) = (self.hop(), Input::Request(id, Tag(2), request));
        self.after(wait, Happening::Input { node, life, input });
    }

    /// Whether a session is good at a replica, when all is quiet.
    pub(crate) fn ask_for_session(&mut self, node: usize, token: TokenHash) -> Option<bool> {
        let request = CoreRequest::Resume { token, seen: None };
        let id = self.visit(node, 0, String::new(), Next::Tell, request);
        // One that is good is answered after a look at what waits.
        let end = self.now + Duration::from_millis(5);
        self.run_until(end);
        self.guests.answers.remove(&id)
    }

    /// The guests who are at a replica now.
    pub(crate) fn guests_at(&self, node: usize) -> impl Iterator<Item = &Visit> {
        let life = self.nodes[node].life;
        self.guests.visits.values().filter(move |visit| visit.node == node && visit.life == life)
    }
}
