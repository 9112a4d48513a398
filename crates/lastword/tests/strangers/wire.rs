//! Connections of attackers: from an address of their choice, with bytes of their choice, and what comes back counted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Connecting, and anything that has to be answered before an attack can begin.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is read at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// What came back, by kind: `ok`, the code of an error, `closed`, `event`.
#[derive(Debug, Clone, Default)]
pub struct Tally(Rc<RefCell<BTreeMap<String, u64>>>);

impl Tally {
    /// One more of a kind.
    pub fn count(&self, kind: &str) {
        self.add(kind, 1);
    }

    /// This many more.
    pub fn add(&self, kind: &str, count: u64) {
        let mut counts = self.0.borrow_mut();
        if let Some(known) = counts.get_mut(kind) {
            *known += count;
        } else {
            counts.insert(kind.to_owned(), count);
        }
    }

    /// All.
    pub fn all(&self) -> BTreeMap<String, u64> {
        self.0.borrow().clone()
    }

    /// Forgets what came before the attack.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

/// Connects from this address.
pub async fn dial(from: IpAddr, to: SocketAddr) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Many connections of one address to one other must not take a port each from all.
    socket.bind(SocketAddr::new(from, 0))?;
    let stream = tokio::time::timeout(PATIENCE, socket.connect(to)).await??;
    stream.set_nodelay(true)?;
    Ok(stream.into_split())
}

/// Reads and counts until the connection ends, or this is dropped.
pub async fn count_answers(mut reader: OwnedReadHalf, tally: Tally) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut counting = Counting::default();
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => {
                tally.count("closed");
                return;
            }
            Ok(count) => counting.take(&buffer[..count], &tally),
        }
    }
}

/// Tells lines by how they begin, without reading JSON: attackers have half a core for all that they do.
#[derive(Default)]
struct Counting {
    /// The beginning of the current line.
    head: Vec<u8>,
}

/// As much of a line as says what it is.
const HEAD_BYTES: usize = 160;

impl Counting {
    fn take(&mut self, bytes: &[u8], tally: &Tally) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.keep(&rest[..end]);
            tally.count(&kind(&self.head));
            self.head.clear();
            rest = &rest[end + 1..];
        }
        self.keep(rest);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend(&bytes[..bytes.len().min(room)]);
    }
}

fn kind(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(head);
    if let Some((_, code)) = text.split_once("\"code\":\"") {
        return code.split('"').next().unwrap_or("error").to_owned();
    }
    if text.contains("\"ok\"") {
        "ok".to_owned()
    } else if text.contains("\"event\":\"closed\"") {
        "told to go".to_owned()
    } else if text.contains("\"event\"") {
        "event".to_owned()
    } else if let Some(status) = text.strip_prefix("HTTP/1.1 ") {
        format!("HTTP {}", status.split(' ').next().unwrap_or("?"))
    } else {
        "other".to_owned()
    }
}

/// A connection that asks one thing after the other, for what has to be there before an attack.
pub struct Asking {
    reader: tokio::io::BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Asking {
    /// Connects.
    pub async fn dial(from: IpAddr, to: SocketAddr) -> io::Result<Self> {
        let (reader, writer) = dial(from, to).await?;
        Ok(Self { reader: tokio::io::BufReader::new(reader), writer })
    }

    /// Sends lines.
    pub async fn say(&mut self, lines: &[u8]) -> io::Result<()> {
        tokio::time::timeout(PATIENCE, self.writer.write_all(lines)).await?
    }

    /// The next answer; events are passed over.
    pub async fn answer(&mut self) -> io::Result<serde_json::Value> {
        use tokio::io::AsyncBufReadExt;
        loop {
            let mut line = String::new();
            if tokio::time::timeout(PATIENCE, self.reader.read_line(&mut line)).await?? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let value: serde_json::Value = serde_json::from_str(&line)?;
            if value.get("event").is_none() {
                return Ok(value);
            }
        }
    }

    /// Asks, and waits for the answer; what is told to come later is asked again.
    pub async fn ask(&mut self, request: &serde_json::Value) -> io::Result<serde_json::Value> {
        loop {
            self.say(format!("{request}\n").as_bytes()).await?;
            let answer = self.answer().await?;
            let Some(retry_ms) = answer["error"]["retry_ms"].as_u64() else { return Ok(answer) };
            tokio::time::sleep(Duration::from_millis(retry_ms)).await;
        }
    }
}
