//! Faults that take away what a disk has: one at a time, and only when all were in sync for a while, so that
//! what was acknowledged is on another disk. While the replica gets it back, other faults may happen, but
//! none of this kind.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{IN_SYNC, Trouble, UP};
use crate::chance::Chance;
use crate::disk;
use crate::faults::Kind;
use crate::group::NAMES;

/// All are in sync for so long before a disk is destroyed.
const CALM: Duration = Duration::from_millis(1500);
/// Records that are known to be damaged are mended in so long, or all of it has come from the others.
const MENDED: Duration = IN_SYNC;
/// How many damaged records have a line each, and how long those beyond are counted (and a little more).
const FEW: usize = 4;
const TOGETHER: Duration = Duration::from_secs(7);

/// What a replica says that can't go on with its log.
const ASKS_TO_REFILL: [&str; 2] = ["ove the directory away", "ove the data directory away"];

/// How many of something the log tells of: in lines of their own, and in those that say how many more there were.
fn told(said: &str, one: &str, more: &str) -> usize {
    let count = |line: &str| line.split(more).next()?.split_whitespace().last()?.parse::<usize>().ok();
    let counted = said.lines().filter(|line| line.contains(more)).filter_map(count);
    said.matches(one).count() + counted.sum::<usize>()
}

/// What it has said since it was given an empty directory: the damage of before went with the old one.
fn since_refill(said: String) -> String {
    let ends = ASKS_TO_REFILL.iter().filter_map(|words| said.rfind(words));
    ends.max().map_or(said.clone(), |end| said[end..].to_owned())
}

impl Trouble {
    pub(super) async fn destroy(&self, kind: Kind, chance: &mut Chance) -> Option<()> {
        let one = self.take(chance, |_| true)?;
        let number = one.number;
        if kind == Kind::OldCopy && !self.has_copy(number) {
            self.stop(number).await;
            self.copy(number);
            self.start(number).await;
            self.pause(chance, 500, 2_000, 10_000).await;
        }
        self.shared.spare_clients.store(true, Ordering::SeqCst);
        let done = self.destroy_one(kind, number, chance).await;
        self.shared.spare_clients.store(false, Ordering::SeqCst);
        done
    }

    async fn destroy_one(&self, kind: Kind, number: usize, chance: &mut Chance) -> Option<()> {
        let in_sync_ms = self.is_calm().await?;
        let name = NAMES[number];
        self.group.replica(number).kill();
        self.shared.checker().disk_goes(in_sync_ms);
        let data = self.group.replica(number).data.clone();
        let said_before = self.group.replica(number).log_bytes();
        let done = match kind {
            Kind::Wipe => disk::empty(&data).map(|()| "its data is deleted".to_owned()),
            Kind::OldCopy => self.put_back(number).map(|()| "an old copy of its data is put back".to_owned()),
            Kind::TornTail => {
                disk::tear_tail(&data, chance).map(|cut| format!("the last {cut} bytes of its log are lost"))
            }
            _ => {
                // Anywhere is also in SQLite's own pages and in what says of which format the log is: a way to end
                // that each has its own words for. For runs that somebody looks at.
                let records = self.brief || chance.percent(60);
                let what = if records { "in messages" } else { "anywhere" };
                disk::flip(&data, chance, records).map(|count| format!("{count} bits are turned in log.db, {what}"))
            }
        };
        match done {
            Ok(what) => self.say(&format!("{name}: killed, and {what}")),
            Err(error) => self.shared.checker().violated(format!("{name}: {kind} could not be made: {error}")),
        }
        // A log whose end is cut off while a checkpoint has written some of it back is damaged in its pages, too.
        let hurts = matches!(kind, Kind::Flip | Kind::TornTail);
        if hurts {
            self.shared.checker().disk_is_hurt(number);
        }
        self.pause(chance, 1, 500, 5_000).await;
        self.start_damaged(number, said_before).await;
        self.shared.spare_clients.store(false, Ordering::SeqCst);
        if chance.percent(40) {
            self.more_trouble(chance).await;
        }
        if hurts {
            self.shared.network.heal();
            self.goes_on(number, said_before).await;
        }
        if !self.heal().await {
            return None;
        }
        self.group.replica(number).may_end = hurts;
        if hurts {
            self.read_through(number, said_before).await;
        }
        let said = self.group.replica(number).said(said_before);
        if said.contains("it is lost") {
            self.shared.checker().violated(format!("{name} gives up a record that others have:\n{said}"));
        }
        self.shared.checker().disk_is_mended(number);
        // What came in sync lacks at most what is half a second old.
        tokio::time::sleep(Duration::from_millis(600)).await;
        self.shared.checker().disk_is_back();
        Some(())
    }

    /// Waits until all are in sync, and stay so. Since when.
    async fn is_calm(&self) -> Option<u32> {
        let began = Instant::now();
        while began.elapsed() < IN_SYNC {
            if !self.group.is_in_sync_within(IN_SYNC).await {
                break;
            }
            let since_ms = self.shared.checker().now_ms();
            tokio::time::sleep(CALM).await;
            if self.group.is_in_sync().await {
                return Some(since_ms);
            }
        }
        None
    }

