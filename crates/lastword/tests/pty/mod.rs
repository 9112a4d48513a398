//! `lastword chat` at a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How wide the terminal is.
pub const COLUMNS: u16 = 100;

/// A terminal, and the program at it.
pub struct Terminal {
    master: File,
    child: Child,
    shown: Arc<Mutex<String>>,
    /// How much of it was looked at.
    looked_at: usize,
}

impl Terminal {
    /// Starts `lastword chat` with these arguments at a terminal of this kind.
    pub fn chat(term: &str, arguments: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
        let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("UTF-8");
        let slave = File::options().read(true).write(true).open(name).expect("opened");
        let handle = || Stdio::from(slave.try_clone().expect("cloned"));
        // The terminal is the one that Ctrl-C of the program comes from.
        let child = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_lastword"), "chat"])
            .args(arguments)
            .env("TERM", term)
            .env("NO_COLOR", "1")
            .stdin(handle())
            .stdout(handle())
            .stderr(handle())
            .spawn()
            .expect("setsid, of util-linux, starts the program");
        let master = File::from(master);
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut reader, seen) = (master.try_clone().expect("cloned"), shown.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                seen.lock().expect("whole").push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        Self { master, child, shown, looked_at: 0 }
    }

    /// Types something. Enter is `\r`.
    pub fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("typed");
    }

    /// All that was shown so far.
    pub fn shown(&self) -> String {
        self.shown.lock().expect("whole").clone()
    }

    /// Waits until something is shown, after what was waited for before. What was shown up to there.
    pub fn sees(&mut self, text: &str) -> String {
        let began = Instant::now();
        loop {
            let shown = self.shown();
            let new = &shown[self.looked_at..];
            if let Some(at) = new.find(text) {
                let end = at + text.len();
                self.looked_at += end;
                return new[..end].to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "{text:?} is not shown: {new:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether the terminal shows what is typed, and takes whole lines: as a shell wants it.
    pub fn is_right(&self) -> bool {
        let modes = tcgetattr(&self.master).expect("its modes").local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Whether the terminal itself shows what is typed.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.master).expect("its modes").local_modes.contains(LocalModes::ECHO)
    }

    /// Waits until the terminal itself does not show what is typed.
    pub fn waits_without_echo(&self) {
        let began = Instant::now();
        while self.echoes() {
            assert!(began.elapsed() < PATIENCE, "it still echoes: {:?}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("told");
    }

    /// Waits until the program has ended.
    pub fn ends(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("waited") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {:?}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
