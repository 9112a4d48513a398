//! The group that bears the load, and the accounts that take part in it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use lastword_client::protocol::answer::ReplicaState;
use lastword_client::protocol::{Code, Refusal, Uuid};
use lastword_client::{Client, Error, Events, Options, Tls};
use lastword_server::ClusterKey;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::load::number_of;
use super::report::Used;
use super::tally::Tally;
use super::usage::{Usage, bytes_below};
use super::{Arguments, progress};
use crate::group::{Group, REPLICAS};

/// Accounts that are made at a time. A replica hashes few passwords at a time; more would only wait.
const MAKING: usize = 8;
/// Most messages on a page of pending ones.
const PAGE: u32 = 500;

/// One who writes, and the one who is written to.
pub(super) struct Pair {
    pub sender: Client,
    pub receiver_name: String,
    /// The receiver listens.
    pub listens: bool,
    tally: Mutex<Tally>,
}

impl Pair {
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks through all that waits for the receiver, as the sender sees it.
    ///
    /// # Errors
    /// No replica answers.
    pub async fn count_pending(&self) -> anyhow::Result<()> {
        let mut after: Option<String> = None;
        loop {
            let page = self.sender.pending(Some(PAGE), after.as_deref()).await.context("can't read what is pending")?;
            let mut tally = self.tally();
            page.messages.iter().filter_map(|message| number_of(&message.text)).for_each(|number| tally.arrive(number));
            after = page.messages.last().map(|message| message.message.clone());
            if !page.more {
                return Ok(());
            }
        }
    }
}

/// Its own servers take all that a load writes to people who are away.
const WITHOUT_LIMITS: [&str; 2] = ["--pending-per-account", "1000000000"];

/// Where it takes place.
pub(super) struct Stage {
    /// The servers that this run has started.
    group: Option<Group>,
    /// Where they keep their data.
    folder: Option<PathBuf>,
    addresses: Vec<String>,
    tls: Option<Tls>,
    bytes_before: u64,
    used_before: Vec<Usage>,
    /// What the killed leader had used by then.
    killed: Option<(String, Usage)>,
    /// Those who have, or may have, an account of this run.
    clients: Arc<Mutex<Vec<Client>>>,
    // Dropped, and so deleted, after the group has stopped.
    _temporary: Option<TempDir>,
}

