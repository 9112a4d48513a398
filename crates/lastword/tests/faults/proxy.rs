//! A TCP proxy on the way from one place to another, which can be told to make trouble.
//!
//! A TCP stream never loses a byte in its middle: a network that drops packets stops it, and it goes on when
//! the network does, or breaks. So a black hole here reads nothing (both ends see a connection that stands
//! still, and what was written into it arrives when the hole closes, unless the connection is then broken),
//! and loss is a pause, as of a retransmission, with a reset now and then.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::chance::Chance;

/// What is taken at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// A dial through the proxy may take so long.
const DIAL: Duration = Duration::from_secs(5);

/// What happens to bytes that go one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Nothing: they go through.
    Passes,
    /// They wait, for as long as this lasts.
    Stands,
    /// So many milliseconds for each piece, and so many bytes a millisecond.
    Slow {
        /// For each piece.
        delay_ms: u64,
        /// Beside that.
        bytes_per_ms: u64,
    },
    /// In so many of a hundred pieces a pause of up to so long; and in one of 300 a reset.
    Lossy {
        /// Pieces of a hundred.
        percent: u64,
        /// The longest pause.
        pause_ms: u64,
    },
}

/// What the proxy does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// From who dials to who is dialled.
    pub there: Flow,
    /// And back.
    pub back: Flow,
    /// Connections are closed, and new ones refused.
    pub refuses: bool,
    /// Raised to break the connections there are.
    pub broken: u64,
}

/// A proxy; it ends with its runtime.
pub struct Proxy {
    /// Where to dial instead.
    pub address: SocketAddr,
    /// Where to dial the other way, if both may dial: `there` and `back` are the same for both.
    pub home: Option<SocketAddr>,
    way: watch::Sender<Way>,
}

impl Proxy {
    /// Starts one at this host, on the way to an address.
    pub async fn start(host: &str, to: String, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((host, 0)).await?;
        let address = listener.local_addr()?;
        let way = Way { there: Flow::Passes, back: Flow::Passes, refuses: false, broken: 0 };
        let (way, told) = watch::channel(way);
        tokio::spawn(accept(listener, to, told, seed, false));
        Ok(Self { address, home: None, way })
    }

    /// Starts one that stands between two places that dial each other.
    pub async fn between(host: &str, to: String, home: String, seed: u64) -> io::Result<Self> {
        let mut proxy = Self::start(host, to, seed).await?;
        let listener = TcpListener::bind((host, 0)).await?;
        proxy.home = Some(listener.local_addr()?);
        tokio::spawn(accept(listener, home, proxy.way.subscribe(), !seed, true));
        Ok(proxy)
    }

    /// Changes what it does.
    pub fn set(&self, there: Flow, back: Flow) {
        self.way.send_modify(|way| (way.there, way.back) = (there, back));
    }

    /// Closes what is open, and refuses what comes; or no more.
    pub fn refuse(&self, refuses: bool) {
        self.way.send_modify(|way| way.refuses = refuses);
    }

    /// Breaks the connections there are.
    pub fn break_all(&self) {
        self.way.send_modify(|way| way.broken += 1);
    }

    /// Everything goes through again.
    pub fn heal(&self) {
        self.way.send_modify(|way| (way.there, way.back, way.refuses) = (Flow::Passes, Flow::Passes, false));
    }
}

async fn accept(listener: TcpListener, to: String, told: watch::Receiver<Way>, seed: u64, is_home: bool) {
    let mut count = 0;
    while let Ok((stream, _)) = listener.accept().await {
        count += 1;
        tokio::spawn(carry(stream, to.clone(), told.clone(), Chance::new(seed, count), is_home));
    }
}

/// Carries one connection.
async fn carry(near: TcpStream, to: String, mut told: watch::Receiver<Way>, chance: Chance, is_home: bool) {
    let broken = told.borrow().broken;
    // As long as nothing goes through, nobody is there to be connected to.
    let reachable = |way: &Way| way.refuses || (way.there != Flow::Stands && way.back != Flow::Stands);
    if told.wait_for(reachable).await.is_err() || told.borrow().refuses {
        return;
    }
    let Ok(Ok(far)) = tokio::time::timeout(DIAL, TcpStream::connect(&to)).await else { return };
    if near.set_nodelay(true).and_then(|()| far.set_nodelay(true)).is_err() {
        return;
    }
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let mut other = chance.clone();
    other.percent(1);
    let (there, back) = (told.clone(), told.clone());
    let flows: [fn(&Way) -> Flow; 2] = [|way| way.there, |way| way.back];
    let [out, home] = if is_home { [flows[1], flows[0]] } else { flows };
    // Who closes one way closes both: nothing here uses half a connection.
    tokio::select! {
        () = pump(near_in, far_out, there, out, chance) => {}
        () = pump(far_in, near_out, back, home, other) => {}
        _ = told.wait_for(|way| way.refuses || way.broken != broken) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut told: watch::Receiver<Way>,
    flow: fn(&Way) -> Flow,
    mut chance: Chance,
) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        if told.wait_for(|way| flow(way) != Flow::Stands).await.is_err() {
            return;
        }
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let now = flow(&told.borrow_and_update());
        match now {
            Flow::Passes => {}
            Flow::Stands => {
                // What was read before it stood still waits, too.
                if told.wait_for(|way| flow(way) != Flow::Stands).await.is_err() {
                    return;
                }
            }
            Flow::Slow { delay_ms, bytes_per_ms } => {
                let wait = delay_ms + count as u64 / bytes_per_ms.max(1);
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            Flow::Lossy { percent, pause_ms } => {
                if chance.below(300) == 0 {
                    return;
                }
                if chance.percent(percent) {
                    tokio::time::sleep(Duration::from_millis(chance.below(pause_ms))).await;
                }
            }
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
