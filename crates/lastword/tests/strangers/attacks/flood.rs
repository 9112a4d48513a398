//! Two building blocks of most attacks: connections that send one request behind the other, as fast as they can, and
//! connections that are held open.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::ground::Attackers;
use crate::wire::{count_answers, dial};

/// What is written at a time.
const BATCH_BYTES: usize = 16 * 1024;
/// Requests that are written at a time, at most.
const BATCH_REQUESTS: usize = 64;
/// Between the end of a connection and the next try.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Appends what a connection, by its number, sends next.
type Request = Rc<dyn Fn(usize, &mut Vec<u8>)>;

/// A flood of requests.
#[derive(Clone, Copy)]
pub struct Flood {
    /// Connections, in all.
    pub connections: usize,
    /// Whether they are logged in.
    pub logged_in: bool,
    /// Whether they read what is answered.
    pub reads: bool,
    /// What they say first.
    pub first: &'static [u8],
}

impl Flood {
    /// Connections that nobody is logged in on, and that read.
    pub fn of_strangers(connections: usize) -> Self {
        Self { connections, logged_in: false, reads: true, first: b"" }
    }

    /// Connections that are logged in, and read.
    pub fn of_accounts(connections: usize) -> Self {
        Self { connections, logged_in: true, reads: true, first: b"" }
    }

    /// The same, but they never read.
    pub fn that_never_reads(self) -> Self {
        Self { reads: false, ..self }
    }

    /// Begins, and goes on until this process ends. `request` appends what a connection sends next.
    pub async fn run(self, attackers: &Attackers, request: impl Fn(usize, &mut Vec<u8>) + 'static) -> io::Result<()> {
        attackers.begin().await;
        let request: Request = Rc::new(request);
        let mut all = JoinSet::new();
        for connection in 0..self.connections {
            all.spawn_local(self.keep_on(connection, attackers.clone(), request.clone()));
        }
        all.join_all().await;
        Ok(())
    }

    async fn keep_on(self, connection: usize, attackers: Attackers, request: Request) {
        loop {
            if self.one(connection, &attackers, &request).await.is_err() {
                attackers.tally.count("cut");
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn one(self, connection: usize, attackers: &Attackers, request: &Request) -> io::Result<()> {
        let (reader, mut writer) = dial(attackers.source(connection), attackers.replica(connection)).await?;
        let mut unread = None;
        let reading = async {
            if self.reads {
                count_answers(reader, attackers.tally.clone()).await;
            } else {
                unread = Some(reader);
                std::future::pending::<()>().await;
            }
        };
        let writing = async {
            if self.logged_in {
                writer.write_all(attackers.resume(connection).as_bytes()).await?;
            }
            writer.write_all(self.first).await?;
            let mut batch = Vec::new();
            loop {
                batch.clear();
                for _ in 0..BATCH_REQUESTS {
                    request(connection, &mut batch);
                    if batch.len() >= BATCH_BYTES {
                        break;
                    }
                }
                writer.write_all(&batch).await?;
                // Others of this process have their turn.
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = reading => Ok(()),
            failed = writing => failed,
        }
    }
}

/// Connections that say something, and then next to nothing.
#[derive(Clone, Copy)]
pub struct Held {
    /// Connections, in all.
    pub connections: usize,
    /// Said again and again, this far apart.
    pub drip: Option<(&'static [u8], Duration)>,
}

impl Held {
    /// Connections that say something once.
    pub fn silently(connections: usize) -> Self {
        Self { connections, drip: None }
    }

    /// They go on with these bytes.
    pub fn dripping(self, bytes: &'static [u8], every: Duration) -> Self {
        Self { drip: Some((bytes, every)), ..self }
    }

    /// Begins, and goes on until this process ends: whatever is closed comes again. `first` is what a connection says.
    pub async fn run(self, attackers: &Attackers, first: impl Fn(usize) -> Vec<u8> + 'static) -> io::Result<()> {
        attackers.begin().await;
        let first: Rc<dyn Fn(usize) -> Vec<u8>> = Rc::new(first);
        let mut all = JoinSet::new();
        for connection in 0..self.connections {
            let (attackers, first) = (attackers.clone(), first.clone());
            all.spawn_local(async move {
                loop {
                    if self.one(connection, &attackers, &first(connection)).await.is_err() {
                        attackers.tally.count("refused");
                    }
                    tokio::time::sleep(AGAIN_AFTER * 5).await;
                }
            });
        }
        all.join_all().await;
        Ok(())
    }

    async fn one(self, connection: usize, attackers: &Attackers, first: &[u8]) -> io::Result<()> {
        let (mut reader, mut writer) = dial(attackers.source(connection), attackers.replica(connection)).await?;
        attackers.tally.count("connected");
        writer.write_all(first).await?;
        let tally = attackers.tally.clone();
        let reading = async move {
            // Small: there are thousands of them.
            let mut buffer = [0; 256];
            while reader.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
            tally.count("closed");
        };
        let writing = async {
            let Some((bytes, every)) = self.drip else { return std::future::pending().await };
            loop {
                tokio::time::sleep(every).await;
                writer.write_all(bytes).await?;
            }
        };
        tokio::select! {
            () = reading => Ok(()),
            failed = writing => failed,
        }
    }
}
