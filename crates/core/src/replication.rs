//! The other replicas: links, in sync, pushing.

use std::sync::Arc;
use std::time::Duration;

use lastword_facts::Fact;
use lastword_facts::ids::{Position, Seq};
use lastword_facts::views::Query;
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::io::{DiskRoom, Health, JobId, Leave, LinkId, Output, ReplicaId, Report, Standing};
use crate::jobs::Job;
use crate::pace;
use crate::peer_message::{Hello, PEER_VERSION, PeerMessage};
use crate::peers::Link;
use crate::time::{Mono, Now};

/// The most facts in one push, in bytes (but for the last of them).
pub(crate) const PIECE_BYTES: usize = 64 * 1024;
/// Facts that are pushed on a link in one go, in bytes; then others have their turn. A peer that comes back is pushed
/// megabytes, and encrypting those takes as long as people notice.
const PUSHED_AT_ONCE: usize = 4 * PIECE_BYTES;

impl Core {
    pub(crate) fn on_link_up(&mut self, now: Now, peer: ReplicaId, id: LinkId) {
        let replaced = self.peers.links().find(|&(other, _)| other == peer).map(|(_, link)| link.id);
        if let Some(replaced) = replaced {
            // Nobody uses it any more: left open it would keep the two from dialling each other again.
            hit("link replaced by another");
            self.outputs.push_back(Output::CloseLink(peer, replaced));
        }
        let why = if replaced.is_some() { Leave::Replaced } else { Leave::Disconnected };
        self.drop_link(now, peer, why);
        let Some(state) = self.peers.peer(peer) else { return };
        state.link = Some(Link::new(id, now.mono));
        let hello = Hello {
            version: PEER_VERSION,
            group: self.config.group,
            incarnation: self.ledger.own(),
            vector: self.told_vector(),
            stale: self.health.stale,
        };
        self.send(peer, id, PeerMessage::Hello(hello));
        self.ask_about_attempts(peer, id);
    }

    pub(crate) fn on_link_down(&mut self, now: Now, peer: ReplicaId, id: LinkId) {
        if self.peers.link(peer, id).is_some() {
            self.drop_link(now, peer, Leave::Disconnected);
        }
    }

    /// Forgets the link to a peer, and all that it said on it.
    pub(crate) fn drop_link(&mut self, now: Now, peer: ReplicaId, why: Leave) {
        self.leave(now, peer, why);
        if let Some(link) = self.peers.peer(peer).and_then(|peer| peer.link.take()) {
            self.on_come_or_gone(link.online.into_iter());
        }
        self.damage.forget_link(peer);
        self.verdicts_of_lost(now, peer);
        // What came from it, others may wait for now.
        self.tell_owed(|_| true);
        self.pull_missing(now);
        self.release(now);
    }

    pub(crate) fn on_peer_message(&mut self, now: Now, peer: ReplicaId, id: LinkId, message: PeerMessage) {
        let Some(link) = self.peers.link(peer, id) else { return };
        link.last_heard = now.mono;
        if let PeerMessage::Hello(hello) = message {
            return self.on_hello(now, peer, id, hello);
        }
        match message {
            PeerMessage::Push(facts) => {
                for fact in facts {
                    self.take_in(now, fact);
                }
                self.pull_missing(now);
            }
            PeerMessage::Confirm(changes) => self.on_confirm(now, peer, id, &changes),
            PeerMessage::Pull(pull) => self.on_pull(peer, id, pull),
            PeerMessage::Pulled(pull, facts) => self.on_pulled(now, peer, id, pull, facts),
            PeerMessage::Missing(position) => self.on_not_there(now, peer, id, position),
            PeerMessage::Ask(ask) => self.on_ask(now, peer, id, ask),
            PeerMessage::Verdict(verdict) => self.on_verdict(now, peer, verdict),
            PeerMessage::Ping(number, wall_us) => {
                link.clock = wall_us.map(|wall_us| Now { mono: now.mono, wall_us });
                self.send(peer, id, PeerMessage::Pong(number));
            }
            PeerMessage::Pong(number) => {
                if link.pinged.0 == number {
                    link.round_trip = now.mono.since(link.pinged.1);
                }
            }
            PeerMessage::Presence(presence) => self.on_presence(peer, id, presence),
            PeerMessage::CaughtUp => {
                if link.said_hello() {
                    (link.is_stale, link.had) = (false, Some(link.confirmed.clone()));
                }
            }
            PeerMessage::Hello(_) | PeerMessage::Unknown(_) => {}
        }
    }

