//! Attacks of those who never say a whole request: at the door, in TLS, in HTTP, in WebSockets.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::flood::{Flood, Held};
use super::ground::Attackers;
use crate::wire::dial;

const SLOWLY: Duration = Duration::from_millis(200);
/// As many as one address gets on each of three replicas, and as many as all get.
const OF_ONE: usize = 3_000;
const OF_ALL: usize = 12_000;
/// Connections that do something all the time.
const BUSY: usize = 64;
/// The masked frame header of a client: fin and ping, 125 bytes, and a mask of zeros, so that bytes stay as they are.
const PING_HEAD: [u8; 6] = [0x89, 0x80 | 125, 0, 0, 0, 0];
const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: chat\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub async fn silent(attackers: Attackers) -> io::Result<()> {
    Held::silently(attackers.many(OF_ONE, OF_ALL)).run(&attackers, |_| Vec::new()).await
}

pub async fn half_lines(attackers: Attackers) -> io::Result<()> {
    Held::silently(attackers.many(OF_ONE, OF_ALL)).run(&attackers, |_| b"{\"id\":1,".to_vec()).await
}

pub async fn slow_lines(attackers: Attackers) -> io::Result<()> {
    let held = Held::silently(2_000).dripping(b" ", SLOWLY);
    held.run(&attackers, |_| b"{\"id\":1,".to_vec()).await
}

pub async fn one_ping(attackers: Attackers) -> io::Result<()> {
    // More than there are places on one replica; what is refused comes again.
    Held::silently(18_000).run(&attackers, |_| b"{\"id\":1,\"op\":\"ping\"}\n".to_vec()).await
}

pub async fn peers(attackers: Attackers) -> io::Result<()> {
    Held::silently(attackers.many(OF_ONE, OF_ALL)).run(&attackers, |_| b"LASTWORD-PEER/1\n".to_vec()).await
}

pub async fn half_tls(attackers: Attackers) -> io::Result<()> {
    let hello = &attackers.ground().client_hello;
    let half = hello[..hello.len() / 2].to_vec();
    Held::silently(attackers.many(OF_ONE, OF_ALL)).run(&attackers, move |_| half.clone()).await
}

/// The server answers with a key exchange and a signature; the client has none of that to do.
pub async fn tls_hellos(attackers: Attackers) -> io::Result<()> {
    let hello = attackers.ground().client_hello.clone();
    again_and_again(attackers, hello, true).await
}

pub async fn half_http(attackers: Attackers) -> io::Result<()> {
    Held::silently(OF_ALL).run(&attackers, |_| b"GET / HTTP/1.1\r\nHost: ".to_vec()).await
}

pub async fn slow_http(attackers: Attackers) -> io::Result<()> {
    let held = Held::silently(2_000).dripping(b"x", SLOWLY);
    held.run(&attackers, |_| b"GET / HTTP/1.1\r\nHost: ".to_vec()).await
}

pub async fn long_http(attackers: Attackers) -> io::Result<()> {
    let head = b"X-More: and more\r\n".repeat(1000);
    let flood = Flood { first: b"GET / HTTP/1.1\r\n", ..Flood::of_strangers(BUSY) };
    flood.run(&attackers, move |_, batch| batch.extend(&head)).await
}

pub async fn pages(attackers: Attackers) -> io::Result<()> {
    let mut all = JoinSet::new();
    attackers.begin().await;
    for connection in 0..BUSY {
        let path = if connection.is_multiple_of(2) { "/" } else { "/metrics" };
        let request = format!("GET {path} HTTP/1.1\r\nHost: chat\r\n\r\n").into_bytes();
        all.spawn_local(come_again(attackers.clone(), connection, request, true));
    }
    all.join_all().await;
    Ok(())
}

pub async fn half_websockets(attackers: Attackers) -> io::Result<()> {
    Held::silently(OF_ALL).run(&attackers, |_| UPGRADE.as_bytes().to_vec()).await
}

