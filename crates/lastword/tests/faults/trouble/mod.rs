//! Making faults, one after the other and some at once, and healing them.

mod destroying;
mod network;
mod packets;
mod processes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::faults::{KINDS, Kind};
use crate::ground::{FailingSyncs, SmallDisk};
use crate::group::{Group, NAMES, REPLICAS};
use crate::hosts::Hosts;
use crate::progress::Progress;
use crate::shared::Shared;

/// A replica that was started answers in so long.
const UP: Duration = Duration::from_secs(30);
/// After so many faults there is a race for a name while there is none.
const CALM_RACE_EVERY: u64 = 6;
/// When everything is well, all come in sync in so long.
pub const IN_SYNC: Duration = Duration::from_secs(90);

/// Makes faults.
pub struct Trouble {
    group: Arc<Group>,
    shared: Arc<Shared>,
    progress: Arc<Progress>,
    /// Where copies are kept.
    dir: PathBuf,
    hosts: Option<Hosts>,
    small_disk: Option<(usize, SmallDisk)>,
    syncs_can_fail: bool,
    /// Faults are short.
    brief: bool,
    /// Which replicas a fault of processes has now.
    taken: Mutex<[bool; REPLICAS]>,
    /// Where a copy of a replica's data is.
    copies: Mutex<[Option<PathBuf>; REPLICAS]>,
    made: Mutex<BTreeMap<Kind, u64>>,
}

/// A replica that nothing else happens to meanwhile.
struct Taken<'a> {
    trouble: &'a Trouble,
    number: usize,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.trouble.taken.lock().unwrap_or_else(PoisonError::into_inner)[self.number] = false;
    }
}

impl Trouble {
    /// Trouble for a group. Says which kinds can't be made here.
    pub fn new(
        group: Arc<Group>,
        shared: Arc<Shared>,
        progress: Arc<Progress>,
        dir: PathBuf,
        hosts: Result<Hosts, String>,
        small_disk: Result<(usize, SmallDisk), String>,
        brief: bool,
    ) -> Self {
        let syncs = FailingSyncs::can_be_had();
        for (kind, why) in [
            (Kind::LostPackets, hosts.as_ref().err()),
            (Kind::OneWayPackets, hosts.as_ref().err()),
            (Kind::LowDisk, small_disk.as_ref().err()),
            (Kind::FullDisk, small_disk.as_ref().err()),
            (Kind::SyncError, syncs.as_ref().err()),
        ] {
            if let Some(why) = why {
                progress.say(&format!("left out: {kind}: {why}"));
            }
        }
        let (taken, copies, made) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (hosts, small_disk, syncs_can_fail) = (hosts.ok(), small_disk.ok(), syncs.is_ok());
        Self { group, shared, progress, dir, hosts, small_disk, syncs_can_fail, brief, taken, copies, made }
    }

    /// The kinds that can be made here.
    pub fn kinds(&self) -> Vec<Kind> {
        let can = |kind: &&Kind| match kind {
            Kind::LostPackets | Kind::OneWayPackets => self.hosts.is_some(),
            Kind::LowDisk | Kind::FullDisk => self.small_disk.is_some(),
            Kind::SyncError => self.syncs_can_fail,
            _ => true,
        };
        KINDS.iter().filter(can).copied().collect()
    }

    /// Whether this replica is the one whose disk can be filled.
    pub fn has_small_disk(&self, number: usize) -> bool {
        self.small_disk.as_ref().is_some_and(|(small, _)| *small == number)
    }

