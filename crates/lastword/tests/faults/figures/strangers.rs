//! What people notice of strangers: thousands of connections that never say what they are, and a flood of logins.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::load::Load;
use super::{USUAL, leader, ms, tell};
use crate::group::Group;
use crate::progress::Progress;

/// Connections that say half a line, and no more. The server closes them after a while; then they come again.
const HALF_OPEN: usize = 5000;
/// Connections that try one password after the other, each for another name, so that none has to wait for what was
/// tried before.
const GUESSERS: usize = 50;
/// They all have come after so long.
const SETTLED: Duration = Duration::from_secs(5);

pub(super) async fn measure(group: &Group, load: &Load, progress: &Progress) -> Option<bool> {
    let began = Instant::now();
    tokio::time::sleep(USUAL).await;
    let usual = load.percentile_between(99, began, Instant::now());

    let address = group.addresses.get(leader(load)?)?.clone();
    let mut strangers = JoinSet::new();
    for _ in 0..HALF_OPEN {
        strangers.spawn(stay_half_open(address.clone()));
    }
    let tried = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for number in 0..GUESSERS {
        strangers.spawn(guess(address.clone(), number, tried.clone()));
    }
    tokio::time::sleep(SETTLED).await;
    let (began, tried_before) = (Instant::now(), tried.load(std::sync::atomic::Ordering::Relaxed));
    tokio::time::sleep(USUAL).await;
    let flooded = load.percentile_between(99, began, Instant::now());
    let tried = tried.load(std::sync::atomic::Ordering::Relaxed) - tried_before;
    drop(strangers);

    let more = format!(
        "to be twice the usual p99 of {:.1} ms; {HALF_OPEN} half-open connections and {:.0} logins a second, {:.0} messages a second",
        ms(usual),
        tried as f64 / USUAL.as_secs_f64(),
        load.rate(),
    );
    Some(tell(progress, "strangers at the leader, p99 of answers", 2.0 * ms(usual), ms(flooded), &more))
}

async fn stay_half_open(address: String) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(&address).await
            && stream.write_all(b"{\"id\":1,").await.is_ok()
        {
            // Until it is closed.
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn guess(address: String, number: usize, tried: std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let Ok(mut stream) = TcpStream::connect(&address).await else { return };
    let mut answer = [0; 4096];
    for attempt in 0.. {
        let name = format!("nobody{number}x{attempt}");
        let login = json!({"id": 1, "op": "login", "name": name, "password": "wrong"});
        if stream.write_all(format!("{login}\n").as_bytes()).await.is_err()
            || !matches!(stream.read(&mut answer).await, Ok(1..))
        {
            return;
        }
        tried.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}
