//! Single servers as real processes, and raw connections to them, for tests that say what no client
//! library would.

#![allow(dead_code, clippy::print_stderr, reason = "each test file uses a part of it; a failed test shows its logs")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lastword_client::protocol::Uuid;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// So many addresses that nobody else has, on a loopback address of their own.
pub fn addresses(count: usize) -> Vec<String> {
    // The harness counts from the other end.
    static DRAWN: AtomicU32 = AtomicU32::new(254);
    let process = std::process::id();
    let last = DRAWN.fetch_sub(1, Ordering::Relaxed);
    let host = format!("127.{}.{}.{last}", 1 + process / 256 % 250, process % 256);
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((host.as_str(), 0)).expect("a free port")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("an address").to_string()).collect()
}

/// Waits until something is so, and says what was waited for if it never is.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `lastword` with these arguments, until it ends.
pub fn lastword(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lastword"))
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

/// A server of its own, in a folder of its own.
pub struct Server {
    dir: tempfile::TempDir,
    /// More than where it is and where its data are.
    pub arguments: Vec<String>,
    /// How much it logs.
    pub level: &'static str,
    /// The most files that it may have open, if that is not what this process may have.
    pub open_files: Option<u32>,
    /// Where its user keeps what programs make for themselves.
    pub state: PathBuf,
    pub address: String,
    child: Option<Child>,
}

impl Server {
    /// One that is up: a group of one.
    pub fn start() -> Self {
        Self::start_at(&addresses(1)[0], &[])
    }

    /// One that is up, at this address, with more arguments.
    pub fn start_at(address: &str, more: &[&str]) -> Self {
        Self::start_saying("info", address, more)
    }

    /// The same; it logs so much.
    pub fn start_saying(level: &'static str, address: &str, more: &[&str]) -> Self {
        let mut server = Self::prepare(address, more);
        server.level = level;
        server.again();
        server
    }

    /// One that is not started.
    pub fn prepare(address: &str, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let arguments = more.iter().map(|&word| word.to_owned()).collect();
        let state = env!("CARGO_TARGET_TMPDIR").into();
        Self { dir, arguments, level: "info", open_files: None, state, address: address.to_owned(), child: None }
    }

    /// Starts it, and waits until it is up.
    pub fn again(&mut self) {
        self.launch();
        let answers =
            || TcpStream::connect(&self.address).is_ok() && http(&self.address, "GET", "/healthz").contains(" 200 ");
        wait_until("the server is up", answers);
    }

    /// Starts it, and does not wait for it.
    pub fn launch(&mut self) {
        let (host, port) = self.address.rsplit_once(':').expect("HOST:PORT");
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log"));
        let program = env!("CARGO_BIN_EXE_lastword");
        let mut command = match self.open_files {
            None => Command::new(program),
            Some(most) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "ulimit -n $1 && shift && exec \"$@\"", "sh", &most.to_string(), program]);
                shell
            }
        };
        let child = command
            .env("XDG_STATE_HOME", &self.state)
            .args(["server", host, port, "--data"])
            .arg(self.data())
            .args(&self.arguments)
            // Large things that are thrown away go back to the system at once: so it can be seen whether
            // they were.
            .env("LASTWORD_LOG", self.level)
            .env("MALLOC_MMAP_THRESHOLD_", "8000")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log file"))
            .spawn();
        self.child = Some(child.expect("the server starts"));
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What it has logged, over all its starts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// How much memory it has, in mebibytes.
    pub fn memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("Linux").count()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok()).and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("told");
    }

    /// Waits until it has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let mut status = None;
        wait_until("the server has ended", || {
            status = child.try_wait().expect("waited");
            status.is_some()
        });
        status.expect("it has ended")
    }

    /// Tells it to stop, and waits until it has.
    pub fn stop(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.ended()
    }

    /// Serves somebody who behaves well, and at once.
    pub fn assert_serves(&self) {
        let began = Instant::now();
        let mut talk = Talk::to(&self.address);
        assert_eq!(talk.ask(&json!({"op": "ping"})), json!({"ok": {}}));
        assert!(talk.ask(&json!({"op": "hello", "version": 1}))["ok"]["replicas"].is_array());
        assert!(began.elapsed() < Duration::from_secs(2), "served, but after {:?}", began.elapsed());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- log of {}\n{}", self.address, self.log());
        }
    }
}

/// Sends bytes, and reads until the server closes or nothing comes for a while. What it said, and
/// whether it has closed.
pub fn talk(address: &str, bytes: &[u8], patience: Duration) -> (String, bool) {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(patience)).expect("a timeout");
    // The server may have closed before all of it was written.
    let _ = stream.write_all(bytes);
    let mut said = Vec::new();
    let mut buffer = [0; 65536];
    let closed = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break true,
            Ok(n) => said.extend(&buffer[..n]),
            Err(error) => break error.kind() == ErrorKind::ConnectionReset,
        }
    };
    (String::from_utf8_lossy(&said).into_owned(), closed)
}

/// The whole answer to an HTTP request; empty where there is none.
pub fn http(address: &str, method: &str, path: &str) -> String {
    let mut answer = String::new();
    let done = TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())?;
        stream.read_to_string(&mut answer)
    });
    done.map(|_| answer).unwrap_or_default()
}

/// A raw connection that speaks JSON lines.
pub struct Talk {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Talk {
    pub fn to(address: &str) -> Self {
        Self::over(TcpStream::connect(address).expect("connected"))
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let reader = BufReader::new(stream.try_clone().expect("cloned"));
        Self { stream, reader }
    }

    /// Sends bytes as they are.
    pub fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
    }

    /// The next line; `None` when the server has closed.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    /// The next line, as JSON.
    pub fn next(&mut self) -> Option<Value> {
        self.line().map(|line| serde_json::from_str(&line).expect("each line is JSON"))
    }

    /// Sends a request, and waits for its answer (without its id). Events are passed over.
    pub fn ask(&mut self, request: &Value) -> Value {
        let mut request = request.clone();
        request["id"] = json!("asked");
        self.say(format!("{request}\n").as_bytes());
        loop {
            let mut answer = self.next().expect("answered before it is closed");
            if answer["id"] == "asked" {
                answer.as_object_mut().expect("an object").remove("id");
                return answer;
            }
        }
    }

    /// The next event of this kind.
    pub fn event(&mut self, kind: &str) -> Value {
        loop {
            let line = self.next().expect("told before it is closed");
            if line["event"] == kind {
                return line;
            }
        }
    }

    /// Makes an account, and is logged in. The `ok` object.
    pub fn create(&mut self, name: &str) -> Value {
        let answer = self.ask(&json!({"op": "create", "name": name, "password": "secret", "key": key()}));
        assert!(answer["ok"].is_object(), "{answer}");
        answer["ok"].clone()
    }
}

/// A fresh key.
pub fn key() -> String {
    Uuid::now_v7().to_string()
}

/// A new key file.
pub fn key_file(dir: &Path, name: &str) -> String {
    let path = dir.join(name).to_str().expect("UTF-8").to_owned();
    assert!(lastword(&["key", &path]).status.success());
    path
}
