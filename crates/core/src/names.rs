//! Unique names: the procedure of a create, and what others say to it.
//!
//! 1. A *claim* is made. It waits for the usual syncs, and for a verdict of every *connected* peer, in
//!    sync or not: all that it has received about rivals.
//! 2. It is refused if a rival is confirmed, or an earlier one arrived here less than 10 s ago and was
//!    not withdrawn. Otherwise a *confirm* is made, waits in the same way, and the replica looks again:
//!    with an earlier live rival by then, the claim is *withdrawn*.
//! 3. A claim that is not confirmed within 5 s of its making never is. Without verdicts: `unavailable`.
//!
//! So among replicas that are connected, also through a common third, two users can't both get a name.

use lastword_facts::Body;
use lastword_facts::fact::{Claim, Session, Verdict as VerdictFact};
use lastword_facts::ids::{AccountId, Key, Order};
use lastword_facts::token::SessionToken;
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::claims::{Attempt, Heard};
use crate::directory::fold;
use crate::io::{Answer, ConnectionId, Copies, LinkId, Refusal, ReplicaId, Tag};
use crate::peer_message::{Ask, PeerMessage, Rival, Verdict};
use crate::release::{Login, Reply};
use crate::time::{Mono, Now};

/// Attempts at names under way at a time.
const ATTEMPTS: usize = 1000;
/// Claims of one account on its name, over all retries.
const CLAIMS: usize = 64;

/// What a look at the rivals of a claim says.
enum Look {
    /// No rival stands in the way.
    Clear,
    /// One does.
    Taken,
}

impl Core {
    /// Begins an attempt at a name, or joins the one of the same account that is under way. `checked`: the account was
    /// known, and the password is that one's.
    #[expect(clippy::too_many_arguments, reason = "they are the fields of one request")]
    pub(crate) fn attempt(
        &mut self,
        now: Now,
        connection: ConnectionId,
        tag: Tag,
        name: String,
        key: Key,
        password: String,
        checked: bool,
        token: SessionToken,
    ) {
        let account = AccountId::of_create(key, &name);
        if let Some(attempt) = self.attempts.get_mut(&account) {
            return attempt.replies.push((connection, tag));
        }
        let claims = self.directory.any(account).map_or(0, |known| known.record.claims.len());
        if self.attempts.len() >= ATTEMPTS || claims >= CLAIMS {
            self.answer(connection, tag, Err(Refusal::TooMany { retry_ms: 1000 }));
            return self.go_on(now, connection);
        }
        let body = Body::Claim(Claim { name: name.clone(), password, at_ms: now.wall_ms() });
        let fact = self.ledger.make(now, account, Some(key), body);
        self.hear_fact(now.mono, &fact);
        let attempt = Attempt {
            folded: fold(&name),
            name,
            account,
            replies: vec![(connection, tag)],
            claim: fact.position,
            order: fact.order(),
            since: now.mono,
            confirming: false,
            stored: false,
            verdicts: Default::default(),
            checked,
            token,
        };
        let ask = attempt.ask();
        self.attempts.insert(account, attempt);
        self.admit(now, &fact, Some(Reply::Claim(account)));
        self.ask_all(&ask);
    }

    fn ask_all(&mut self, ask: &Ask) {
        if planted(Bug::ClaimsAlone) {
            return;
        }
        let links: Vec<(ReplicaId, LinkId)> = self.peers.links().map(|(peer, link)| (peer, link.id)).collect();
        for (peer, link) in links {
            self.send(peer, link, PeerMessage::Ask(ask.clone()));
        }
    }

    /// On a new link, what is undecided is asked again.
    pub(crate) fn ask_about_attempts(&mut self, peer: ReplicaId, link: LinkId) {
        let asks: Vec<Ask> = self.attempts.values().map(Attempt::ask).collect();
        for ask in asks {
            self.send(peer, link, PeerMessage::Ask(ask));
        }
    }

    /// What a peer said is worth nothing any more when its link is gone.
    pub(crate) fn verdicts_of_lost(&mut self, now: Now, peer: ReplicaId) {
        for attempt in self.attempts.values_mut() {
            attempt.verdicts.remove(&peer);
        }
        self.judge_attempts(now);
    }

    /// A peer asks what was received about rivals of a claim. Answered at once, before any sync.
    pub(crate) fn on_ask(&mut self, now: Now, peer: ReplicaId, link: LinkId, ask: Ask) {
        let Ask { claim, order, account, name, confirming } = ask;
        let folded = fold(&name);
        self.ledger.observe(order.stamp);
        self.hearsay.hear(now.mono, &folded, Rival { claim, order, account, confirmed: confirming, withdrawn: false });
        let rivals = self.rivals(&folded, account).into_iter().map(|heard| heard.rival).collect();
        self.send(peer, link, PeerMessage::Verdict(Verdict { claim, confirming, rivals }));
    }