    /// How often each was made.
    pub fn made(&self) -> BTreeMap<Kind, u64> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes trouble for so long: each kind once, in any order, and then any.
    pub async fn make(&self, time: Duration, chance: &mut Chance, only: &[Kind], first: &mut Vec<Kind>) {
        let began = Instant::now();
        let mut count = 0_u64;
        while began.elapsed() < time && self.shared.checker().violations().is_empty() {
            count += 1;
            if count.is_multiple_of(CALM_RACE_EVERY) && self.group.is_in_sync_within(IN_SYNC).await {
                crate::race::race(&self.group, &self.shared, chance).await;
            }
            let kind = first.pop().or_else(|| chance.pick(only).copied());
            let Some(kind) = kind else { return };
            let others: Vec<Kind> = only.iter().copied().filter(|kind| kind.goes_with_others()).collect();
            let other = chance.pick(&others).copied().filter(|_| chance.percent(35));
            let mut second = Chance::new(chance.below(u64::MAX), 1);
            if let Some(other) = other.filter(|_| kind.goes_with_others()) {
                let wait = Duration::from_millis(chance.below(1000));
                tokio::join!(self.fault(kind, chance), async {
                    tokio::time::sleep(wait).await;
                    self.fault(other, &mut second).await;
                });
            } else {
                self.fault(kind, chance).await;
            }
            let rest = if self.brief { chance.between(100, 800) } else { chance.between(200, 3000) };
            tokio::time::sleep(Duration::from_millis(rest)).await;
        }
    }

    /// One fault, from its beginning to its end.
    async fn fault(&self, kind: Kind, chance: &mut Chance) {
        self.shared.faults_now.fetch_add(1, Ordering::SeqCst);
        self.shared.faults_begun.fetch_add(1, Ordering::SeqCst);
        let done = if kind.destroys() {
            self.destroy(kind, chance).await
        } else {
            match kind {
                Kind::Isolate
                | Kind::OneWay
                | Kind::NonTransitive
                | Kind::Flap
                | Kind::SlowLink
                | Kind::LossyLink
                | Kind::CutPeople
                | Kind::OneWayPeople
                | Kind::PoorPeople => self.spoil_network(kind, chance).await,
                Kind::LostPackets | Kind::OneWayPackets => self.lose_packets(kind, chance).await,
                _ => self.spoil_process(kind, chance).await,
            }
        };
        self.shared.faults_now.fetch_sub(1, Ordering::SeqCst);
        match done {
            Some(()) => *self.made.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1,
            None => self.progress.note(&format!("{kind}: not now")),
        }
    }

    /// Says what is being done.
    fn say(&self, what: &str) {
        self.progress.note(what);
    }

    /// So many milliseconds: from, to in a brief run, to in a long one.
    async fn pause(&self, chance: &mut Chance, from_ms: u64, brief_ms: u64, long_ms: u64) {
        let to = if self.brief { brief_ms } else { long_ms };
        tokio::time::sleep(Duration::from_millis(chance.between(from_ms, to))).await;
    }

    /// A replica for itself, if one is free.
    fn take(&self, chance: &mut Chance, which: impl Fn(usize) -> bool) -> Option<Taken<'_>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let free: Vec<usize> = (0..REPLICAS).filter(|&number| !taken[number] && which(number)).collect();
        let number = chance.pick(&free).copied()?;
        taken[number] = true;
        Some(Taken { trouble: self, number })
    }

    /// Starts a replica, which must answer.
    async fn start(&self, number: usize) {
        let started = self.group.replica(number).start();
        if let Err(error) = started {
            return self.shared.checker().violated(format!("{} can't be started: {error}", NAMES[number]));
        }
        if !self.group.is_up_within(number, UP).await {
            let said = self.group.replica(number).last_lines();
            self.shared.checker().violated(format!("{} does not come up:\n{said}", NAMES[number]));
        }
    }

    /// Heals everything, and waits until all are in sync.
    pub async fn heal(&self) -> bool {
        self.shared.network.heal();
        if let Some((_, disk)) = &self.small_disk {
            disk.make_room();
        }
        for number in 0..REPLICAS {
            self.group.replica(number).thaw();
            self.start(number).await;
        }
        let well = self.group.is_in_sync_within(IN_SYNC).await;
        if !well {
            let said: Vec<String> = (0..REPLICAS).map(|number| self.group.replica(number).last_lines()).collect();
            let limit = IN_SYNC.as_secs();
            let said = said.join("\n");
            self.shared
                .checker()
                .violated(format!("{limit} s after everything has healed not all are in sync:\n{said}"));
        }
        well
    }
}
