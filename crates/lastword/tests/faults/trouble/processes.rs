//! Faults of processes, and of disks that keep what they have.

use std::time::Duration;

use super::{Taken, Trouble};
use crate::chance::Chance;
use crate::faults::Kind;
use crate::ground::FailingSyncs;
use crate::group::NAMES;

/// A replica whose syncs fail ends in so long.
const ENDS: Duration = Duration::from_secs(15);

impl Trouble {
    pub(super) async fn spoil_process(&self, kind: Kind, chance: &mut Chance) -> Option<()> {
        match kind {
            Kind::KillOne => {
                let one = self.take(chance, |_| true)?;
                self.kill(&one);
                self.pause(chance, 20, 1_500, 8_000).await;
                self.keep_copy(one.number, chance);
                self.start(one.number).await;
            }
            Kind::KillTwo => {
                let one = self.take(chance, |_| true)?;
                let other = self.take(chance, |_| true)?;
                self.kill(&one);
                self.pause(chance, 1, 400, 3_000).await;
                self.kill(&other);
                self.pause(chance, 50, 1_500, 8_000).await;
                let order = if chance.percent(50) { [one.number, other.number] } else { [other.number, one.number] };
                for number in order {
                    self.start(number).await;
                    self.pause(chance, 1, 300, 3_000).await;
                }
            }
            Kind::KillAll => {
                let mut all = Vec::new();
                while let Some(one) = self.take(chance, |_| true) {
                    all.push(one);
                }
                for one in &all {
                    self.kill(one);
                    self.pause(chance, 1, 200, 2_000).await;
                }
                chance.shuffle(&mut all);
                for one in &all {
                    self.pause(chance, 1, 300, 3_000).await;
                    self.start(one.number).await;
                }
            }
            Kind::Freeze => {
                let one = self.take(chance, |_| true)?;
                self.say(&format!("{} freezes", NAMES[one.number]));
                self.group.replica(one.number).freeze();
                self.pause(chance, 100, 4_000, 30_000).await;
                self.group.replica(one.number).thaw();
                self.say(&format!("{} wakes", NAMES[one.number]));
            }
            Kind::Rolling => self.restart_all().await,
            Kind::LowDisk | Kind::FullDisk => self.fill_disk(kind, chance).await?,
            Kind::SyncError => self.fail_syncs(chance).await?,
            Kind::Clock => {
                let one = self.take(chance, |_| true)?;
                let most_ms = [2_000, 60_000, 600_000_000_000][chance.below(3) as usize];
                let offset_ms = chance.below(2 * most_ms) as i64 - most_ms as i64;
                self.say(&format!("{}: killed, and its clock is off by {offset_ms} ms", NAMES[one.number]));
                self.group.replica(one.number).kill();
                self.group.replica(one.number).clock_offset_ms = offset_ms;
                self.start(one.number).await;
            }
            _ => return None,
        }
        Some(())
    }

    fn kill(&self, one: &Taken) {
        self.say(&format!("{}: kill -9", NAMES[one.number]));
        self.group.replica(one.number).kill();
    }

    /// Each in turn is told to stop, and ends well.
    async fn restart_all(&self) {
        for (number, name) in NAMES.iter().enumerate() {
            let Some(one) = self.take(&mut Chance::new(0, 0), |other| other == number) else { continue };
            self.say(&format!("{name}: told to stop, and started again"));
            self.stop(one.number).await;
            self.start(number).await;
            self.group.is_in_sync_within(super::UP).await;
        }
    }

    /// SIGTERM: it must end, and well.
    pub(super) async fn stop(&self, number: usize) {
        let ended = self.group.stop(number).await;
        if !ended.is_some_and(|status| status.success()) {
            let said = self.group.replica(number).last_lines();
            let name = NAMES[number];
            self.shared.checker().violated(format!("{name} was told to stop, and ended so: {ended:?}\n{said}"));
        }
    }

    /// The small disk is full, or nearly: nothing new is taken in there until it has room again.
    async fn fill_disk(&self, kind: Kind, chance: &mut Chance) -> Option<()> {
        let (number, disk) = self.small_disk.as_ref()?;
        let one = self.take(chance, |other| other == *number)?;
        let free_kib = if kind == Kind::FullDisk { 0 } else { 2048 };
        self.say(&format!("{}: its disk has {free_kib} KiB left", NAMES[one.number]));
        if !disk.leave_free(free_kib) {
            return None;
        }
        self.pause(chance, 1_500, 3_000, 10_000).await;
        if !disk.make_room() {
            self.shared.checker().violated("the small disk can't be given room again".to_owned());
        }
        self.say(&format!("{}: its disk has room again", NAMES[one.number]));
        Some(())
    }

    /// A sync fails: the replica says so, and ends.
    async fn fail_syncs(&self, chance: &mut Chance) -> Option<()> {
        let one = self.take(chance, |_| true)?;
        let name = NAMES[one.number];
        let (pid, said_before) = {
            let mut replica = self.group.replica(one.number);
            replica.may_end = true;
            (replica.pid()?, replica.log_bytes())
        };
        self.say(&format!("{name}: its syncs fail"));
        let failing = FailingSyncs::of(pid).ok()?;
        let ended = self.group.ends_within(one.number, ENDS).await;
        drop(failing);
        let said = self.group.replica(one.number).said(said_before);
        match ended {
            None => {
                self.shared
                    .checker()
                    .violated(format!("{name}: its syncs fail for {} s, and it goes on", ENDS.as_secs()));
                self.group.replica(one.number).kill();
            }
            Some(status) if status.success() => {
                self.shared.checker().violated(format!("{name}: a sync failed, and it says that it ended well"));
            }
            Some(_) if !said.contains("can't be trusted") => {
                self.shared.checker().violated(format!("{name}: a sync failed, and it does not say so:\n{said}"));
            }
            Some(_) => {}
        }
        self.pause(chance, 20, 800, 4_000).await;
        self.group.replica(one.number).may_end = false;
        self.start(one.number).await;
        Some(())
    }
}
