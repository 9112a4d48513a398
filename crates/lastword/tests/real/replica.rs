//! One replica: a process, its data and its log.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// One replica. Dropped, it is killed.
pub struct Replica {
    /// `HOST:PORT`, as in the list.
    pub address: String,
    /// The data directory.
    pub data: PathBuf,
    /// What it logs, over all its starts.
    pub log: PathBuf,
    /// Arguments that never change.
    pub arguments: Vec<String>,
    /// The network namespace that it runs in, if it is not this one.
    pub namespace: Option<String>,
    /// Its clock is so much ahead.
    pub clock_offset_ms: i64,
    child: Option<Child>,
    /// It is expected to end by itself.
    pub may_end: bool,
    frozen: bool,
}

impl Replica {
    /// One that does not run yet.
    pub fn new(name: &'static str, address: String, dir: &Path, arguments: Vec<String>) -> Self {
        Self {
            address,
            data: dir.join(format!("data-{name}")),
            log: dir.join(format!("log-{name}")),
            arguments,
            namespace: None,
            clock_offset_ms: 0,
            child: None,
            may_end: false,
            frozen: false,
        }
    }

    /// Starts it, and does not wait for it.
    pub fn start(&mut self) -> io::Result<()> {
        // One that has ended is no process any more.
        self.ended();
        if self.child.is_some() {
            return Ok(());
        }
        let (host, port) = self.address.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
        let log = File::options().create(true).append(true).open(&self.log)?;
        let program = env!("CARGO_BIN_EXE_lastword");
        let mut command = match &self.namespace {
            // It becomes the program: its process is the replica's.
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, program]);
                command
            }
            None => Command::new(program),
        };
        let child = command
            .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
            .args(["server", host, port])
            .args(&self.arguments)
            .arg(format!("--clock-offset-ms={}", self.clock_offset_ms))
            .arg("--data")
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// Its process, if it has one.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid().and_then(|pid| Pid::from_raw(pid as i32)) {
            // It may have ended in this moment: then there is nothing to signal.
            let _ = kill_process(pid, signal);
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.frozen = false;
    }

    /// SIGSTOP.
    pub fn freeze(&mut self) {
        self.signal(Signal::STOP);
        self.frozen = true;
    }

    /// SIGCONT.
    pub fn thaw(&mut self) {
        if std::mem::take(&mut self.frozen) {
            self.signal(Signal::CONT);
        }
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        self.frozen = false;
        Some(status)
    }

    /// What it has logged, from this byte on.
    pub fn said(&self, from: usize) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
    }

    /// How much it has logged, in bytes.
    pub fn log_bytes(&self) -> usize {
        std::fs::metadata(&self.log).map_or(0, |metadata| metadata.len() as usize)
    }

    /// The last lines of its log.
    pub fn last_lines(&self) -> String {
        let said = self.said(self.log_bytes().saturating_sub(2_000));
        said.lines().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}
