//! A run, from its beginning to its end.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::arguments::Arguments;
use crate::chance::Chance;
use crate::faults::Kind;
use crate::ground::SmallDisk;
use crate::group::{Group, NAMES, REPLICAS, addresses, host};
use crate::hosts::Hosts;
use crate::network::Network;
use crate::person::Person;
use crate::progress::Progress;
use crate::shared::{Pace, Shared};
use crate::trouble::Trouble;
use crate::usage::Usage;
use crate::{finale, logs, race, report, stopping};

/// A run without `--minutes`.
const SHORT: Duration = Duration::from_secs(100);
/// In a long run everything is compared so often.
const COMPARE_EVERY: Duration = Duration::from_secs(300);
/// Without faults, so long at the beginning.
const BEGINNING: Duration = Duration::from_secs(3);
/// A short run says now and then that it goes on.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// The replica with the small disk refuses what is new below so many free mebibytes.
const FREE_MIB: &str = "--min-free=4";
/// Where replicas are not on loopback: all people come from one address, and are not strangers.
const OFF_LOOPBACK: [&str; 7] = [
    "--insecure",
    "--connections-per-address=10000",
    "--requests-per-second=0",
    "--account-requests-per-second=0",
    "--login-failures=1000",
    "--login-delay=1",
    "--accounts-per-hour=100000",
];

/// Runs until the end, or until somebody stops it. Whether all was well.
pub async fn run(arguments: &Arguments) -> bool {
    let progress = Arc::new(Progress::new(arguments.minutes.is_none()));
    let dir = match tempfile::Builder::new().prefix("lastword-faults-").tempdir() {
        Ok(dir) => dir,
        Err(error) => {
            progress.say(&format!("no folder for data and logs can be made: {error}"));
            return false;
        }
    };
    let began = Instant::now();
    // Dropped, whatever comes: replicas are killed, and the small disk unmounted.
    let well = tokio::select! {
        well = run_in(dir.path(), arguments, &progress) => well,
        () = stopping::asked_for() => false,
    };
    let seed = arguments.seed;
    let took = began.elapsed().as_secs();
    if well {
        progress.say(&format!("all was well, seed {seed}, {took} s"));
    } else {
        progress.say(&format!("FAILED, seed {seed}, after {took} s"));
    }
    if !well || arguments.keep {
        progress.say(&format!("data and logs are in {}", dir.keep().display()));
    }
    well
}

async fn run_in(dir: &Path, arguments: &Arguments, progress: &Arc<Progress>) -> bool {
    match prepare(dir, arguments, progress).await {
        Ok(run) => run.go(arguments).await,
        Err(error) => {
            progress.say(&format!("the group could not be started: {error}"));
            false
        }
    }
}

/// A run that has been prepared. The order of the fields is that of the end: people, replicas, disk.
struct Run {
    people: Vec<JoinHandle<()>>,
    beside: Vec<JoinHandle<()>>,
    usage: Arc<std::sync::Mutex<Usage>>,
    group: Arc<Group>,
    shared: Arc<Shared>,
    progress: Arc<Progress>,
    trouble: Trouble,
    dir: std::path::PathBuf,
}

