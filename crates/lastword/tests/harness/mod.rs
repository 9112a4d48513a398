//! A group of real processes on this machine, and clients for it.

#![allow(dead_code, clippy::print_stderr, reason = "each test file uses a part of it; a failed test shows its logs")]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lastword_client::protocol::answer::ReplicaState;
use lastword_client::{Client, Event, Events};
use rustix::process::{Pid, Signal, kill_process};

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Group {
    dir: tempfile::TempDir,
    pub addresses: Vec<String>,
    servers: Vec<Option<Child>>,
}

impl Group {
    /// So many replicas, started, up and in sync.
    pub async fn start(replicas: usize) -> Self {
        let mut group = Self::prepare(replicas);
        for replica in 0..replicas {
            group.spawn(replica);
        }
        group.wait_in_sync().await;
        group
    }

    /// So many replicas, not started.
    pub fn prepare(replicas: usize) -> Self {
        // A loopback address of its own for each group: nobody else, and no outgoing connection, takes
        // a port on it between now and the start of the servers.
        static GROUPS: AtomicU32 = AtomicU32::new(1);
        let process = std::process::id();
        let host =
            format!("127.{}.{}.{}", 1 + process / 256 % 250, process % 256, GROUPS.fetch_add(1, Ordering::Relaxed));
        let listeners: Vec<TcpListener> =
            (0..replicas).map(|_| TcpListener::bind((host.as_str(), 0)).expect("a free port")).collect();
        let addresses =
            listeners.iter().map(|listener| listener.local_addr().expect("an address").to_string()).collect();
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self { dir, addresses, servers: (0..replicas).map(|_| None).collect() }
    }

    pub fn data(&self, replica: usize) -> PathBuf {
        self.dir.path().join(format!("data-{replica}"))
    }

    /// What a replica has logged, over all its starts.
    pub fn log(&self, replica: usize) -> String {
        std::fs::read_to_string(self.dir.path().join(format!("log-{replica}"))).unwrap_or_default()
    }

    /// Starts a replica, and does not wait for it.
    pub fn spawn(&mut self, replica: usize) {
        self.spawn_with(replica, &[]);
    }

    /// The same, with more arguments.
    pub fn spawn_with(&mut self, replica: usize, more: &[&str]) {
        assert!(self.servers[replica].is_none(), "it runs already");
        let (host, port) = self.addresses[replica].rsplit_once(':').expect("HOST:PORT");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join(format!("log-{replica}")))
            .expect("a log file");
        let child = Command::new(env!("CARGO_BIN_EXE_lastword"))
            .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
            .args(["server", host, port, "--group", &self.addresses.join(","), "--data"])
            .arg(self.data(replica))
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        self.servers[replica] = Some(child);
    }

    /// `kill -9`.
    pub fn kill(&mut self, replica: usize) {
        let mut child = self.servers[replica].take().expect("it runs");
        child.kill().expect("killed");
        child.wait().expect("ended");
    }

    /// Tells a replica to stop, and waits until it has.
    pub fn stop(&mut self, replica: usize, signal: Signal) -> ExitStatus {
        let mut child = self.servers[replica].take().expect("it runs");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("told to stop");
        child.wait().expect("ended")
    }

    pub fn runs(&self, replica: usize) -> bool {
        self.servers[replica].is_some()
    }

    /// Waits until every replica that runs sees every other one that runs in sync.
    pub async fn wait_in_sync(&self) {
        let began = Instant::now();
        let running: Vec<usize> = (0..self.servers.len()).filter(|&replica| self.runs(replica)).collect();
        for &replica in &running {
            loop {
                if let Some(states) = self.states(replica).await
                    && running.iter().all(|&other| other == replica || states[other] == ReplicaState::InSync)
                {
                    break;
                }
                assert!(began.elapsed() < PATIENCE, "replica {replica} is not in sync: {}", self.log(replica));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// How a replica sees the group.
    pub async fn states(&self, replica: usize) -> Option<Vec<ReplicaState>> {
        let (client, _events) = Client::connect([self.addresses[replica].clone()]).expect("an address");
        let status = tokio::time::timeout(Duration::from_secs(2), client.status()).await;
        client.close().await;
        Some(status.ok()?.ok()?.replicas.into_iter().map(|replica| replica.state).collect())
    }

    /// A client of all replicas, in this order.
    pub fn client(&self, order: &[usize]) -> (Client, Events) {
        Client::connect(order.iter().map(|&replica| self.addresses[replica].clone())).expect("addresses")
    }

    /// Runs `lastword chat` with these lines on its standard input. What it printed, and whether all
    /// was well.
    pub fn chat(&self, order: &[usize], lines: &str) -> (Vec<String>, bool) {
        let output = Command::new(env!("CARGO_BIN_EXE_lastword"))
            .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
            .arg("chat")
            .args(order.iter().map(|&replica| &self.addresses[replica]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .and_then(|mut child| {
                std::io::Write::write_all(&mut child.stdin.take().expect("piped"), lines.as_bytes())?;
                child.wait_with_output()
            })
            .expect("the chat runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let lines = text.lines().map(|line| line.strip_prefix("> ").expect("each line begins so").to_owned());
        (lines.collect(), output.status.success())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for replica in 0..self.servers.len() {
            if self.runs(replica) {
                self.kill(replica);
            }
            if std::thread::panicking() {
                eprintln!("--- log of replica {replica}\n{}", self.log(replica));
            }
        }
    }
}

/// Takes message events until so many have come. Fails when none comes for a long time.
pub async fn texts(events: &mut Events, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let event = tokio::time::timeout(PATIENCE, events.next()).await;
        match event.unwrap_or_else(|_| panic!("{} of {count} messages came: {texts:?}", texts.len())) {
            Some(Event::Message(message)) => texts.push(message.text),
            Some(_) => {}
            None => panic!("the client has ended"),
        }
    }
    events.confirm();
    texts
}

/// Takes what comes within so long.
pub async fn texts_within(events: &mut Events, time: Duration) -> Vec<String> {
    let mut texts = Vec::new();
    let until = tokio::time::Instant::now() + time;
    while let Ok(Some(event)) = tokio::time::timeout_at(until, events.next()).await {
        if let Event::Message(message) = event {
            texts.push(message.text);
        }
    }
    texts
}

/// The texts of a whole conversation, oldest first.
pub async fn history(client: &Client, with: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut before = None;
    loop {
        let page = client.history(with, Some(200), before.as_deref()).await.expect("a history");
        before = page.messages.last().map(|message| message.pos.clone());
        texts.extend(page.messages.into_iter().map(|message| message.text));
        if !page.more {
            texts.reverse();
            return texts;
        }
    }
}