    fn on_hello(&mut self, now: Now, peer: ReplicaId, id: LinkId, hello: Hello) {
        if hello.group != self.config.group {
            self.report(Report::WrongGroup(peer));
            self.outputs.push_back(Output::CloseLink(peer, id));
            return self.drop_link(now, peer, Leave::Disconnected);
        }
        let own = self.ledger.own();
        let Some(link) = self.peers.link(peer, id) else { return };
        if link.said_hello() {
            return;
        }
        link.incarnation = Some(hello.incarnation);
        link.pushed = if planted(Bug::PushesFromEnd) { self.ledger.last } else { hello.vector.seq(own) };
        link.confirmed = hello.vector.clone();
        for position in hello.vector.iter() {
            self.want(position);
        }
        if let Some(link) = self.peers.link(peer, id) {
            link.had = Some(hello.vector);
            link.is_stale = hello.stale;
        }
        self.tell_who_is_here(peer, id);
        self.repair_from(peer, id);
        self.after_confirm(now);
    }

    fn on_confirm(&mut self, now: Now, peer: ReplicaId, id: LinkId, changes: &[Position]) {
        let own = self.ledger.own();
        let Some(link) = self.peers.link(peer, id).filter(|link| link.said_hello()) else { return };
        for &position in changes {
            link.confirmed.raise(position);
        }
        link.landed(link.confirmed.seq(own));
        if planted(Bug::KeepsSlowPeer) && link.in_sync_since.is_some() {
            link.in_sync_since = Some(now.mono);
        }
        for &position in changes {
            self.want(position);
        }
        self.after_confirm(now);
    }

    fn after_confirm(&mut self, now: Now) {
        self.admit_peers(now);
        self.pull_missing(now);
        self.release(now);
    }

    /// Tells the others what has become durable here. Whose facts they are waits for it, and is told at once; so is
    /// everybody where that one is not connected, for somebody else may wait for its facts then. All others get it
    /// with what is told them next, or on the next tick: under load that is half of all that goes over the links.
    pub(crate) fn confirm_durable(&mut self, changes: &[Position]) {
        let own = self.ledger.own();
        let lost = changes.iter().any(|at| at.incarnation != own && !self.peers.pushes(at.incarnation));
        for (_, link) in self.peers.links_mut() {
            changes.iter().for_each(|&position| link.owed.raise(position));
        }
        let waits = |link: &Link| changes.iter().any(|at| link.incarnation == Some(at.incarnation));
        self.tell_owed(|link| lost || waits(link));
    }

    /// Tells those that a rule picks what has become durable here.
    pub(crate) fn tell_owed(&mut self, picks: impl Fn(&Link) -> bool) {
        let mut owed = Vec::new();
        for (peer, link) in self.peers.links_mut().filter(|(_, link)| picks(link)) {
            let changes: Vec<Position> = std::mem::take(&mut link.owed).iter().collect();
            if link.said_hello() || !planted(Bug::ConfirmsAfterHelloOnly) {
                owed.push((peer, link.id, changes));
            }
        }
        for (peer, link, changes) in owed {
            let changes = self.told(changes);
            if !changes.is_empty() {
                self.send(peer, link, PeerMessage::Confirm(changes));
            }
        }
    }

    /// Takes in what a peer sent, or keeps it for later.
    pub(crate) fn take_in(&mut self, now: Now, fact: Arc<Fact>) {
        self.hear_fact(now.mono, &fact);
        if self.damage.holds(fact.position) && !planted(Bug::LeavesDamaged) {
            return self.mend(now, fact);
        }
        match self.ledger.come(&fact, self.config.settings.held_bytes) {
            crate::ledger::Came::Known => {}
            crate::ledger::Came::Ready => self.admit(now, &fact, None),
            crate::ledger::Came::Held(missing) => {
                hit("held for what it rests on");
                if planted(Bug::ConfirmsHeld) {
                    self.send_to_all(&PeerMessage::Confirm(vec![fact.position]));
                }
                self.want(missing);
            }
            crate::ledger::Came::Dropped(_) if planted(Bug::ForgetsDropped) => {}
            crate::ledger::Came::Dropped(missing) => {
                hit("dropped for want of room, and pulled");
                if self.gaps.insert(fact.position.incarnation) {
                    self.report(Report::HoldFull);
                }
                if fact.previous().seq == self.ledger.taken.seq(fact.position.incarnation) {
                    self.blocked.insert(fact.position.incarnation, missing);
                }
                self.want(missing);
                self.want(fact.position);
            }
        }
    }

