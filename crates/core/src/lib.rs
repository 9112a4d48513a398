//! The core: replication and chat, as a pure state machine.
//!
//! No clock, no randomness, no thread, no disk, no network: time and inputs come in, effects come
//! out. One owner, no locks. So the whole protocol can be run in a simulator and replayed from a seed.
//!
//! What the core promises is fixed in the design; where to find it:
//!
//! | room | what |
//! |---|---|
//! | [`io`] | what goes in and comes out, and the driver's duties |
//! | `ledger`, `held` | the log: taking facts in, causes first |
//! | `apply` | what a fact does to the state |
//! | `directory`, `keys`, `receipts` | the state |
//! | `peers`, `replication`, `catching_up`, `pace` | the other replicas: in sync, push, pull, how fast |
//! | `damage` | records of the own log that can't be read |
//! | `release`, `answering` | what answers and deliveries wait for |
//! | `requests`, `accounts`, `passwords` | what clients ask |
//! | `pages` | what people read, a few pages of an account at a time |
//! | `listing`, [`pattern`] | which names there are |
//! | `expiry`, `crowding` | sessions that nobody uses, or that are too many |
//! | `claims`, `names` | unique names |
//! | `connections`, `delivery` | who listens, and what they are sent |
//! | `presence`, `watching` | who is online, and who is told of it |
//! | `telling` | what many are told, in steps |
//! | [`gauges`] | what an operator asks about all that |

#![warn(missing_docs)]

mod accounts;
mod answering;
mod apply;
mod blocks;
mod catching_up;
mod claims;
pub mod config;
mod connections;
mod crowding;
mod damage;
mod delivery;
mod directory;
mod expiry;
mod fair;
pub mod gauges;
mod held;
pub mod io;
mod jobs;
mod keys;
pub mod later;
mod ledger;
mod listing;
mod mailboxes;
mod names;
mod pace;
mod pages;
mod passwords;
pub mod pattern;
pub mod peer_message;
mod peers;
mod presence;
mod quotas;
mod receipts;
mod release;
mod replication;
mod requests;
mod telling;
pub mod time;
mod turns;
mod watching;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use lastword_facts::Fact;
use lastword_facts::ids::{AccountId, Incarnation, LogIndex, Position, Seq};
use lastword_facts::views::{Applied, Change, Snapshot};
use lastword_marks::{Bug, hit, planted};

pub use config::{Config, Settings};
pub use io::{Input, Output};
pub use peer_message::PeerMessage;
pub use time::{Mono, Now};

use io::{Event, Health, Report};

/// How often the state of peers is judged. Everything that has an exact time is on time besides.
const TICK: Duration = Duration::from_millis(50);
/// A longer pause between two calls means that this process was frozen.
const FROZEN: Duration = Duration::from_secs(1);
/// After a freeze, what waits at the door is let in for so long before anybody is judged.
const WAKING: Duration = Duration::from_millis(200);

/// One replica.
#[derive(Debug, Clone)]
pub struct Core {
    config: Config,
    // The log and the state that its facts make.
    ledger: ledger::Ledger,
    directory: directory::Directory,
    keys: keys::Keys,
    receipts: receipts::Receipts,
    blocks: blocks::Blocks,
    mailboxes: mailboxes::Mailboxes,
    /// The same of messages that nobody wants: whoever is blocked has the same limits as everybody, and learns nothing.
    unwanted: mailboxes::Mailboxes,
    turns: turns::Turns,
    quotas: quotas::Quotas,
    /// Applied, and not on disk yet: the views get it when it is.
    unapplied: VecDeque<Applied>,
    damage: damage::Damage,
    // The other replicas.
    peers: peers::Peers,
    /// What others have and this replica has not: up to where, for each incarnation.
    wanted: BTreeMap<Incarnation, Seq>,
    /// Incarnations of which a pushed fact was dropped: to be pulled although their replica pushes.
    gaps: BTreeSet<Incarnation>,
    /// Incarnations whose next fact was dropped, and what that one waits for: pulling it again before that
    /// is there would only keep others from being pulled.
    blocked: BTreeMap<Incarnation, Position>,
    health: Arc<Health>,
    // Names.
    hearsay: claims::Hearsay,
    attempts: BTreeMap<AccountId, claims::Attempt>,
    // Clients.
    connections: connections::Connections,
    told: presence::Told,
    waiting: release::Waiting,
    jobs: jobs::Jobs,
    pages: pages::Pages,
    deliveries: delivery::Deliveries,
    lists: listing::Lists,
    /// Pushing was left off, for others to have their turn, until then.
    more_to_push: Option<Mono>,
    telling: telling::Telling,
    tally: gauges::Tally,
    disk: io::DiskRoom,
    views_ready: bool,
    sweep: expiry::Sweep,
    /// Accounts with many sessions, of which one was opened since the last tick.
    crowded: BTreeSet<AccountId>,
    password_changes: passwords::Changes,
    // Time.
    started: Mono,
    last_call: Mono,
    last_tick: Mono,
    judge_from: Mono,
    // What is to be done.
    outputs: VecDeque<Output>,
    flushed: bool,
}