    /// A replica whose log is damaged may say that it can't start, and what to do: that is done then.
    async fn start_damaged(&self, number: usize, said_before: usize) {
        let name = NAMES[number];
        self.group.replica(number).may_end = true;
        let started = self.group.replica(number).start();
        if let Err(error) = started {
            return self.shared.checker().violated(format!("{name} can't be started: {error}"));
        }
        if !self.group.is_up_within(number, UP).await {
            self.refill_if_told(number, said_before).await;
        }
    }

    /// It has ended: if it said that its log is damaged, it gets an empty directory, as it says.
    async fn refill_if_told(&self, number: usize, said_before: usize) {
        let name = NAMES[number];
        let said = self.group.replica(number).said(said_before);
        self.group.replica(number).kill();
        let data = self.group.replica(number).data.clone();
        if ASKS_TO_REFILL.iter().any(|words| said.contains(words)) {
            self.say(&format!("{name}: says that its log is damaged and asks for an empty directory"));
            self.shared.tally().count("damaged logs that stop a replica, with a clear message");
            if let Err(error) = disk::empty(&data) {
                self.shared.checker().violated(format!("{name}: its data can't be removed: {error}"));
            }
        } else {
            let lines = self.group.replica(number).last_lines();
            self.shared.checker().violated(format!("{name} has ended, and does not say what to do:\n{lines}"));
        }
        self.group.replica(number).may_end = false;
        self.start(number).await;
    }

    /// Beside a replica that is refilled or mended, something else goes wrong.
    async fn more_trouble(&self, chance: &mut Chance) {
        let kinds = [Kind::KillOne, Kind::KillTwo, Kind::Freeze, Kind::NonTransitive, Kind::LossyLink, Kind::CutPeople];
        let kind = *chance.pick(&kinds).unwrap_or(&Kind::KillOne);
        self.pause(chance, 1, 500, 2_000).await;
        Box::pin(self.fault(kind, chance)).await;
    }

    /// Waits until all are in sync, though a replica may end when it meets what is damaged.
    async fn goes_on(&self, number: usize, said_before: usize) {
        let began = Instant::now();
        while began.elapsed() < IN_SYNC && !self.group.is_in_sync().await {
            if self.group.has_ended(number) {
                self.say(&format!("{} has ended, as it met what is damaged", NAMES[number]));
                self.start_damaged(number, said_before).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Has the whole log of a replica read, and waits until all that was found damaged is mended.
    async fn read_through(&self, number: usize, said_before: usize) {
        let name = NAMES[number];
        // It may have found something that it can't go on with.
        if self.group.has_ended(number) {
            self.refill_if_told(number, said_before).await;
        }
        self.stop(number).await;
        let data = self.group.replica(number).data.clone();
        if let Err(error) = disk::forget_views(&data) {
            self.shared.checker().violated(format!("{name}: its views can't be removed: {error}"));
        }
        self.start_damaged(number, said_before).await;
        let began = Instant::now();
        loop {
            if self.group.has_ended(number) {
                self.refill_if_told(number, said_before).await;
            }
            let said = since_refill(self.group.replica(number).said(said_before));
            let damaged = told(&said, "is damaged: fetching it", "more records in log.db are damaged");
            let mended = told(&said, "is repaired", "more records are repaired");
            // Of many the log says only how many more they were, and that after a while.
            let all_are_told = damaged < FEW || began.elapsed() > TOGETHER;
            if mended >= damaged && all_are_told && self.group.is_in_sync().await {
                for _ in 0..damaged {
                    self.shared.tally().count("damaged records, found and mended");
                }
                break;
            }
            if began.elapsed() > MENDED {
                self.shared
                    .checker()
                    .violated(format!("{name} has found {damaged} damaged records, and mended {mended}:\n{said}"));
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.group.replica(number).may_end = false;
    }

    fn has_copy(&self, number: usize) -> bool {
        self.copies.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[number].is_some()
    }

    /// Now and then a copy is made of the data of a replica that is down.
    pub(super) fn keep_copy(&self, number: usize, chance: &mut Chance) {
        if chance.percent(30) {
            self.copy(number);
        }
    }

    fn copy(&self, number: usize) {
        let to = self.dir.join(format!("copy-{}", NAMES[number]));
        let data = self.group.replica(number).data.clone();
        match disk::copy(&data, &to) {
            Ok(()) => {
                self.copies.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[number] = Some(to);
            }
            Err(error) => self.shared.checker().violated(format!("{}: no copy could be made: {error}", NAMES[number])),
        }
    }

    fn put_back(&self, number: usize) -> std::io::Result<()> {
        let copy = self.copies.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[number].take();
        let copy = copy.ok_or(std::io::ErrorKind::NotFound)?;
        disk::copy(&copy, &self.group.replica(number).data.clone())
    }
}
