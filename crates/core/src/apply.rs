//! What a fact does to the state.
//!
//! Applying is total: a fact that can't be, or is not understood, is kept, ignored and reported. It is
//! commutative: replicas that hold the same facts show the same, whatever the order.

use std::sync::Arc;

use lastword_facts::fact::{Message, Verdict};
use lastword_facts::ids::LogIndex;
use lastword_facts::views::{AccountRecord, Applied, Change};
use lastword_facts::{Body, Fact};
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::directory::fold;
use crate::io::{CloseReason, Report};
use crate::keys::Known;
use crate::peer_message::Rival;
use crate::release::{Effect, Entry, Reply};
use crate::time::{Mono, Now};

impl Core {
    /// Takes a fact in, own or not, with all that was held for it.
    pub(crate) fn admit(&mut self, now: Now, fact: &Arc<Fact>, reply: Option<Reply>) {
        self.admit_one(now.mono, fact, reply);
        let mut admitted = vec![fact.position];
        while let Some(&position) = admitted.last() {
            if self.ledger.held.is_empty() {
                break;
            }
            match self.ledger.next_ready(position) {
                Some(fact) => {
                    self.admit_one(now.mono, &fact, None);
                    admitted.push(fact.position);
                }
                None => {
                    admitted.pop();
                }
            }
        }
    }

    fn admit_one(&mut self, now: Mono, fact: &Arc<Fact>, reply: Option<Reply>) {
        let index = self.ledger.admit(fact);
        let (change, effect) = self.apply(fact, index);
        self.unapplied.push_back(Applied { index, position: fact.position, stamp: self.ledger.counted(fact), change });
        if planted(Bug::ConfirmsBeforeSync) {
            self.send_to_all(&crate::PeerMessage::Confirm(vec![fact.position]));
        }
        let own = (fact.position.incarnation == self.ledger.own()).then_some((fact.position.seq, now));
        if own.is_some() {
            self.quotas.spend(now, fact.author, fact.bytes().len() as u64);
        }
        self.waiting.push(Entry { index, own, author: fact.author, effect, reply });
    }

    /// Applies a fact to the state. Says what the views take in, and what happens when it is released.
    pub(crate) fn apply(&mut self, fact: &Arc<Fact>, index: LogIndex) -> (Change, Effect) {
        if let Some(why) = fact.impossible().filter(|_| !planted(Bug::BelievesImpossible)) {
            self.report(Report::Ignored(fact.position, why));
            return (Change::None, Effect::None);
        }
        let account = |record: Option<Box<AccountRecord>>| record.map_or(Change::None, Change::Account);
        match &fact.body {
            Body::Claim(claim) => (account(self.directory.claim(fact, claim)), Effect::None),
            Body::Confirm(verdict) => (account(self.directory.mark(fact, verdict, true)), Effect::None),
            Body::Withdraw(verdict) => (account(self.directory.mark(fact, verdict, false)), Effect::None),
            Body::Message(message) => self.apply_message(fact, message, index),
            Body::Delivered(delivered) => {
                self.mailboxes.on_delivered(fact.author);
                let change = Change::Delivered { account: fact.author, upto: delivered.upto.clone() };
                (change, Effect::Receipts { to: fact.author, upto: delivered.upto.clone() })
            }
            Body::Session(session) => {
                let ends = Effect::Sessions(fact.author, CloseReason::LoggedOut);
                let record = self.directory.open_session(fact, session);
                self.on_session_opened(fact.author);
                (account(record), ends)
            }
            Body::Logout(logout) => {
                let ends = Effect::Sessions(fact.author, CloseReason::LoggedOut);
                (account(self.directory.end_session(fact, logout.token)), ends)
            }
            Body::Password(password) => {
                let ends = Effect::Sessions(fact.author, CloseReason::LoggedOut);
                (account(self.directory.password(fact, password)), ends)
            }
            Body::Delete => {
                self.blocks.forget(fact.author);
                let deleted = self.directory.delete(fact).map_or(Change::None, Change::Deleted);
                (deleted, Effect::Sessions(fact.author, CloseReason::Deleted))
            }
            Body::Rehash(rehash) => (account(self.directory.rehash(fact, rehash)), Effect::None),
            Body::Used(used) => (account(self.directory.used(fact, used)), Effect::None),
            Body::Block(block) if !self.directory.is_deleted(fact.author) => {
                (self.blocks.apply(fact, block).map_or(Change::None, Change::Block), Effect::None)
            }
            Body::Block(_) | Body::Lost => (Change::None, Effect::None),
            Body::Unknown(unknown) => {
                self.report(Report::NotUnderstood(fact.position, unknown.kind));
                (Change::None, Effect::None)
            }
        }
    }

    fn apply_message(&mut self, fact: &Arc<Fact>, message: &Message, index: LogIndex) -> (Change, Effect) {
        let known = Known { position: fact.position, index, stamp: fact.stamp, to: message.to, at_ms: message.at_ms };
        let again = self.keys.learn(fact.author, fact.key, known);
        let lives = |id| self.directory.any(id).is_some_and(|account| !account.record.deleted);
        // In the history it stands on every replica, whether it came before the deletion or after.
        if again {
            hit("one message at two positions");
        }
        if !lives(fact.author) || !lives(message.to) {
            hit("message beside a deletion");
            if self.directory.any(fact.author).is_none() || self.directory.any(message.to).is_none() {
                self.damage.note_unshown(fact.position);
            }
            if planted(Bug::DropsBesideDeletion) {
                return (Change::None, Effect::None);
            }
            return (Change::Message(fact.clone()), Effect::None);
        }
        if message.unwanted == Some(true) && !planted(Bug::ShowsUnwanted) {
            hit("a message that nobody wants");
            self.unwanted.on_message(message.to, fact.author);
            return (Change::Message(fact.clone()), Effect::None);
        }
        self.mailboxes.on_message(message.to, fact.author);
        self.receipts.expect(message.to, fact.position, fact.author, fact.key);
        let effect = Effect::Message { fact: fact.clone(), to: message.to, again };
        (Change::Message(fact.clone()), effect)
    }

    /// Listens to what a fact says of a claim, as soon as it is received and before it is taken in.
    pub(crate) fn hear_fact(&mut self, now: Mono, fact: &Fact) {
        if fact.impossible().is_some() {
            return;
        }
        let rival = Rival {
            claim: fact.position,
            order: fact.order(),
            account: fact.author,
            confirmed: false,
            withdrawn: false,
        };
        // A verdict does not know the order of its claim: the earliest of all, until the claim is heard.
        let of_verdict = |verdict: &Verdict| Rival {
            claim: verdict.claim,
            order: lastword_facts::Order { stamp: lastword_facts::Stamp(0), incarnation: verdict.claim.incarnation },
            ..rival
        };
        let (name, rival) = match &fact.body {
            Body::Claim(claim) => (&claim.name, rival),
            Body::Confirm(verdict) => (&verdict.name, Rival { confirmed: true, ..of_verdict(verdict) }),
            Body::Withdraw(verdict) => (&verdict.name, Rival { withdrawn: true, ..of_verdict(verdict) }),
            _ => return,
        };
        self.ledger.observe(fact.stamp);
        self.hearsay.hear(now, &fold(name), rival);
    }
}