impl Core {
    /// A replica, from what its views hold. Then [`Core::replay`] hands in the rest of its log, and
    /// the first [`Core::handle`] starts it.
    pub fn new(config: Config, snapshot: Snapshot, now: Now) -> Self {
        let Snapshot { index, vector, stamp, unreadable, accounts, blocks, recent, keys_from, ahead, alone } = snapshot;
        let mut keys = keys::Keys::new(keys_from, ahead, config.settings.recent_keys);
        for message in recent {
            let known = keys::Known::of_record(&message);
            keys.learn(message.author, message.key, known);
        }
        let replicas = (0..config.replicas).map(io::ReplicaId);
        let peers = peers::Peers::new(config.incarnation, replicas.clone().filter(|&id| id != config.own));
        let standing = |id| if id == config.own { io::Standing::Own } else { io::Standing::Down };
        if config.replicas > 1 && !alone {
            hit("stale at the start");
        }
        let health = Health {
            stale: config.replicas > 1 && !alone && !planted(Bug::NeverStale),
            disk_full: false,
            replicas: replicas.map(standing).collect(),
        };
        Self {
            ledger: ledger::Ledger::new(config.incarnation, vector, index, stamp),
            directory: directory::Directory::new(accounts),
            keys,
            receipts: receipts::Receipts::new(config.settings.receipts),
            blocks: blocks::Blocks::new(blocks),
            mailboxes: mailboxes::Mailboxes::default(),
            unwanted: mailboxes::Mailboxes::default(),
            turns: turns::Turns::new(now.mono),
            quotas: quotas::Quotas::new(config.settings.account_bytes_per_day),
            unapplied: VecDeque::new(),
            damage: damage::Damage::new(unreadable),
            peers,
            wanted: BTreeMap::new(),
            gaps: BTreeSet::new(),
            blocked: BTreeMap::new(),
            health: Arc::new(health),
            hearsay: claims::Hearsay::default(),
            attempts: BTreeMap::new(),
            connections: connections::Connections::default(),
            told: presence::Told::default(),
            waiting: release::Waiting::default(),
            jobs: jobs::Jobs::default(),
            pages: pages::Pages::new(),
            deliveries: delivery::Deliveries::default(),
            lists: listing::Lists::default(),
            more_to_push: None,
            telling: telling::Telling::default(),
            tally: gauges::Tally::default(),
            disk: io::DiskRoom::Enough,
            views_ready: true,
            sweep: expiry::Sweep::new(now, &config),
            crowded: BTreeSet::new(),
            password_changes: passwords::Changes::default(),
            started: now.mono,
            last_call: now.mono,
            last_tick: now.mono,
            judge_from: now.mono,
            outputs: VecDeque::new(),
            flushed: true,
            config,
        }
    }

    /// Takes in again a fact of the log on disk that the views don't hold yet. In log order, from the
    /// place after [`Snapshot::index`] on, before the first [`Core::handle`].
    pub fn replay(&mut self, index: LogIndex, fact: &Arc<Fact>) {
        self.ledger.replay(index, fact.position, fact.stamp);
        if planted(Bug::ForgetsTombstone) && matches!(fact.body, lastword_facts::Body::Delete) {
            return;
        }
        let (change, effect) = self.apply(fact, index);
        if let release::Effect::Receipts { to, upto } = effect {
            self.receipts.arrived(to, &upto.into_iter().collect(), usize::MAX);
        }
        self.outputs.push_back(Output::Apply(vec![Applied {
            index,
            position: fact.position,
            stamp: self.ledger.counted(fact),
            change,
        }]));
    }

    /// The same for a record that is damaged: it is asked for at the others.
    pub fn replay_damaged(&mut self, index: LogIndex, position: Position) {
        let stamp = lastword_facts::Stamp::default();
        self.ledger.replay(index, position, stamp);
        self.note_damaged(position);
        let change = Change::Unreadable(position);
        self.outputs.push_back(Output::Apply(vec![Applied { index, position, stamp, change }]));
    }

