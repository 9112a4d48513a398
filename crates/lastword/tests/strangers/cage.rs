//! The attackers' process, which may use half a core: else it would win by using up the machine that it shares with
//! the replicas and the people. A control group sees to that where one can be made; elsewhere the process is stopped
//! (SIGSTOP) whenever it has used more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::real::look::cpu_ms;

/// In each of these the process may run for half of it. Short, so that it is never away for long.
const PERIOD_US: u64 = 20_000;
/// And what runs beside it goes first: attackers on machines of their own would not make replicas wait for a processor.
const WEIGHT_V2: &str = "1";
const SHARES_V1: &str = "2";
/// Where there is no control group: looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What holds attackers to half a core.
pub enum Cage {
    /// A control group: its folder.
    Group(PathBuf),
    /// SIGSTOP and SIGCONT. Why there is no control group.
    Signals(String),
}

impl Cage {
    /// One for all attackers of this run.
    pub fn make() -> Self {
        match control_group() {
            Ok(path) => Self::Group(path),
            Err(error) => Self::Signals(error.to_string()),
        }
    }

    /// What it is, in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Group(path) => format!("attackers have half a core, by the control group {}", path.display()),
            Self::Signals(why) => {
                format!("attackers have half a core, by SIGSTOP and SIGCONT (no control group: {why})")
            }
        }
    }

    /// Starts a process of attackers, in a network namespace if there is one.
    pub fn start(&self, namespace: Option<&str>, ground: &Path) -> io::Result<Attackers> {
        let own = std::env::current_exe()?;
        let mut command = match namespace {
            // It becomes the program.
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(own);
                command
            }
            None => Command::new(own),
        };
        command.arg("--ground").arg(ground).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (Some(pid), Some(tell), Some(said)) = (child.id(), child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the attackers' process has ended at once"));
        };
        let keeper = match self {
            Self::Group(path) => {
                fs::write(path.join("cgroup.procs"), pid.to_string())?;
                None
            }
            Self::Signals(_) => Some(tokio::spawn(hold_to_half(pid))),
        };
        Ok(Attackers { child, tell, said: BufReader::new(said), keeper })
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        if let Self::Group(path) = self {
            // Processes in it are gone by now, or nearly.
            let until = Instant::now() + Duration::from_secs(2);
            while fs::remove_dir(&*path).is_err() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn control_group() -> io::Result<PathBuf> {
    let name = format!("lastword-strangers-{}", std::process::id());
    // The second version has one tree for all; the first has one for processors.
    let second = Path::new("/sys/fs/cgroup");
    if second.join("cgroup.controllers").exists() {
        let path = second.join(&name);
        fs::create_dir(&path)?;
        let set = fs::write(path.join("cpu.max"), format!("{} {PERIOD_US}", PERIOD_US / 2))
            .and_then(|()| fs::write(path.join("cpu.weight"), WEIGHT_V2));
        return set.map(|()| path.clone()).inspect_err(|_| drop(fs::remove_dir(&path)));
    }
    let path = second.join("cpu").join(&name);
    fs::create_dir(&path)?;
    let set = fs::write(path.join("cpu.cfs_period_us"), PERIOD_US.to_string())
        .and_then(|()| fs::write(path.join("cpu.cfs_quota_us"), (PERIOD_US / 2).to_string()))
        .and_then(|()| fs::write(path.join("cpu.shares"), SHARES_V1));
    set.map(|()| path.clone()).inspect_err(|_| drop(fs::remove_dir(&path)))
}

/// Stops a process whenever it has used more than half a core since the beginning, and lets it go on when it has not.
async fn hold_to_half(pid: u32) {
    let signal = |signal| {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    };
    let (mut began, mut before_ms) = (Instant::now(), cpu_ms(pid));
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let (used_ms, passed) = (cpu_ms(pid).saturating_sub(before_ms), began.elapsed());
        if u128::from(used_ms) * 2 > passed.as_millis() {
            signal(Signal::STOP);
        } else {
            signal(Signal::CONT);
        }
        // What was not used is not saved up.
        if passed > Duration::from_secs(1) {
            (began, before_ms) = (Instant::now(), cpu_ms(pid));
        }
    }
}

/// A process of attackers. Dropped, it is killed.
pub struct Attackers {
    child: Child,
    tell: ChildStdin,
    said: BufReader<ChildStdout>,
    keeper: Option<JoinHandle<()>>,
}

impl Attackers {
    /// Waits until they have what they need for their attack. What they say, if it is something else.
    pub async fn are_ready_within(&mut self, patience: Duration) -> Result<(), String> {
        let mut line = String::new();
        let read = tokio::time::timeout(patience, self.said.read_line(&mut line)).await;
        match (read, line.trim()) {
            (Ok(Ok(_)), "ready") => Ok(()),
            (Ok(_), said) => Err(format!("the attack could not be prepared: {said}")),
            (Err(_), _) => Err("the attack was not prepared in time".to_owned()),
        }
    }

    /// Waits until they have ended by themselves. What they said.
    pub async fn said_within(mut self, patience: Duration) -> Result<String, String> {
        let mut said = String::new();
        let read = tokio::time::timeout(patience, self.said.read_to_string(&mut said)).await;
        if let Some(keeper) = self.keeper.take() {
            keeper.abort();
        }
        match read {
            Ok(Ok(_)) => Ok(said),
            _ => Err("attackers did not do in time what they need to begin".to_owned()),
        }
    }

    /// Lets them begin.
    pub async fn begin(&mut self) -> io::Result<()> {
        self.tell.write_all(b"go\n").await
    }

    /// Milliseconds of a core that they have used.
    pub fn cpu_ms(&self) -> u64 {
        self.child.id().map_or(0, cpu_ms)
    }

    /// Ends them. What they have counted, as JSON.
    pub async fn end(mut self) -> String {
        drop(self.tell);
        let mut counted = String::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), self.said.read_to_string(&mut counted)).await;
        if let Some(keeper) = self.keeper.take() {
            keeper.abort();
        }
        let _ = self.child.kill().await;
        counted
    }
}
