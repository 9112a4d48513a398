//! A steady load, and how long each of its requests waited.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastword_client::Client;
use tokio::task::JoinHandle;

use crate::group::Group;

/// So many clients.
pub const CLIENTS: usize = 40;
/// Between an answer and the next message.
const PAUSE: Duration = Duration::from_millis(20);

type Waits = Arc<Mutex<Vec<(Instant, Duration)>>>;

/// Clients that write.
pub struct Load {
    clients: Vec<Client>,
    tasks: Vec<JoinHandle<()>>,
    /// When each was answered, and how long it waited.
    waits: Waits,
    began: Instant,
}

impl Load {
    /// Clients of all three replicas, in the order of the list, each with an account, who write to each other.
    pub async fn start(group: &Group) -> Option<Self> {
        let (waits, mut clients, mut tasks) = (Waits::default(), Vec::new(), Vec::new());
        for number in 0..CLIENTS {
            let (client, mut events) = Client::connect(group.addresses.clone()).ok()?;
            client.create(&format!("client{number}"), "secret").await.ok()?;
            client.listen().await.ok()?;
            tasks.push(tokio::spawn(async move { while events.next().await.is_some() {} }));
            clients.push(client);
        }
        for (number, client) in clients.iter().enumerate() {
            let to = format!("client{}", (number + 1) % CLIENTS);
            tasks.push(tokio::spawn(write_on(client.clone(), to, waits.clone())));
        }
        Some(Self { clients, tasks, waits, began: Instant::now() })
    }

    /// Who leads most of them.
    pub fn leader(&self) -> Option<String> {
        let mut names: Vec<String> = self.clients.iter().filter_map(Client::leader).collect();
        names.sort_unstable();
        names.get(names.len() / 2).cloned()
    }

    fn since(&self, from: Instant) -> Vec<(Instant, Duration)> {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.iter().copied().filter(|(at, _)| *at >= from).collect()
    }

    /// The longest wait of those that were answered since.
    pub fn longest_since(&self, from: Instant) -> Duration {
        self.since(from).into_iter().map(|(_, wait)| wait).max().unwrap_or(Duration::MAX)
    }

    /// The wait that so many percent of those that were answered between did not exceed: 99 is the p99, 100 the longest.
    pub fn percentile_between(&self, percent: usize, from: Instant, to: Instant) -> Duration {
        let mut waits: Vec<Duration> =
            self.since(from).into_iter().filter(|(at, _)| *at <= to).map(|(_, wait)| wait).collect();
        waits.sort_unstable();
        let last = waits.len().saturating_sub(1);
        waits.get((waits.len() * percent / 100).min(last)).copied().unwrap_or(Duration::MAX)
    }

    /// Messages a second.
    pub fn rate(&self) -> f64 {
        self.since(self.began).len() as f64 / self.began.elapsed().as_secs_f64()
    }

    /// Ends them.
    pub async fn stop(self) {
        for client in &self.clients {
            client.close().await;
        }
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn write_on(client: Client, to: String, waits: Waits) {
    loop {
        let began = Instant::now();
        if client.send(&to, "how long does it take?").await.is_err() {
            return;
        }
        let now = Instant::now();
        waits.lock().unwrap_or_else(PoisonError::into_inner).push((now, now - began));
        tokio::time::sleep(PAUSE).await;
    }
}
