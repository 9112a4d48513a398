//! Ten thousand clients, each connected to all three replicas as a good client is; the leader is killed, and
//! each asks the next replica for something at once.
//!
//! They are in processes of their own, since one process may not have so many open files everywhere. They
//! have a thousand accounts, each on ten devices: making ten thousand would take minutes of password hashes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lastword_client::Client;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::swarm::Answered;
use crate::group::Group;
use crate::progress::Progress;
use crate::real::look::cpu_ms;

/// So many clients.
const CLIENTS: usize = 10_000;
/// In so many processes.
const SWARMS: usize = 2;
/// Somebody who is not there: what is measured are the answers.
pub const NOBODY: &str = "nobody-listens";
/// With so many accounts.
const ACCOUNTS: usize = 1_000;
/// Connecting all may take so long.
const CONNECTED: Duration = Duration::from_secs(120);
/// Being answered may take so long: the goal is 2 s.
const ANSWERED: Duration = Duration::from_secs(60);

/// A process with its share of the clients. Dropped, it is killed.
struct Swarm {
    child: Child,
    says: mpsc::UnboundedReceiver<String>,
}

impl Swarm {
    fn start(group: &Group, tokens: &Path) -> Option<Self> {
        let mut child = Command::new(std::env::current_exe().ok()?)
            .args(["--swarm", &group.addresses.join(","), "--tokens"])
            .arg(tokens)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let lines = BufReader::new(child.stdout.take()?).lines();
        let (to, says) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Nobody may listen any more.
                let _ = to.send(line);
            }
        });
        Some(Self { child, says })
    }

    async fn says_within(&mut self, patience: Duration) -> Option<String> {
        tokio::time::timeout(patience, self.says.recv()).await.ok()?
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills the leader of ten thousand.
pub async fn measure(group: &Group, progress: &Progress) -> Option<bool> {
    progress.note(&format!("{ACCOUNTS} accounts are made"));
    let tokens = accounts(group).await?;
    let (client, _events) = Client::connect(group.addresses.clone()).ok()?;
    client.create(NOBODY, "secret").await.ok()?;
    client.close().await;
    let dir = tempfile::tempdir().ok()?;
    let mut swarms = Vec::new();
    for n in 0..SWARMS {
        let file = dir.path().join(format!("tokens-{n}"));
        let own: Vec<&str> = (0..CLIENTS / SWARMS).map(|client| tokens[client % ACCOUNTS].as_str()).collect();
        std::fs::write(&file, own.join("\n")).ok()?;
        swarms.push(Swarm::start(group, &file)?);
    }
    for swarm in &mut swarms {
        let said = swarm.says_within(CONNECTED).await?;
        if said != "connected" {
            progress.say(&format!("the clients can't be connected: {said}"));
            return None;
        }
    }
    progress.note(&format!("{CLIENTS} clients are connected, to each of the three replicas"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let pids = [group.replica(1).pid()?, group.replica(2).pid()?, swarms[0].child.id(), swarms[1].child.id()];
    let before = pids.map(cpu_ms);
    let killed_us = unix_us();
    group.replica(0).kill();
    let mut answered: Vec<Answered> = Vec::new();
    for swarm in &mut swarms {
        let said = swarm.says_within(ANSWERED).await?;
        answered.push(serde_json::from_str(&said).ok()?);
    }
    let [second, third, one, other] = pids.map(cpu_ms).map(|ms| ms as i64);
    let used = [second - before[0] as i64, third - before[1] as i64, one + other - (before[2] + before[3]) as i64];
    let ms = |us: u64| us.saturating_sub(killed_us) as f64 / 1000.0;
    let last = answered.iter().map(|answered| answered.last_us).max()?;
    let middle: Vec<String> = answered.iter().map(|answered| format!("{:.0}", ms(answered.median_us))).collect();
    let count: usize = answered.iter().map(|answered| answered.count).sum();
    if count != CLIENTS {
        progress.say(&format!("of {CLIENTS} clients {count} were answered"));
        return Some(false);
    }
    let what = "leader kill -9, all of 10,000 connected clients answered again";
    let more = format!(
        "the median client of each process after {} ms; the next replica used {} ms of a core, the third {}, the clients {}",
        middle.join(" and "),
        used[0],
        used[1],
        used[2]
    );
    Some(super::tell(progress, what, 2000.0, ms(last), &more))
}

/// Makes the accounts. A token of each.
async fn accounts(group: &Group) -> Option<Vec<String>> {
    let mut making = JoinSet::new();
    const AT_ONCE: usize = 10;
    for n in 0..AT_ONCE {
        let addresses = group.addresses.clone();
        making.spawn(async move {
            let mut tokens = Vec::new();
            for account in (n..ACCOUNTS).step_by(AT_ONCE) {
                let (client, _events) = Client::connect(addresses.clone()).ok()?;
                tokens.push(client.create(&format!("crowd{account}"), "secret").await.ok()?.token);
                client.close().await;
            }
            Some(tokens)
        });
    }
    let mut tokens = Vec::new();
    while let Some(made) = making.join_next().await {
        tokens.extend(made.ok()??);
    }
    Some(tokens)
}

/// Microseconds since 1970: a clock that processes share.
pub fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64
}