pub async fn websocket_pings(attackers: Attackers) -> io::Result<()> {
    upgraded(attackers, PING_HEAD.iter().copied().chain([b'x'; 125]).collect()).await
}

pub async fn websocket_frames(attackers: Attackers) -> io::Result<()> {
    // Text that is not the end, of 16 KiB, masked with zeros; the frame of 1 TiB is begun by every second connection.
    let piece: Vec<u8> = [0x01, 0x80 | 126, 0x40, 0, 0, 0, 0, 0].into_iter().chain([b' '; 16_384]).collect();
    upgraded(attackers, piece).await
}

/// Opens WebSockets, and sends the same again and again on each.
async fn upgraded(attackers: Attackers, frame: Vec<u8>) -> io::Result<()> {
    attackers.begin().await;
    let mut all = JoinSet::new();
    let frames = Rc::new(frame.repeat(16_384 / frame.len() + 1));
    for connection in 0..BUSY {
        let (attackers, frames) = (attackers.clone(), frames.clone());
        all.spawn_local(async move {
            loop {
                if websocket(&attackers, connection, &frames).await.is_err() {
                    attackers.tally.count("cut");
                }
                tokio::time::sleep(SLOWLY).await;
            }
        });
    }
    all.join_all().await;
    Ok(())
}

async fn websocket(attackers: &Attackers, connection: usize, frames: &[u8]) -> io::Result<()> {
    let (mut reader, mut writer) = dial(attackers.source(connection), attackers.replica(connection)).await?;
    writer.write_all(UPGRADE.as_bytes()).await?;
    let mut buffer = vec![0; 16_384];
    let _ = reader.read(&mut buffer).await?;
    attackers.tally.count("opened");
    if frames[0] == 0x01 && connection % 2 == 1 {
        writer.write_all(&[0x81, 0x80 | 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await?;
    }
    let reading = async {
        while reader.read(&mut buffer).await.is_ok_and(|count| count > 0) {
            attackers.tally.count("read");
        }
    };
    let writing = async {
        loop {
            writer.write_all(frames).await?;
            attackers.tally.count("frames of 16 KiB");
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = reading => Ok(()),
        failed = writing => failed,
    }
}

pub async fn connects(attackers: Attackers) -> io::Result<()> {
    again_and_again(attackers, Vec::new(), false).await
}

async fn again_and_again(attackers: Attackers, says: Vec<u8>, waits: bool) -> io::Result<()> {
    attackers.begin().await;
    let mut all = JoinSet::new();
    for connection in 0..BUSY {
        all.spawn_local(come_again(attackers.clone(), connection, says.clone(), waits));
    }
    all.join_all().await;
    Ok(())
}

/// Connects, says something, waits for the beginning of an answer if it is to, and leaves; without a pause.
async fn come_again(attackers: Attackers, connection: usize, says: Vec<u8>, waits: bool) {
    let mut buffer = vec![0; 1024];
    loop {
        let once = async {
            let (mut reader, mut writer) = dial(attackers.source(connection), attackers.replica(connection)).await?;
            writer.write_all(&says).await?;
            if waits && reader.read(&mut buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            io::Result::Ok(())
        };
        let came = once.await;
        attackers.tally.count(if came.is_ok() { "answered" } else { "refused" });
        if came.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::task::yield_now().await;
    }
}

pub async fn long_lines(attackers: Attackers) -> io::Result<()> {
    let piece = [b'x'; 16_384];
    Flood::of_strangers(BUSY).run(&attackers, move |_, batch| batch.extend(piece)).await
}

pub async fn garbage(attackers: Attackers) -> io::Result<()> {
    let drawn = attackers.clone();
    let request = move |_, batch: &mut Vec<u8>| {
        // The first bytes say what a connection is: each kind has its turn.
        batch.extend([b'{', 0xff, b'P', 0x16, 0x80, b'['][drawn.draw() as usize % 6..].iter().chain(b"\n\0\n"));
    };
    Flood::of_strangers(BUSY).run(&attackers, request).await
}
