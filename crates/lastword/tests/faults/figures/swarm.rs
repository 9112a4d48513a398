//! A process with thousands of clients that do no more than they must: logged in by token at every replica,
//! listening at the first. When that one is gone, each goes to the next as a good client does: `resume`,
//! `listen`, and a message; and notes when that is answered.

use std::io;
use std::path::Path;
use std::time::Duration;

use lastword_client::protocol::Uuid;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::crowd::{NOBODY, unix_us};

/// What a process says when all of its clients were answered. Microseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answered {
    /// So many clients.
    pub count: usize,
    /// When half of them were.
    pub median_us: u64,
    /// When the last one was.
    pub last_us: u64,
}

/// So many are connected at once.
const AT_ONCE: usize = 200;
/// An answer is waited for so long.
const PATIENCE: Duration = Duration::from_secs(50);
/// Lines are short.
const BUFFER_BYTES: usize = 512;

struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    async fn dial(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(BUFFER_BYTES, stream) })
    }

    async fn say(&mut self, lines: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(lines.as_bytes()).await
    }

    /// Reads up to the answer with this id. `None`: the connection has ended.
    async fn answer(&mut self, id: u64) -> io::Result<Option<serde_json::Value>> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            let value: serde_json::Value = serde_json::from_str(&line)?;
            if value["id"] == id {
                return Ok(Some(value));
            }
        }
    }
}

/// Runs the clients: one for each line of the file of tokens.
#[expect(clippy::print_stdout, reason = "that is how it speaks to its parent")]
pub async fn run(addresses: &[String], tokens: &Path) -> io::Result<()> {
    let tokens = std::fs::read_to_string(tokens)?;
    let mut clients = JoinSet::new();
    let (up, mut ups) = tokio::sync::mpsc::channel(1);
    let all: Vec<&str> = tokens.lines().collect();
    for some in all.chunks(AT_ONCE) {
        for token in some {
            clients.spawn(client(addresses.to_vec(), (*token).to_owned(), up.clone()));
        }
        for _ in some {
            if ups.recv().await.is_none() {
                println!("a client could not be connected");
                return Ok(());
            }
        }
    }
    println!("connected");
    let mut answered = Vec::new();
    while let Some(client) = clients.join_next().await {
        if let Ok(Ok(at_us)) = client {
            answered.push(at_us);
        }
    }
    answered.sort_unstable();
    let (median_us, last_us) = (answered.get(answered.len() / 2), answered.last());
    let said = Answered {
        count: answered.len(),
        median_us: median_us.copied().unwrap_or(u64::MAX),
        last_us: last_us.copied().unwrap_or(u64::MAX),
    };
    println!("{}", serde_json::to_string(&said)?);
    Ok(())
}

/// One client. When its message was answered at the second replica.
async fn client(addresses: Vec<String>, token: String, up: tokio::sync::mpsc::Sender<()>) -> io::Result<u64> {
    let mut connections = Vec::new();
    for address in &addresses {
        let mut connection = Connection::dial(address).await?;
        connection.say(&format!("{}\n", json!({"id": 1, "op": "resume", "token": token}))).await?;
        let answer = connection.answer(1).await?;
        if answer.is_none_or(|answer| answer["ok"].is_null()) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        connections.push(connection);
    }
    connections[0].say(&format!("{}\n", json!({"id": 2, "op": "listen"}))).await?;
    connections[0].answer(2).await?;
    let _ = up.send(()).await;
    drop(up);
    // It says nothing that is asked for here: this ends when the connection does.
    let _ = connections[0].answer(0).await;
    let next = &mut connections[1];
    let resume = json!({"id": 3, "op": "resume", "token": token});
    let listen = json!({"id": 4, "op": "listen"});
    let key = Uuid::now_v7().to_string();
    let send = json!({"id": 5, "op": "send", "to": NOBODY, "text": "still here?", "key": key});
    next.say(&format!("{resume}\n{listen}\n{send}\n")).await?;
    let answer = tokio::time::timeout(PATIENCE, next.answer(5)).await.map_err(io::Error::other)??;
    match answer {
        Some(answer) if answer["ok"].is_object() => Ok(unix_us()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
