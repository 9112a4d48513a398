//! Ordinary people: a few who write to each other slowly with the client library, and how long each waits for an
//! answer; a visitor who logs in and writes when it is hardest.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastword_client::Client;
use tokio::task::JoinHandle;

use crate::real::group::Group;

/// How many write.
const PEOPLE: usize = 12;
/// Between an answer and the next message.
const PAUSE: Duration = Duration::from_millis(60);
/// The password of all.
const PASSWORD: &str = "people's secret";
/// Who logs in during an attack, whose name is guessed, and whom attackers write to.
pub const VISITOR: &str = "visitor";
/// A visitor who has not got in by then is kept out.
pub const VISIT_WITHIN: Duration = Duration::from_secs(10);

/// One request: when it was made, and how long it waited, once it is answered.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    waited: Option<Duration>,
}

#[derive(Default)]
struct Waits {
    asked: Vec<Asked>,
    /// Sends that failed, in words.
    failed: Vec<String>,
}

/// People who write.
pub struct People {
    clients: Vec<Client>,
    tasks: Vec<JoinHandle<()>>,
    waits: Arc<Mutex<Waits>>,
    addresses: Vec<String>,
}

/// What people saw of a span of time.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Half of them waited for at most this long.
    pub p50: Duration,
    /// 99 of 100 did.
    pub p99: Duration,
    /// The longest wait. What is not answered yet has waited until now.
    pub longest: Duration,
    /// What failed, in words.
    pub failed: Vec<String>,
}

impl People {
    /// They make accounts, and begin. Each has another order of replicas, so that all replicas have some.
    ///
    /// # Errors
    /// What failed, in words.
    pub async fn start(group: &Group) -> Result<Self, String> {
        let waits = Arc::<Mutex<Waits>>::default();
        let (mut clients, mut tasks) = (Vec::new(), Vec::new());
        let (visitor, _events) = Client::connect(group.addresses.clone()).map_err(|error| error.to_string())?;
        visitor.create(VISITOR, PASSWORD).await.map_err(|error| format!("{VISITOR} was not made: {error}"))?;
        visitor.close().await;
        for number in 0..PEOPLE {
            let mut order = group.addresses.clone();
            order.rotate_left(number % group.addresses.len());
            let (client, mut events) = Client::connect(order).map_err(|error| error.to_string())?;
            let made = client.create(&name(number), PASSWORD).await;
            made.map_err(|error| format!("{} was not made: {error}", name(number)))?;
            client.listen().await.map_err(|error| error.to_string())?;
            tasks.push(tokio::spawn(async move { while events.next().await.is_some() {} }));
            clients.push(client);
        }
        for (number, client) in clients.iter().enumerate() {
            tasks.push(tokio::spawn(write_on(client.clone(), name((number + 1) % PEOPLE), waits.clone())));
        }
        Ok(Self { clients, tasks, waits, addresses: group.addresses.clone() })
    }

    /// What they saw of what was asked since then.
    pub fn since(&self, from: Instant) -> Seen {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = waits.asked.iter().filter(|asked| asked.at >= from);
        let mut times: Vec<Duration> = asked.map(|asked| asked.waited.unwrap_or_else(|| asked.at.elapsed())).collect();
        times.sort_unstable();
        let of = |percent: usize| {
            let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(place).copied().unwrap_or(Duration::MAX)
        };
        Seen { p50: of(50), p99: of(99), longest: of(100), failed: waits.failed.clone() }
    }

    /// Forgets what failed, and what was answered: another attack begins.
    pub fn forget(&self) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.failed.clear();
        // Places are known to those that wait: they stay.
        if waits.asked.iter().all(|asked| asked.waited.is_some()) {
            waits.asked.clear();
        }
    }

    /// Somebody with a new connection logs in by password, and writes to one of them and to themselves. How long each
    /// took.
    ///
    /// # Errors
    /// What failed, in words.
    pub async fn visit(&self) -> Result<(Duration, Duration), String> {
        let visit = async {
            let (client, _events) = Client::connect(self.addresses.clone()).map_err(|error| error.to_string())?;
            let began = Instant::now();
            client.login(VISITOR, PASSWORD).await.map_err(|error| format!("login failed: {error}"))?;
            let login = began.elapsed();
            let began = Instant::now();
            client.send(&name(0), "may I?").await.map_err(|error| format!("send failed: {error}"))?;
            let sent = began.elapsed();
            let logged_out = client.logout().await;
            logged_out.map_err(|error| format!("logout failed: {error}"))?;
            client.close().await;
            Ok((login, sent))
        };
        let visited = tokio::time::timeout(VISIT_WITHIN, visit).await;
        visited.unwrap_or_else(|_| Err(format!("not let in within {} s", VISIT_WITHIN.as_secs())))
    }

    /// One of them writes to the person whose mailbox attackers fill.
    ///
    /// # Errors
    /// What failed, in words.
    pub async fn write_to_victim(&self) -> Result<(), String> {
        let sent = tokio::time::timeout(VISIT_WITHIN, self.clients[0].send(VISITOR, "are you there?")).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("writing to the one who is written to failed: {error}")),
            Err(_) => Err("writing to the one who is written to was not answered".to_owned()),
        }
    }

    /// Ends them.
    pub async fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        for client in &self.clients {
            client.close().await;
        }
    }
}

fn name(number: usize) -> String {
    format!("person{number}")
}

async fn write_on(client: Client, to: String, waits: Arc<Mutex<Waits>>) {
    let lock = || waits.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let at = Instant::now();
        let place = {
            let mut waits = lock();
            waits.asked.push(Asked { at, waited: None });
            waits.asked.len() - 1
        };
        let sent = client.send(&to, "how are you?").await;
        {
            let mut waits = lock();
            waits.asked[place].waited = Some(at.elapsed());
            if let Err(error) = sent {
                waits.failed.push(error.to_string());
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