impl Stage {
    /// Starts three servers in a folder, or in a temporary one.
    ///
    /// # Errors
    /// The folder can't be made, or a server does not start.
    pub fn local(data: Option<&Path>) -> anyhow::Result<Self> {
        let (folder, temporary) = match data {
            Some(data) => (data.to_owned(), None),
            None => {
                let temporary = tempfile::tempdir().context("can't make a temporary folder")?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let bytes_before = bytes_below(&folder);
        let addresses = free_addresses(&folder)?;
        if is_in_memory(&folder) {
            progress(&format!(
                "{} is in memory (tmpfs): nothing here waits for a disk. --data DIR names a folder on one.",
                folder.display()
            ));
        }
        let key = folder.join("bench.key");
        if !key.exists() {
            // The run leaves nothing behind in the user's own folders.
            std::fs::create_dir_all(&folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
            ClusterKey::generate()?.write(&key).with_context(|| format!("can't write {}", key.display()))?;
        }
        let key = key.to_string_lossy();
        let group = Some(Group::start(&addresses, &folder, &[&WITHOUT_LIMITS[..], &["--key", &key]].concat())?);
        let (used_before, killed) = (Vec::new(), None);
        Ok(Self {
            group,
            folder: Some(folder),
            addresses,
            tls: None,
            bytes_before,
            used_before,
            killed,
            clients: Arc::default(),
            _temporary: temporary,
        })
    }

    /// Goes to a group that runs.
    pub fn running(addresses: Vec<String>, tls: Option<Tls>) -> Self {
        let (used_before, killed) = (Vec::new(), None);
        let clients = Arc::default();
        Self {
            group: None,
            folder: None,
            addresses,
            tls,
            bytes_before: 0,
            used_before,
            killed,
            clients,
            _temporary: None,
        }
    }

    /// Makes the accounts, and logs everybody in. Those who listen come with their events.
    ///
    /// # Errors
    /// An account can't be made, or nobody answers.
    pub async fn pairs(&self, arguments: &Arguments) -> anyhow::Result<Vec<(Arc<Pair>, Option<Events>)>> {
        self.wait_until_whole().await?;
        let run = Uuid::now_v7().simple().to_string();
        let mut making = JoinSet::new();
        let mut pairs = Vec::new();
        for number in 0..arguments.connections as usize {
            if making.len() == MAKING {
                pairs.extend(finished(making.join_next().await)?);
            }
            if number > 0 && number.is_multiple_of(100) {
                progress(&format!("{number} of {} pairs of accounts are made", arguments.connections));
            }
            // The end of the id, since its beginning is the time.
            let names =
                [("s", number), ("r", number)].map(|(who, number)| format!("bench-{}-{who}{number}", &run[20..]));
            let (addresses, tls) = (self.addresses.clone(), self.tls.clone());
            let (sender, _) = Client::connect_tls(addresses.clone(), Options::default(), tls.clone())?;
            let (receiver, events) = Client::connect_tls(addresses, Options::default(), tls)?;
            self.lock_clients().extend([sender.clone(), receiver.clone()]);
            making.spawn(pair(sender, receiver, events, names, arguments.receivers.listens(number)));
        }
        while let Some(made) = making.join_next().await {
            pairs.extend(finished(Some(made))?);
        }
        Ok(pairs)
    }

    /// Three that were just started are given the time to meet.
    async fn wait_until_whole(&self) -> anyhow::Result<()> {
        if self.group.is_none() {
            return Ok(());
        }
        let (client, _events) = Client::connect(self.addresses.clone())?;
        for _ in 0..1000 {
            let status = client.status().await?;
            if status.replicas.iter().all(|replica| matches!(replica.state, ReplicaState::Own | ReplicaState::InSync)) {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        bail!("the three servers are not in sync after 20 s")
    }

    /// From here on counts what is used.
    pub fn begin(&mut self) {
        self.used_before = self.processes().iter().map(|pid| Usage::of(pid)).collect();
    }

    /// What each of the servers has used since; nothing is known of those that this run did not start.
    pub fn used(&self) -> Vec<Used> {
        let now = self.processes().into_iter().map(|pid| Usage::of(&pid));
        let since = now.zip(&self.used_before).map(|(now, &before)| now.since(before));
        let mut used: Vec<_> =
            self.addresses.iter().cloned().zip(since).map(|(address, usage)| Used { address, usage }).collect();
        if let Some((killed, then)) = &self.killed {
            for used in used.iter_mut().filter(|used| used.address == *killed) {
                used.usage = *then;
            }
        }
        used
    }

    /// Kills the server that these clients speak to.
    pub fn kill_leader(&mut self, client: &Client) -> anyhow::Result<()> {
        let name = client.leader().context("no replica leads")?;
        let servers = self.group.as_mut().map(|group| group.server(&name));
        let Some(server) = servers.flatten() else { bail!("no server is named {name}") };
        let before = self.addresses.iter().position(|address| *address == server.address);
        let before = before.and_then(|n| self.used_before.get(n)).copied().unwrap_or_default();
        self.killed = Some((server.address.clone(), Usage::of(&server.pid().to_string()).since(before)));
        server.kill()
    }

    fn lock_clients(&self) -> MutexGuard<'_, Vec<Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the accounts away again, or the whole group. Bytes that one replica's data has grown by, where
    /// that can be seen.
    pub async fn leave(&mut self) -> Option<u64> {
        if let Some(mut group) = self.group.take() {
            // Stopped, they have written everything down.
            group.stop();
            let bytes = self.folder.as_deref().map_or(0, bytes_below).saturating_sub(self.bytes_before);
            let whole = REPLICAS - usize::from(self.killed.is_some());
            return Some(bytes / whole as u64);
        }
        let clients = std::mem::take(&mut *self.lock_clients());
        for (number, client) in clients.iter().enumerate() {
            match client.delete().await {
                // After an error, some have no account yet.
                Ok(_) | Err(Error::Refused(Refusal { code: Code::NotLoggedIn, .. })) => {}
                Err(error @ (Error::NoReplica { .. } | Error::NoAnswer { .. })) => {
                    let left = clients.len() - number;
                    progress(&format!("up to {left} accounts of this run could not be deleted: {error}"));
                    break;
                }
                Err(error) => progress(&format!("an account of this run could not be deleted: {error}")),
            }
        }
        None
    }

    fn processes(&self) -> Vec<String> {
        self.group.iter().flat_map(Group::servers).map(|server| server.pid().to_string()).collect()
    }
}

type Made = anyhow::Result<(Arc<Pair>, Option<Events>)>;

fn finished(made: Option<Result<Made, tokio::task::JoinError>>) -> anyhow::Result<Option<(Arc<Pair>, Option<Events>)>> {
    made.map(|made| made.context("making an account has failed")?).transpose()
}

async fn pair(
    sender: Client,
    receiver: Client,
    events: Events,
    [sender_name, receiver_name]: [String; 2],
    listens: bool,
) -> Made {
    let password = Uuid::now_v7().to_string();
    let accounts = [(&sender, &sender_name), (&receiver, &receiver_name)];
    for (client, name) in accounts {
        client.create(name, &password).await.with_context(|| format!("can't make the account {name}"))?;
    }
    if listens {
        receiver.listen().await?;
    }
    let pair = Pair { sender, receiver_name, listens, tally: Mutex::default() };
    Ok((Arc::new(pair), listens.then_some(events)))
}

/// Where the servers of an earlier run have their data in this folder: their addresses. Else three free
/// ones.
fn free_addresses(folder: &Path) -> anyhow::Result<Vec<String>> {
    let known = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = known.filter_map(|entry| entry.file_name().into_string().ok());
    let mut addresses: Vec<String> =
        names.filter(|name| name.starts_with("127.0.0.1_")).map(|name| name.replacen('_', ":", 1)).collect();
    if addresses.len() == REPLICAS {
        addresses.sort();
        return Ok(addresses);
    }
    let listeners: Vec<_> = (0..REPLICAS).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let mut addresses: Vec<String> =
        listeners.iter().map(|listener| Ok(listener.local_addr()?.to_string())).collect::<std::io::Result<_>>()?;
    addresses.sort();
    Ok(addresses)
}

fn is_in_memory(folder: &Path) -> bool {
    let existing = folder.ancestors().find(|folder| folder.exists());
    // `TMPFS_MAGIC` of `linux/magic.h`.
    existing.and_then(|folder| rustix::fs::statfs(folder).ok()).is_some_and(|stat| stat.f_type == 0x0102_1994)
}