    pub(crate) fn on_verdict(&mut self, now: Now, peer: ReplicaId, verdict: Verdict) {
        let Some(attempt) = self.attempts.values_mut().find(|attempt| attempt.claim == verdict.claim) else { return };
        if attempt.confirming == verdict.confirming {
            attempt.verdicts.insert(peer);
        }
        let folded = attempt.folded.clone();
        for rival in verdict.rivals {
            self.ledger.observe(rival.order.stamp);
            self.hearsay.hear(now.mono, &folded, rival);
        }
        self.judge_attempts(now);
    }

    /// The fact of an attempt's present step is on all disks that are in sync.
    pub(crate) fn on_claim_stored(&mut self, now: Now, account: AccountId, copies: Copies) {
        if let Some(attempt) = self.attempts.get_mut(&account) {
            attempt.stored = true;
            self.judge_attempt(now, account, copies);
        }
    }

    pub(crate) fn judge_attempts(&mut self, now: Now) {
        let accounts: Vec<AccountId> = self.attempts.keys().copied().collect();
        for account in accounts {
            if let Some(claim) = self.attempts.get(&account).map(|attempt| attempt.claim) {
                self.judge_attempt(now, account, self.copies(claim));
            }
        }
    }

    /// Takes an attempt a step further, if nothing is missing for it.
    fn judge_attempt(&mut self, now: Now, account: AccountId, copies: Copies) {
        let Some(attempt) = self.attempts.get(&account) else { return };
        if now.mono.since(attempt.since) >= self.config.settings.claim {
            hit("name not secured in time");
            let text = "The name could not be secured in time: another replica does not answer. Please try again.";
            return self.finish(now, account, Err(Refusal::Unavailable(text)));
        }
        let asked = if planted(Bug::AsksInSyncOnly) {
            self.peers.in_sync().map(|(peer, _)| peer).collect()
        } else {
            self.peers.connected()
        };
        let waits = !asked.is_subset(&attempt.verdicts) && !planted(Bug::ClaimsAlone);
        if !attempt.stored || waits {
            return;
        }
        let claims = self.directory.any(account).map_or(0, |known| known.record.claims.len());
        if !attempt.checked && claims > 1 {
            hit("one account created at two replicas");
            let text = "This account is being created at another replica at the same time. Please try again.";
            return self.finish(now, account, Err(Refusal::Unavailable(text)));
        }
        let (folded, order, confirming) = (attempt.folded.clone(), attempt.order, attempt.confirming);
        match (confirming, self.look(now.mono, &folded, account, order, confirming)) {
            (false, Look::Clear) => self.confirm(now, account),
            (false, Look::Taken) => {
                hit("claim refused at the first look");
                self.finish(now, account, Err(self.name_taken()));
            }
            (true, Look::Clear) => self.finish(now, account, Ok(copies)),
            (true, Look::Taken) => self.withdraw(now, account),
        }
    }

    /// Looks at the rivals of a claim.
    fn look(&self, now: Mono, folded: &str, account: AccountId, order: Order, confirming: bool) -> Look {
        let shadow = self.config.settings.claim_shadow;
        let in_the_way = |heard: &Heard| {
            let Rival { order: theirs, confirmed, withdrawn, .. } = heard.rival;
            let fresh = now.since(heard.arrived) < shadow;
            let earlier = theirs < order;
            // At the second look a later one that was confirmed meanwhile is no rival: the earlier keeps
            // the name, everywhere.
            if planted(Bug::IgnoresUnconfirmed) && !confirmed || planted(Bug::LooksOnce) && confirming {
                return false;
            }
            if planted(Bug::IgnoresLaterConfirmed) && !earlier {
                return false;
            }
            !withdrawn && if confirming { earlier && (confirmed || fresh) } else { confirmed || earlier && fresh }
        };
        if self.rivals(folded, account).iter().any(in_the_way) { Look::Taken } else { Look::Clear }
    }