    /// Own facts, to everybody connected, as far as each can take them.
    pub(crate) fn push_facts(&mut self) {
        let (own, limit) = (self.ledger.own(), self.config.settings.push_bytes);
        let durable = self.ledger.durable.seq(own);
        let mut reads: Vec<(ReplicaId, LinkId, Position, Seq)> = Vec::new();
        let (now, busy) = (self.last_call, self.ledger.has_made(self.last_call, pace::QUIET));
        let mut more: Option<Mono> = None;
        for (peer, link) in self.peers.links_mut() {
            if !link.said_hello() || link.reading.is_some() {
                continue;
            }
            // It may have pulled what it was not pushed yet.
            if !planted(Bug::PushesWhatIsThere) {
                link.pushed = link.pushed.max(link.confirmed.seq(own));
            }
            let enough = link.in_flight_bytes + PUSHED_AT_ONCE;
            let paced = busy && link.in_sync_since.is_none();
            while link.pushed < self.ledger.last && link.in_flight_bytes < limit {
                let turn = (link.in_flight_bytes >= enough).then_some(Duration::ZERO);
                if let Some(wait) = turn.or_else(|| link.pace.wait(now).filter(|_| paced)) {
                    more = more.into_iter().chain([now + wait]).min();
                    break;
                }
                let next = link.pushed.next();
                let first = self.ledger.recent.first().unwrap_or(self.ledger.last.next());
                if next < first {
                    let upto = Seq((first.0 - 1).min(durable.0));
                    reads.push((peer, link.id, Position { incarnation: own, seq: next }, upto));
                    break;
                }
                let mut bytes = 0;
                let facts: Vec<Arc<Fact>> = self
                    .ledger
                    .recent
                    .from(next)
                    .take_while(|fact| {
                        let room = bytes < PIECE_BYTES;
                        bytes += fact.bytes().len();
                        room
                    })
                    .cloned()
                    .collect();
                push(&mut self.outputs, peer, link, facts);
                if paced {
                    link.pace.went(now, bytes, self.ledger.made_bytes);
                }
            }
        }
        self.more_to_push = more;
        for (peer, link, from, upto) in reads {
            hit("own facts read from disk to be pushed");
            let job = self.jobs.begin(Job::ReadAhead { peer, link }, None);
            if let Some(link) = self.peers.link(peer, link) {
                link.reading = Some(job);
            }
            self.outputs.push_back(Output::Query(job, Query::Facts { from, upto, limit_bytes: PIECE_BYTES as u32 }));
        }
    }

    /// Own facts were read from disk for a peer that is far behind.
    pub(crate) fn on_read_ahead(&mut self, job: JobId, peer: ReplicaId, id: LinkId, facts: Vec<Arc<Fact>>) {
        let own = self.ledger.own();
        let last = facts.last().map_or(Seq::NONE, |fact| fact.position.seq);
        let Some(link) = self.peers.link(peer, id).filter(|link| link.reading == Some(job)) else { return };
        link.reading = None;
        // What has been confirmed since is not in flight: nothing would ever say that it has landed.
        let there = link.confirmed.covers(Position { incarnation: own, seq: last });
        if !facts.is_empty() && (!there || planted(Bug::PushesWhatIsThere)) {
            push(&mut self.outputs, peer, link, facts);
        }
    }

    /// Takes peers into sync that have come so far.
    pub(crate) fn admit_peers(&mut self, now: Now) {
        let alone = self.peers.in_sync().next().is_none();
        let joining = self.peers.joining(now.mono, &self.ledger.taken, &self.config.settings);
        if alone && !joining.is_empty() && !planted(Bug::KeepsAloneMark) {
            self.outputs.push_back(Output::Alone(false));
        }
        for peer in joining {
            self.report(Report::InSync(peer));
        }
    }

    /// Answers wait no more for this peer.
    fn leave(&mut self, now: Now, peer: ReplicaId, why: Leave) {
        if !self.peers.leave(now.mono, peer, why == Leave::Slow) {
            return;
        }
        self.report(Report::OutOfSync(peer, why));
        if matches!(why, Leave::Disconnected | Leave::Replaced) {
            self.waiting.last_broken = Some(now.mono);
        }
        if self.peers.in_sync().next().is_none() {
            // One that lacks what others have is not the last one up that knows all, whatever it was in sync with.
            if !self.health.stale || planted(Bug::StaleCountsAsLast) {
                self.outputs.push_back(Output::Alone(true));
            }
            // Also where another one that was cut off went last, for being slow.
            let until = self.waiting.last_broken.map(|broken| broken + self.config.settings.dying_breath);
            if until.is_some_and(|until| until > now.mono) && !planted(Bug::LastBreath) {
                hit("answers held for a dying breath");
                self.waiting.held_until = until;
            }
        }
    }

