//! What an attack does to the replicas' processes: memory, processor time, sync, logs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::real::group::{Group, NAMES, REPLICAS};
use crate::real::look::{cpu_ms, memory_and_files};

/// Memory is looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// An attack that adds so many mebibytes is ended: it has failed, and the machine has other things to do.
const DANGER_MIB: f64 = 1500.0;
/// `/metrics` is asked for again, where it was refused; this often, this far apart.
const SCRAPES: usize = 50;
const SCRAPE_AGAIN: Duration = Duration::from_millis(100);

/// What was seen of each replica.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Mebibytes of memory that it took more, at most.
    pub memory_mib: [f64; REPLICAS],
    /// How much of a core it used.
    pub cores: [f64; REPLICAS],
    /// How often one of them ceased to wait for another one.
    pub out_of_sync: u32,
    /// What is wrong, in words: it has ended, panicked, or fallen out of sync.
    pub wrong: Vec<String>,
}

/// Looks at the replicas from now on.
pub struct Watch {
    group: Arc<Group>,
    before_mib: [f64; REPLICAS],
    most_mib: Arc<Mutex<[f64; REPLICAS]>>,
    cpu_ms: [u64; REPLICAS],
    log_bytes: [usize; REPLICAS],
    left: [Option<f64>; REPLICAS],
    looking: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl Watch {
    /// Begins.
    pub async fn start(group: &Arc<Group>) -> Self {
        let mut left = [None; REPLICAS];
        for (replica, left) in left.iter_mut().enumerate() {
            *left = times_left(&group.addresses[replica]).await;
        }
        let each = |of: &dyn Fn(usize) -> f64| std::array::from_fn(of);
        let before_mib = each(&|replica| memory_mib(group, replica).unwrap_or_default());
        let most_mib = Arc::new(Mutex::new(before_mib));
        let (looked_at, most) = (group.clone(), most_mib.clone());
        let looking = tokio::spawn(async move {
            loop {
                for replica in 0..REPLICAS {
                    let now = memory_mib(&looked_at, replica).unwrap_or_default();
                    let mut most = most.lock().unwrap_or_else(PoisonError::into_inner);
                    most[replica] = most[replica].max(now);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        let cpu_ms = std::array::from_fn(|replica| group.replica(replica).pid().map_or(0, cpu_ms));
        let log_bytes = std::array::from_fn(|replica| group.replica(replica).log_bytes());
        Self { group: group.clone(), before_mib, most_mib, cpu_ms, log_bytes, left, looking }
    }

    /// Comes back when a replica has taken so much memory that the machine is in danger: far more than it may.
    pub async fn is_in_danger(&self) {
        loop {
            let most = *self.most_mib.lock().unwrap_or_else(PoisonError::into_inner);
            if (0..REPLICAS).any(|replica| most[replica] - self.before_mib[replica] > DANGER_MIB) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// How much of a core each has used in this time, since the beginning.
    pub fn cores(&self, time: Duration) -> [f64; REPLICAS] {
        std::array::from_fn(|replica| {
            let now = self.group.replica(replica).pid().map_or(0, cpu_ms);
            now.saturating_sub(self.cpu_ms[replica]) as f64 / 1000.0 / time.as_secs_f64().max(0.001)
        })
    }

    /// What has changed. Asked after the attack, when `/metrics` is answered again.
    pub async fn end(self, cores: [f64; REPLICAS]) -> Changes {
        let most = *self.most_mib.lock().unwrap_or_else(PoisonError::into_inner);
        let memory_mib = std::array::from_fn(|replica| most[replica] - self.before_mib[replica]);
        let (mut wrong, mut out_of_sync, mut first) = (Vec::new(), 0, None);
        for (replica, name) in NAMES.iter().enumerate() {
            if self.group.has_ended(replica) {
                wrong.push(format!("{name} has ended: {}", self.group.replica(replica).last_lines()));
                continue;
            }
            let said = self.group.replica(replica).said(self.log_bytes[replica]);
            if let Some(line) = said.lines().find(|line| line.contains("panicked")) {
                wrong.push(format!("{name} panicked: {line}"));
            }
            let left = times_left(&self.group.addresses[replica]).await;
            match (self.left[replica], left) {
                (Some(before), Some(after)) if after > before => {
                    out_of_sync += (after - before) as u32;
                    first = first.or_else(|| Some(said.lines().find(|line| line.contains("out of sync"))?.to_owned()));
                }
                (Some(_), Some(_)) => {}
                _ => wrong.push(format!("{name} does not answer GET /metrics")),
            }
        }
        if out_of_sync > 0 {
            wrong.push(format!("replicas fell out of sync {out_of_sync} times: {}", first.unwrap_or_default()));
        }
        Changes { memory_mib, cores, out_of_sync, wrong }
    }
}

fn memory_mib(group: &Group, replica: usize) -> Option<f64> {
    let pid = group.replica(replica).pid()?;
    memory_and_files(pid).map(|(memory_mib, _)| memory_mib)
}

/// How often a replica has ceased to wait for another one.
async fn times_left(address: &str) -> Option<f64> {
    for _ in 0..SCRAPES {
        if let Ok(Some(page)) = tokio::time::timeout(Duration::from_secs(3), metrics(address)).await {
            let of = page.lines().filter(|line| line.starts_with("lastword_peer_left_total{"));
            return Some(of.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum());
        }
        tokio::time::sleep(SCRAPE_AGAIN).await;
    }
    None
}

async fn metrics(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let head = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await.ok()?;
    page.contains("lastword_build_info").then_some(page)
}
