//! Three nodes of nats-server on this machine.

use std::fmt;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use tempfile::TempDir;

/// How many.
const NODES: usize = 3;

/// When a node syncs what it has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Before it says that it has.
    Always,
    /// As it comes: every two minutes.
    Default,
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "sync always",
            Self::Default => "no sync (its default)",
        })
    }
}

/// Dropped, they are killed, and what they stored is deleted.
pub struct Cluster {
    nodes: Vec<Child>,
    /// For clients, by the number of the node.
    pub urls: Vec<String>,
    _folder: TempDir,
}

impl Cluster {
    /// Starts them, with data in a folder of their own below `data`.
    ///
    /// # Errors
    /// There are no free ports, or the program can't be run.
    pub fn start(program: &Path, data: &Path, sync: Sync) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(data)?;
        // All are held until all are known.
        let listeners: Vec<_> = (0..2 * NODES).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        let ports: Vec<_> =
            listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<std::io::Result<_>>()?;
        drop(listeners);
        let (clients, routes) = ports.split_at(NODES);
        let all: Vec<_> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let interval = if sync == Sync::Always { "sync_interval: always" } else { "" };
        let mut cluster = Self {
            nodes: Vec::new(),
            urls: clients.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect(),
            _folder: folder,
        };
        for (n, (client, route)) in clients.iter().zip(routes).enumerate() {
            let dir = cluster._folder.path().join(name(n));
            std::fs::create_dir(&dir)?;
            let config = format!(
                "server_name: {}\nlisten: \"127.0.0.1:{client}\"\njetstream {{ store_dir: {:?}\n {interval} }}\n\
                 cluster {{ name: compare, listen: \"127.0.0.1:{route}\", routes: {all:?} }}\n",
                name(n),
                std::path::absolute(&dir)?,
            );
            let file = dir.join("config");
            std::fs::write(&file, config)?;
            let mut command = Command::new(program);
            command.arg("-c").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            cluster.nodes.push(command.spawn().with_context(|| format!("can't run {}", program.display()))?);
        }
        Ok(cluster)
    }

    /// Seconds of processor that they have used.
    pub fn cpu_s(&self) -> f64 {
        self.nodes.iter().map(|node| crate::machine::cpu_s(&node.id().to_string())).sum()
    }

    /// Where clients reach the node of a name.
    pub fn url_of(&self, node: &str) -> Option<&str> {
        (0..NODES).find(|&n| name(n) == node).map(|n| self.urls[n].as_str())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // One that has ended by itself is as good.
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

fn name(n: usize) -> String {
    format!("n{n}")
}