    /// Who is silent, and who is slow?
    pub(crate) fn judge_peers(&mut self, now: Now) {
        let settings = &self.config.settings;
        let own = self.ledger.own();
        let mut silent = Vec::new();
        let mut slow = Vec::new();
        for (peer, link) in self.peers.links() {
            if now.mono.since(link.last_heard) > settings.silence {
                silent.push((peer, link.id));
            } else if link.in_sync_since.is_some() {
                let oldest = self.waiting.oldest_after(link.confirmed.seq(own));
                let rechecks = self.waiting.rechecks.iter().filter(|recheck| !link.confirmed.covers(recheck.position));
                let oldest = rechecks.map(|recheck| recheck.since).chain(oldest).min();
                let patient = planted(Bug::HeartbeatsConfirm)
                    || planted(Bug::KeepsSlowPeer)
                        && link.in_sync_since.is_some_and(|moved| now.mono.since(moved) < settings.confirm_patience);
                // Who has been silent for so long already is not given the same time once more: a client that has
                // waited for a frozen replica, and comes here, would wait as long again.
                let silent = now.mono.since(link.last_heard) > settings.confirm_patience;
                let late = |since| now.mono.since(since) > settings.confirm_patience || silent;
                if oldest.is_some_and(late) && !patient {
                    slow.push(peer);
                }
            }
        }
        for &(peer, link) in &silent {
            self.outputs.push_back(Output::CloseLink(peer, link));
            self.drop_link(now, peer, Leave::Silent);
        }
        for &peer in &slow {
            self.leave(now, peer, Leave::Slow);
        }
        if !slow.is_empty() {
            self.release(now);
        }
    }

    pub(crate) fn heartbeat(&mut self, now: Now) {
        let every = self.config.settings.heartbeat;
        let mut pings = Vec::new();
        for (peer, link) in self.peers.links_mut() {
            if now.mono.since(link.pinged.1) >= every {
                link.pinged = (link.pinged.0 + 1, now.mono);
                pings.push((peer, link.id, link.pinged.0));
            }
        }
        for (peer, link, number) in pings {
            self.send(peer, link, PeerMessage::Ping(number, Some(now.wall_us)));
        }
    }

    /// How the group looks now.
    pub(crate) fn health_now(&mut self) -> Health {
        let stale = self.health.stale && !self.has_caught_up();
        if self.health.stale && !stale {
            self.report(Report::NotStaleAnyMore);
            // With all that it has, so that they know what to wait for.
            self.tell_owed(|_| true);
            self.send_to_all(&PeerMessage::CaughtUp);
        }
        let mut replicas = vec![Standing::Down; usize::from(self.config.replicas)];
        replicas[usize::from(self.config.own.0)] = Standing::Own;
        for (peer, link) in self.peers.links() {
            let standing = if link.in_sync_since.is_some() { Standing::InSync } else { Standing::CatchingUp };
            replicas[usize::from(peer.0)] = standing;
        }
        Health { stale, disk_full: self.disk != DiskRoom::Enough, replicas }
    }

    /// Whether stale ends: all is here that a peer had which is not stale itself, or that all other replicas of the
    /// group had. (What one had that is empty, or as far behind, says nothing.)
    fn has_caught_up(&self) -> bool {
        let has_all_of = |link: &Link| link.had.as_ref().is_some_and(|had| self.ledger.durable.covers_all(had));
        let of_one = self.peers.links().any(|(_, link)| {
            let counts = !link.is_stale || planted(Bug::BelievesStale);
            counts && has_all_of(link)
        });
        let others = usize::from(self.config.replicas) - 1;
        of_one || self.peers.links().filter(|(_, link)| has_all_of(link)).count() == others
    }

    /// Whether this replica may not know yet what others know: an account, a session, a new password.
    pub(crate) fn may_lack(&self) -> bool {
        let has_all_of = |link: &Link| link.had.as_ref().is_some_and(|had| self.ledger.taken.covers_all(had));
        self.health.stale || !self.peers.links().all(|(_, link)| has_all_of(link))
    }

    pub(crate) fn send(&mut self, peer: ReplicaId, link: LinkId, message: PeerMessage) {
        self.outputs.push_back(Output::Send(peer, link, message));
    }

    /// To everybody who is connected. Each was told hello first, so that it can be understood, also by those
    /// whose own hello is still on its way: what they are not told now they would not be told again.
    pub(crate) fn send_to_all(&mut self, message: &PeerMessage) {
        for (peer, link) in self.peers.links() {
            if link.said_hello() || !planted(Bug::ConfirmsAfterHelloOnly) {
                self.outputs.push_back(Output::Send(peer, link.id, message.clone()));
            }
        }
    }

    /// Time after which an unanswered pull is given up.
    pub(crate) const PULL_PATIENCE: Duration = Duration::from_secs(3);
}

/// Sends own facts on a link, and counts them as in flight.
fn push(outputs: &mut std::collections::VecDeque<Output>, peer: ReplicaId, link: &mut Link, facts: Vec<Arc<Fact>>) {
    let size: usize = facts.iter().map(|fact| fact.bytes().len()).sum();
    let Some(last) = facts.last() else { return };
    link.pushed = last.position.seq;
    link.in_flight.push_back((link.pushed, size));
    link.in_flight_bytes += size;
    outputs.push_back(Output::Send(peer, link.id, PeerMessage::Push(facts)));
}