    /// All that was received about claims of others on a name: taken in, held, or told.
    fn rivals(&self, folded: &str, account: AccountId) -> Vec<Heard> {
        let heard = self.hearsay.of(folded);
        let mut rivals: Vec<Heard> = heard.iter().filter(|heard| heard.rival.account != account).copied().collect();
        for known in self.directory.claimants(folded).filter(|known| known.record.id != account) {
            for claim in &known.record.claims {
                let found = rivals.iter_mut().find(|heard| heard.rival.claim == claim.position);
                match found {
                    Some(heard) => {
                        heard.rival.order = claim.order;
                        heard.rival.confirmed |= claim.confirmed;
                        heard.rival.withdrawn |= claim.withdrawn;
                    }
                    // Not heard since this start: it was there before.
                    None => rivals.push(Heard {
                        rival: Rival {
                            claim: claim.position,
                            order: claim.order,
                            account: known.record.id,
                            confirmed: claim.confirmed,
                            withdrawn: claim.withdrawn,
                        },
                        arrived: self.started,
                    }),
                }
            }
        }
        rivals.retain(|heard| !self.directory.is_deleted(heard.rival.account));
        rivals
    }

    /// Whether somebody else has the name for sure.
    pub(crate) fn rival_is_confirmed(&self, folded: &str, account: AccountId) -> bool {
        if planted(Bug::IgnoresLaterConfirmed) {
            return false;
        }
        self.rivals(folded, account).iter().any(|heard| heard.rival.confirmed && !heard.rival.withdrawn)
    }

    /// The first look was clear: the claim is confirmed, and the account's first session is made.
    fn confirm(&mut self, now: Now, account: AccountId) {
        let Some(attempt) = self.attempts.get_mut(&account) else { return };
        (attempt.confirming, attempt.stored, attempt.since) = (true, false, now.mono);
        attempt.verdicts.clear();
        let verdict = VerdictFact { claim: attempt.claim, name: attempt.name.clone() };
        let (ask, token) = (attempt.ask(), attempt.token.hash());
        let fact = self.ledger.make(now, account, None, Body::Confirm(verdict));
        self.hear_fact(now.mono, &fact);
        self.admit(now, &fact, None);
        let password = self.directory.any(account).and_then(|known| known.password_order());
        // Where all are in use, one more is the smaller evil: the account is just being created, once more.
        let _ = self.make_room_for_session(now, account);
        let session = Session { token, password, at_ms: self.session_time(now) };
        let session = self.ledger.make(now, account, None, Body::Session(session));
        self.admit(now, &session, Some(Reply::Claim(account)));
        self.ask_all(&ask);
        self.judge_attempts(now);
    }

    /// The second look found an earlier rival: the name is given back, unless another attempt of the
    /// same account holds it.
    fn withdraw(&mut self, now: Now, account: AccountId) {
        let Some(attempt) = self.attempts.get(&account) else { return };
        let verdict = VerdictFact { claim: attempt.claim, name: attempt.name.clone() };
        let others = self.directory.any(account).map(|known| known.record.claims.as_slice()).unwrap_or_default();
        let another = others.iter().any(|claim| claim.position != verdict.claim && claim.confirmed && !claim.withdrawn);
        if !another {
            hit("claim withdrawn");
            let fact = self.ledger.make(now, account, None, Body::Withdraw(verdict));
            self.hear_fact(now.mono, &fact);
            self.admit(now, &fact, None);
        }
        self.finish(now, account, Err(self.name_taken()));
    }

    /// Somebody has the name, as far as is known here. Where others know more, the owner may be deleted: that is not
    /// said then.
    pub(crate) fn name_taken(&self) -> Refusal {
        if !self.is_behind() {
            return Refusal::NameTaken;
        }
        hit("name not known to be taken while behind");
        Refusal::Unavailable("This replica is catching up, and may not know yet who has the name. Please try again.")
    }

    /// Ends an attempt, and answers everybody who waits for it.
    fn finish(&mut self, now: Now, account: AccountId, result: Result<Copies, Refusal>) {
        let Some(attempt) = self.attempts.remove(&account) else { return };
        for (connection, tag) in attempt.replies {
            let answer = match &result {
                Ok(copies) => {
                    let login = Login { account, token: attempt.token.hash() };
                    self.connections.log_in(connection, login);
                    let name = self.directory.called(account).to_string();
                    Ok(Answer::Created { account, name, token: attempt.token.clone(), copies: *copies })
                }
                Err(refusal) => Err(refusal.clone()),
            };
            self.answer(connection, tag, answer);
            self.go_on(now, connection);
        }
    }
}

impl Attempt {
    /// What is asked of peers at this look.
    fn ask(&self) -> Ask {
        Ask {
            claim: self.claim,
            order: self.order,
            account: self.account,
            name: self.name.clone(),
            confirming: self.confirming,
        }
    }
}
