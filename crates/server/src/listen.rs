//! One port for everything, told apart by the first bytes: `{` JSON lines, a method HTTP, the preface
//! of another replica.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lastword_protocol::{Code, Refusal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::Engine;
use crate::error::ServerError;
use crate::front;
use crate::group::{Address, Group};
use crate::peers;

/// A connection that has not said what it is after so long is closed.
const SAY_SOMETHING: Duration = Duration::from_secs(10);
/// After the server has stopped taking requests, what is in flight may take so long.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) wire: crate::wire::Wire,
    /// When somebody who can't be a replica of this group was last told of in the log.
    pub(crate) told_of_stranger: Mutex<Option<Instant>>,
}

/// What a connection is, by its first bytes.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Lines,
    Http,
    Peer,
    Nonsense,
    /// Too few bytes to tell.
    Unclear,
}

pub(crate) async fn bind(address: &Address) -> Result<TcpListener, ServerError> {
    let bound = TcpListener::bind((address.host.as_str(), address.port)).await;
    bound.map_err(|source| ServerError::Listen { address: address.clone(), source })
}

/// Takes connections until `shutdown` is ready or the engine closes, then lets what is in flight finish.
/// Says whether it was the first.
pub(crate) async fn serve(
    listener: TcpListener,
    engine: &Engine,
    group: &Group,
    connections: usize,
    shutdown: impl Future<Output = ()>,
) -> bool {
    let wire = crate::wire::Wire::new(group.clone());
    let shared = Arc::new(Shared { engine: engine.clone(), wire, told_of_stranger: Mutex::new(None) });
    let places = Arc::new(Semaphore::new(connections));
    let closing = engine.closing();
    tokio::pin!(shutdown, closing);
    let asked_to_stop = loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break true,
            () = &mut closing => break false,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Most likely too many open files: the next try may find some closed.
                tracing::warn!("can't take a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (shared, place) = (shared.clone(), places.clone().try_acquire_owned().ok());
        tokio::spawn(async move { welcome(stream, &shared, place).await });
    };
    drop(listener);
    engine.open.send_replace(false);
    // Every client's connection holds a place.
    let all = u32::try_from(connections).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(LAST_ANSWERS, places.acquire_many(all)).await;
    asked_to_stop
}

/// Finds out what a connection is, and hands it on. Its place is free again when it has ended.
async fn welcome(mut stream: TcpStream, shared: &Arc<Shared>, place: Option<OwnedSemaphorePermit>) {
    let mut read = Vec::with_capacity(4096);
    let sniffed = tokio::time::timeout(SAY_SOMETHING, async {
        loop {
            match kind_of(&read) {
                Kind::Unclear => {}
                kind => return Some(kind),
            }
            // Empty lines are not gathered, however many come.
            if read.trim_ascii_start().is_empty() {
                read.clear();
            }
            if stream.read_buf(&mut read).await.ok()? == 0 {
                return None;
            }
        }
    });
    let kind = tokio::select! {
        sniffed = sniffed => sniffed,
        // Who has asked nothing yet is not waited for.
        () = shared.engine.closing() => return,
    };
    let Ok(Some(kind)) = kind else { return };
    match kind {
        // Other replicas find a place whatever clients do, and a server that stops does not wait for them.
        Kind::Peer => {
            drop(place);
            peers::accept(stream, read, shared).await;
        }
        Kind::Http if place.is_some() => front::http::serve(stream, read, shared).await,
        Kind::Lines if place.is_some() => front::lines::serve(stream, read, shared).await,
        Kind::Lines | Kind::Http => {
            let text = "This replica has all the connections it may have; try another one, or later.";
            refuse(stream, shared, Refusal::too_many(text, 1000)).await;
        }
        Kind::Nonsense | Kind::Unclear => {
            let text = "This is no protocol that is spoken here: send one JSON object a line.";
            refuse(stream, shared, Refusal::new(Code::BadRequest, text)).await;
        }
    }
}

async fn refuse(mut stream: TcpStream, shared: &Shared, refusal: Refusal) {
    shared.engine.metrics.errors.add(refusal.code, 1);
    let line = front::lines::refusal_line(None, refusal);
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(&line)).await;
    front::linger(stream).await;
}

fn kind_of(read: &[u8]) -> Kind {
    let read = read.trim_ascii_start();
    let begins = |word: &[u8]| read.starts_with(word);
    let may_begin = |word: &[u8]| read.len() < word.len() && word.starts_with(read);
    match read.first() {
        None => Kind::Unclear,
        Some(b'{') => Kind::Lines,
        _ if begins(peers::PREFACE) => Kind::Peer,
        _ if begins(b"GET ") || begins(b"HEAD ") => Kind::Http,
        _ if [peers::PREFACE, b"GET ", b"HEAD "].into_iter().any(may_begin) => Kind::Unclear,
        _ => Kind::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        assert_eq!(kind_of(b""), Kind::Unclear);
        assert_eq!(kind_of(b" \r\n"), Kind::Unclear);
        assert_eq!(kind_of(b" {"), Kind::Lines);
        assert_eq!(kind_of(b"GE"), Kind::Unclear);
        assert_eq!(kind_of(b"GET /"), Kind::Http);
        assert_eq!(kind_of(b"LASTWORD-PE"), Kind::Unclear);
        assert_eq!(kind_of(b"LASTWORD-PEER/1\n\0\x05"), Kind::Peer);
        for nonsense in [&b"hello"[..], b"\x16\x03\x01", b"GEX", b"[", b"LASTWORD-PEER/2\n"] {
            assert_eq!(kind_of(nonsense), Kind::Nonsense, "{nonsense:?}");
        }
    }
}