async fn prepare(dir: &Path, arguments: &Arguments, progress: &Arc<Progress>) -> std::io::Result<Run> {
    let hosts = Hosts::make();
    let (here, addresses) = match &hosts {
        Ok(hosts) => (hosts.here(), hosts.addresses()),
        Err(_) => (host(), addresses()?),
    };
    let network = Network::start(&here, &addresses, arguments.people, arguments.seed).await?;
    let via = |from, to| Some(network.way(from, to));
    let group = Arc::new(Group::prepare(dir, &addresses, via, &[]));
    if let Ok(hosts) = &hosts {
        let key = dir.join("lastword.key");
        let made = std::process::Command::new(env!("CARGO_BIN_EXE_lastword")).arg("key").arg(&key).output()?;
        if !made.status.success() {
            return Err(std::io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        for number in 0..REPLICAS {
            let mut replica = group.replica(number);
            replica.namespace = Some(hosts.namespace(number));
            replica.arguments.extend(OFF_LOOPBACK.map(str::to_owned));
            replica.arguments.push(format!("--key={}", key.display()));
        }
    }
    let shared = Arc::new(Shared::new(network, arguments.sabotage));
    let small = arguments.seed as usize % REPLICAS;
    let small_disk = SmallDisk::mount(&group.replica(small).data).map(|disk| (small, disk));
    if small_disk.is_ok() {
        group.replica(small).arguments.push(FREE_MIB.to_owned());
    }
    let brief = arguments.minutes.is_none_or(|minutes| minutes < 5.0);
    let (of, with, told) = (group.clone(), shared.clone(), progress.clone());
    let trouble = Trouble::new(of, with, told, dir.to_owned(), hosts, small_disk, brief);
    let usage = Arc::new(std::sync::Mutex::new(Usage::new()));
    let (people, beside) = (Vec::new(), Vec::new());
    let (progress, dir) = (progress.clone(), dir.to_owned());
    Ok(Run { people, beside, usage, group, shared, progress, trouble, dir })
}

impl Drop for Run {
    fn drop(&mut self) {
        self.people.iter().chain(&self.beside).for_each(JoinHandle::abort);
        self.group.kill_all();
    }
}

impl Run {
    async fn go(mut self, arguments: &Arguments) -> bool {
        if let Err(error) = self.group.start_all() {
            self.progress.say(&format!("the replicas could not be started: {error}"));
            return false;
        }
        if !self.group.is_in_sync_within(Duration::from_secs(30)).await {
            self.progress.say("the replicas do not come in sync");
            return false;
        }
        self.begin(arguments);
        tokio::time::sleep(BEGINNING).await;
        let kinds = self.kinds(arguments);
        self.make_trouble(arguments, &kinds).await;
        if self.is_well() {
            self.end().await;
        }
        self.tell(&kinds)
    }

    fn kinds(&self, arguments: &Arguments) -> Vec<Kind> {
        let mut kinds = self.trouble.kinds();
        if !arguments.only.is_empty() {
            kinds.retain(|kind| arguments.only.iter().any(|word| kind.to_string().contains(word.as_str())));
        }
        kinds
    }

    fn is_well(&self) -> bool {
        self.shared.checker().violations().is_empty()
    }

    /// People begin, and those who look on.
    fn begin(&mut self, arguments: &Arguments) {
        for number in 0..arguments.people {
            let person = Person::new(number, self.shared.clone(), arguments.seed);
            self.people.push(tokio::spawn(person.live()));
        }
        let every = Duration::from_secs(if arguments.minutes.is_none() { 3 } else { 10 });
        let chance = Chance::new(arguments.seed, 2);
        self.people.push(tokio::spawn(race::run(self.group.clone(), self.shared.clone(), chance, every)));
        self.beside.push(tokio::spawn(watch(self.group.clone(), self.shared.clone(), self.usage.clone())));
        if arguments.minutes.is_none() {
            self.beside.push(tokio::spawn(say_now_and_then(self.shared.clone(), self.progress.clone())));
        }
    }

    async fn make_trouble(&self, arguments: &Arguments, kinds: &[Kind]) {
        let whole = arguments.minutes.map_or(SHORT, |minutes| Duration::from_secs_f64(minutes * 60.0));
        let mut chance = Chance::new(arguments.seed, 1);
        let mut first = kinds.to_vec();
        chance.shuffle(&mut first);
        let began = Instant::now();
        while began.elapsed() < whole && self.is_well() {
            let left = whole - began.elapsed();
            self.trouble.make(left.min(COMPARE_EVERY), &mut chance, kinds, &mut first).await;
            if self.is_well() && left > COMPARE_EVERY {
                self.progress.note("everything heals, and is compared");
                if self.trouble.heal().await {
                    finale::settle(&self.shared).await;
                    finale::compare(&self.group, &self.shared).await;
                }
                self.shared.pace.send_replace(Pace::Write);
            }
        }
    }

    /// Everything heals, people go, and all is compared.
    async fn end(&mut self) {
        self.progress.note("everything heals");
        if !self.trouble.heal().await {
            return;
        }
        finale::settle(&self.shared).await;
        self.shared.pace.send_replace(Pace::End);
        for person in self.people.drain(..) {
            if person.await.is_err() {
                self.shared.checker().violated("a person of the suite has panicked".to_owned());
            }
        }
        finale::compare(&self.group, &self.shared).await;
        self.shared.checker().was_judged = true;
        for (number, name) in NAMES.iter().enumerate() {
            let ended = self.group.stop(number).await;
            if !ended.is_some_and(|status| status.success()) {
                self.shared.checker().violated(format!("{name} was told to stop, and ended so: {ended:?}"));
            }
        }
        let data: Vec<_> = (0..REPLICAS).map(|number| self.group.replica(number).data.clone()).collect();
        let named: Vec<(&str, &Path)> = NAMES.into_iter().zip(data.iter().map(std::path::PathBuf::as_path)).collect();
        logs::judge(&named).into_iter().for_each(|wrong| self.shared.checker().violated(wrong));
    }

    /// The tables, and what is wrong.
    fn tell(&self, kinds: &[Kind]) -> bool {
        for (number, name) in NAMES.iter().enumerate() {
            let said = self.group.replica(number).said(0);
            if let Some(line) = said.lines().find(|line| line.contains("panicked")) {
                self.shared.checker().violated(format!("{name} has panicked: {line}"));
            }
        }
        let usage = self.usage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        usage.judge().into_iter().for_each(|wrong| self.shared.checker().violated(wrong));
        self.progress.say(&report::of(&self.shared, &self.trouble.made(), kinds, &usage));
        let violations = self.shared.checker().violations().to_vec();
        if violations.is_empty() {
            return true;
        }
        self.progress.say("the last faults were:");
        self.progress.last().iter().for_each(|line| self.progress.say(line));
        violations.iter().for_each(|violation| self.progress.say(&format!("VIOLATED: {violation}")));
        self.keep_small_disk();
        false
    }

    /// What is on the file system that is about to be unmounted is kept, too.
    fn keep_small_disk(&self) {
        for (number, name) in NAMES.iter().enumerate() {
            if self.trouble.has_small_disk(number) {
                self.group.replica(number).kill();
                let data = self.group.replica(number).data.clone();
                let _ = crate::disk::copy(&data, &self.dir.join(format!("data-{name}-kept")));
            }
        }
    }
}

/// Looks at memory and files, and that no replica ends that should not.
async fn watch(group: Arc<Group>, shared: Arc<Shared>, usage: Arc<std::sync::Mutex<Usage>>) {
    for round in 0_u64.. {
        tokio::time::sleep(Duration::from_millis(200)).await;
        // While all is compared, many more than the people are connected.
        if round % 10 == 0 && shared.pace() == Pace::Write {
            usage.lock().unwrap_or_else(std::sync::PoisonError::into_inner).look(&group);
        }
        for (number, name) in NAMES.iter().enumerate() {
            let mut replica = group.replica(number);
            if replica.may_end {
                continue;
            }
            if let Some(status) = replica.ended() {
                let said = replica.last_lines();
                drop(replica);
                shared.checker().violated(format!("{name} has ended by itself ({status}):\n{said}"));
            }
        }
    }
}

async fn say_now_and_then(shared: Arc<Shared>, progress: Arc<Progress>) {
    loop {
        tokio::time::sleep(SAY_EVERY).await;
        let (sent, acknowledged, shown) = shared.checker().counts();
        let faults = shared.faults_begun.load(std::sync::atomic::Ordering::Relaxed);
        progress.say(&format!("{faults} faults; {sent} messages sent, {acknowledged} acknowledged, {shown} shown"));
    }
}
