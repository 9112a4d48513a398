//! The group: three replicas, and whether all are in sync.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::replica::Replica;

/// A server that was told to stop may take so long.
const STOP: Duration = Duration::from_secs(20);

/// How many.
pub const REPLICAS: usize = 3;
/// Their names.
pub const NAMES: [&str; REPLICAS] = ["a", "b", "c"];

/// Three replicas.
pub struct Group {
    replicas: Vec<Mutex<Replica>>,
    /// `HOST:PORT` of each.
    pub addresses: Vec<String>,
}

/// A loopback address of this process's own: no outgoing connection takes a port there, and nobody else who tries
/// something at a port of 127.0.0.1 meets this group.
pub fn host() -> String {
    let process = std::process::id();
    format!("127.{}.{}.77", 1 + process / 256 % 250, process % 256)
}

/// Free addresses there.
pub fn addresses() -> io::Result<Vec<String>> {
    let host = host();
    let bind = |_| TcpListener::bind((host.as_str(), 0));
    let listeners = (0..REPLICAS).map(bind).collect::<io::Result<Vec<_>>>()?;
    listeners.iter().map(|listener| listener.local_addr().map(|address| address.to_string())).collect()
}

impl Group {
    /// The three, not started. `via(from, to)`: where one dials another one, if not at its address.
    pub fn prepare(
        dir: &Path,
        addresses: &[String],
        via: impl Fn(usize, usize) -> Option<String>,
        more: &[&str],
    ) -> Self {
        let list = addresses.join(",");
        let replica = |(number, name): (usize, &&'static str)| {
            let mut arguments = vec!["--group".to_owned(), list.clone()];
            arguments.extend(more.iter().map(|&word| word.to_owned()));
            for (other, name) in NAMES.iter().enumerate().filter(|&(other, _)| other != number) {
                if let Some(address) = via(number, other) {
                    arguments.push(format!("--via={name}={address}"));
                }
            }
            Mutex::new(Replica::new(name, addresses[number].clone(), dir, arguments))
        };
        Self { replicas: NAMES.iter().enumerate().map(replica).collect(), addresses: addresses.to_vec() }
    }

    /// One of them. Held for moments only.
    pub fn replica(&self, number: usize) -> MutexGuard<'_, Replica> {
        self.replicas[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts those that don't run.
    pub fn start_all(&self) -> io::Result<()> {
        (0..REPLICAS).try_for_each(|number| self.replica(number).start())
    }

    /// Whether a replica has no process, or one that has ended.
    pub fn has_ended(&self, number: usize) -> bool {
        let mut replica = self.replica(number);
        replica.ended();
        replica.pid().is_none()
    }

    /// Waits until a replica ends by itself.
    pub async fn ends_within(&self, number: usize, patience: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        loop {
            let ended = self.replica(number).ended();
            if ended.is_some() || began.elapsed() > patience {
                return ended;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGTERM, and waits. `None`: it did not end, and was killed.
    pub async fn stop(&self, number: usize) -> Option<ExitStatus> {
        let may_end = std::mem::replace(&mut self.replica(number).may_end, true);
        self.replica(number).terminate();
        let ended = self.ends_within(number, STOP).await;
        self.replica(number).kill();
        self.replica(number).may_end = may_end;
        ended
    }

    /// Kills all.
    pub fn kill_all(&self) {
        (0..REPLICAS).for_each(|number| self.replica(number).kill());
    }

    /// Waits until a replica answers.
    pub async fn is_up_within(&self, number: usize, patience: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < patience {
            if status(&self.addresses[number]).await.is_some() {
                return true;
            }
            if self.has_ended(number) {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// Whether every replica says now that every other one is in sync.
    pub async fn is_in_sync(&self) -> bool {
        for address in &self.addresses {
            let Some(status) = status(address).await else { return false };
            let replicas = status["replicas"].as_array().map_or(&[][..], Vec::as_slice);
            let in_sync = replicas.iter().filter(|replica| replica["state"] == "in_sync").count();
            if in_sync + 1 != REPLICAS {
                return false;
            }
        }
        true
    }

    /// Waits until all are in sync.
    pub async fn is_in_sync_within(&self, patience: Duration) -> bool {
        let began = Instant::now();
        loop {
            if self.is_in_sync().await {
                return true;
            }
            if began.elapsed() > patience {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// How a replica sees the group, asked on a connection of its own.
pub async fn status(address: &str) -> Option<Value> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(b"{\"id\":1,\"op\":\"status\"}\n").await.ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.ok()?;
        serde_json::from_str::<Value>(&line).ok()?.get("ok").cloned()
    };
    tokio::time::timeout(Duration::from_secs(2), asked).await.ok()?
}