    /// Every account that lives: what it is called, and the hash of its password.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, Arc<str>, &str)> {
        self.directory.all_living().map(|account| (account.record.id, account.called.clone(), account.password_hash()))
    }

    /// How this replica sees the group.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.flushed = false;
        let at = now.mono;
        if at.since(self.last_call) > FROZEN {
            hit("woke from a freeze");
            self.judge_from = at + WAKING;
        }
        if at.since(self.last_call) > self.config.settings.silence {
            self.sweep.postpone(at, self.config.settings.sweep_every);
        }
        self.last_call = at;
        match input {
            Input::Opened(connection) => self.connections.open(connection),
            Input::Closed(connection) => self.on_closed(now, connection),
            Input::Request(connection, tag, request) => self.on_request(now, connection, tag, request),
            Input::Drained(connection) => self.on_drained(now, connection),
            Input::LinkUp(peer, link) => self.on_link_up(now, peer, link),
            Input::Link(peer, link, message) => self.on_peer_message(now, peer, link, message),
            Input::LinkDown(peer, link) => self.on_link_down(now, peer, link),
            Input::Stored(upto) => self.on_stored(now, upto),
            Input::Repaired(position) => self.on_repaired(position),
            Input::DiskRoom(room) => {
                self.disk = if planted(Bug::TakesInOnFullDisk) { io::DiskRoom::Enough } else { room };
            }
            Input::ViewsReady(ready) => self.views_ready = ready || planted(Bug::AsksViewsTooEarly),
            Input::Hashed(job, hash, token) => self.on_hashed(now, job, hash, token),
            Input::Checked(job, fits, token) => self.on_checked(now, job, fits, token),
            Input::Found(job, found) => self.on_found(now, job, found),
            Input::Matched(job, matched) => self.on_matched(job, matched),
            Input::Timer => self.go_on_with_queues(now),
        }
        if at.since(self.last_tick) >= TICK {
            self.last_tick = at;
            self.on_tick(now);
        }
        self.on_time(now);
    }

    /// What is to be done now, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        if !self.flushed {
            self.flushed = true;
            self.flush();
        }
        self.outputs.pop_front()
    }

    /// When to call with [`Input::Timer`] at the latest.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let exact = [
            self.waiting.held_until,
            self.deliveries.due(),
            self.connections.watching.due(),
            self.pages.due(),
            self.turn_due(),
        ];
        let at_once = self.telling.is_due().then_some(self.last_call);
        exact.into_iter().flatten().chain(at_once).chain(self.more_to_push).chain([self.last_tick + TICK]).min()
    }

    /// Puts what disks and peers are to get before all else: everything waits for them.
    fn flush(&mut self) {
        let mut later = std::mem::take(&mut self.outputs);
        if let Some((first, facts)) = self.ledger.take_to_store() {
            self.outputs.push_back(Output::Store(first, facts));
        }
        self.push_facts();
        self.tell_presence();
        self.outputs.append(&mut later);
        let health = self.health_now();
        if health != *self.health {
            self.health = Arc::new(health);
            self.telling.begin_health();
        }
    }

    /// What has an exact time.
    fn on_time(&mut self, now: Now) {
        if self.waiting.held_until.is_some_and(|until| until <= now.mono) {
            self.waiting.held_until = None;
            self.release(now);
        }
        self.confirm_deliveries(now);
        self.tell_watchers(now.mono);
        self.give_pages(now);
        self.go_on_telling(now);
    }

    /// What is looked at now and then.
    fn on_tick(&mut self, now: Now) {
        self.look_for_stuck(now);
        self.peers.sample(now.mono, &self.ledger.taken);
        if now.mono >= self.judge_from {
            self.judge_peers(now);
        }
        self.heartbeat(now);
        if !planted(Bug::OwesConfirms) {
            self.tell_owed(|_| true);
        }
        self.admit_peers(now);
        self.pull_missing(now);
        self.ask_for_damaged(now);
        self.judge_attempts(now);
        self.sweep(now);
        self.note_uses_of_crowded(now);
        self.ledger.recent.shrink(self.config.settings.push_bytes, self.ledger.durable.seq(self.ledger.own()));
    }

    fn report(&mut self, report: Report) {
        self.outputs.push_back(Output::Report(report));
    }

    fn tell(&mut self, connection: io::ConnectionId, event: Arc<Event>) {
        self.outputs.push_back(Output::Event { connection, event, drain: false });
    }
}
