//! One port for everything, told apart by the first bytes ([`crate::sniff`]), in plain text or within TLS.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastword_protocol::{Code, Refusal};
use rustix::net::sockopt;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use crate::Options;
use crate::engine::Engine;
use crate::error::ServerError;
use crate::front;
use crate::front::origins::Origins;
use crate::limits::{
    Accounts, Address, Addresses, Files, Guest, Inputs, Limits, Logins, OpenFile, Place, Places, Refusals,
};
use crate::peers::Peers;
use crate::sniff::{Kind, kind_of};
use crate::stream::Stream;
use crate::tls::Handshakes;
use crate::wire::Wire;

/// Connections beyond all that clients may have might be other replicas: they have this long to say that they are.
const UNPLACED_PATIENCE: Duration = Duration::from_secs(1);
/// Connections that are taken in one go.
const AT_ONCE: u64 = 16;
/// That no connection can be accepted is said so often.
const SAY_AGAIN: Duration = Duration::from_secs(10);
/// Bytes that are read at once until it is clear what a connection is.
const SNIFF_BYTES: usize = 4096;
/// Blanks before anything else, beyond which a connection is refused.
const MOST_BLANKS: usize = 4096;
/// A connection on which nothing came for so long is asked whether it is there, this many times, with such pauses: a
/// dead one is gone after 90 s.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;
/// After the server has stopped taking requests, what is in flight may take so long.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// A client's place: free again when it is dropped.
struct ClientPlace {
    guest: Guest,
    _of_address: Place,
    /// A server that stops waits until nobody has one any more.
    _here: mpsc::Sender<Infallible>,
}

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) wire: Wire,
    /// For clients that come within TLS.
    pub(crate) handshakes: Option<Handshakes>,
    /// Whether clients may come in plain text.
    pub(crate) plain_text: bool,
    pub(crate) origins: Origins,
    pub(crate) limits: Limits,
    pub(crate) accounts: Accounts,
    pub(crate) inputs: Inputs,
    pub(crate) logins: Logins,
    pub(crate) refusals: Refusals,
    pub(crate) peers: Arc<Peers>,
}

pub(crate) async fn bind(address: &crate::Address) -> Result<TcpListener, ServerError> {
    let failed = |source| ServerError::Listen { address: address.clone(), source };
    let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
    let found = found.map_err(|source| ServerError::ListenHost { host: address.host.clone(), source })?;
    TcpListener::bind(&found.collect::<Vec<_>>()[..]).await.map_err(failed)
}

/// Takes connections until `shutdown` is ready or the engine closes, then lets what is in flight finish.
/// Says whether it was the first.
pub(crate) async fn serve(
    listener: TcpListener,
    peers: &Arc<Peers>,
    options: &Options,
    files: &Files,
    shutdown: impl Future<Output = ()>,
) -> Result<bool, ServerError> {
    let (engine, group) = (&peers.engine, &peers.group);
    let (certificates, limits) = (options.certificates.clone(), &options.limits);
    let shared = Arc::new(Shared {
        engine: engine.clone(),
        wire: Wire { problems: peers.problems.clone(), ..Wire::new(group.clone()) },
        handshakes: certificates.map(|certificates| Handshakes::start(certificates, limits.handshake)).transpose()?,
        plain_text: options.plain_text,
        origins: Origins::new(&options.origins, &group.members),
        accounts: Accounts::new(limits),
        inputs: Inputs::default(),
        logins: Logins::new(limits),
        refusals: Refusals::default(),
        limits: limits.clone(),
        peers: peers.clone(),
    });
    let places = Places::new(limits.connections);
    let (here, mut all_gone) = mpsc::channel(1);
    let unplaced = Arc::new(Semaphore::new(files.unplaced()));
    let addresses = Addresses::new(limits.connections_per_address);
    let closing = engine.closing();
    tokio::pin!(shutdown, closing);
    let (mut taken, mut said_at) = (0u64, None);
    let asked_to_stop = loop {
        // Thousands may knock at one moment: those who are inside have their turn in between.
        if taken % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break true,
            () = &mut closing => break false,
        };
        let (stream, from) = match accepted {
            Ok((stream, from)) => (stream, from.ip().to_canonical()),
            Err(error) => {
                // The machine may have too many open files, over all processes: the next try may find some closed.
                if said_at.is_none_or(|at: Instant| at.elapsed() > SAY_AGAIN) {
                    said_at = Some(Instant::now());
                    tracing::warn!("can't accept connections: {error}; trying again ten times a second");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        taken += 1;
        // What is left is for the log and the views: this one is closed at once.
        let Some(file) = files.take() else { continue };
        let _ = stream.set_nodelay(true);
        keep_alive(&stream);
        // Whoever may not come in sends nobody away.
        let own = addresses.enter(from.into()).and_then(|of_address| Some((of_address, places.enter()?)));
        let shared = shared.clone();
        match own {
            Some((of_address, guest)) => {
                let place = Some(ClientPlace { guest, _of_address: of_address, _here: here.clone() });
                let patience = shared.limits.handshake_of(taken);
                tokio::spawn(async move { welcome(stream, file, from, &shared, place, patience).await });
            }
            // It may be another replica. With too many of these, too, it is closed at once.
            None => {
                let Ok(unplaced) = unplaced.clone().try_acquire_owned() else { continue };
                tokio::spawn(async move {
                    welcome(stream, file, from, &shared, None, UNPLACED_PATIENCE).await;
                    drop(unplaced)
                });
            }
        }
    };
    drop(listener);
    engine.open.send_replace(false);
    drop(here);
    let _ = tokio::time::timeout(LAST_ANSWERS, all_gone.recv()).await;
    Ok(asked_to_stop)
}

/// Has the kernel ask a quiet peer whether it is still there. One that lost its power or its network would keep its
/// places for as long as it may be idle.
fn keep_alive(stream: &TcpStream) {
    let set = sockopt::set_socket_keepalive(stream, true)
        .and_then(|()| sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE))
        .and_then(|()| sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL))
        .and_then(|()| sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES));
    if let Err(error) = set {
        tracing::debug!("can't turn on keepalive for a connection: {error}");
    }
}

/// Finds out what a connection is, and hands it on. Its place is free again when it has ended, and then its file.
async fn welcome(
    stream: TcpStream,
    _file: OpenFile,
    ip: IpAddr,
    shared: &Arc<Shared>,
    place: Option<ClientPlace>,
    patience: Duration,
) {
    let from = Address::from(ip);
    let mut first = [0];
    let guest = place.as_ref().map(|place| &place.guest);
    let looked = in_time(stream.peek(&mut first), shared, guest, patience).await;
    match (looked, kind_of(&first), &shared.handshakes) {
        (None | Some(Ok(0) | Err(_)), ..) => {}
        (_, Kind::Tls, Some(handshakes)) => {
            // A handshake is much work for somebody who can't be let in anyway.
            let Some(place) = place else { return };
            let shaken = tokio::select! {
                shaken = Box::pin(handshakes.shake(stream, from)) => shaken,
                () = place.guest.must_leave() => None,
            };
            if let Some(stream) = shaken {
                let mut stream = Stream::Tls(Box::new(stream));
                if let Some((kind, read)) = sniff(&mut stream, shared, Some(&place.guest), patience).await {
                    serve_client(stream, from, kind, read, shared, Some(place)).await;
                }
            }
        }
        _ => {
            let mut stream = Stream::Plain(stream);
            match (sniff(&mut stream, shared, guest, patience).await, stream) {
                // Other replicas find a place whatever clients do, and a server that stops does not wait for them.
                (Some((Kind::Peer, read)), Stream::Plain(stream)) => {
                    drop(place);
                    Box::pin(shared.peers.accept(stream, read, ip)).await;
                }
                (Some((Kind::Http, read)), stream) if !shared.plain_text => {
                    Box::pin(front::http::refuse(stream, read, front::http::Refused::PlainText, shared)).await;
                }
                (Some((Kind::Lines, _)), stream) if !shared.plain_text => {
                    let text = "This server speaks with clients within TLS only: connect with TLS (`--tls`).";
                    refuse(stream, shared, Refusal::new(Code::BadRequest, text)).await;
                }
                (Some((kind, read)), stream) => serve_client(stream, from, kind, read, shared, place).await,
                (None, _) => {}
            }
        }
    }
}

/// Reads until it is clear what a connection is; `None` if it ends before, or takes too long. Says what was read.
async fn sniff(
    stream: &mut Stream,
    shared: &Shared,
    guest: Option<&Guest>,
    patience: Duration,
) -> Option<(Kind, Vec<u8>)> {
    let mut read = Vec::new();
    let sniffed = async {
        let mut blanks = 0;
        loop {
            match kind_of(&read) {
                Kind::Unclear => {}
                kind => return Some(kind),
            }
            // Empty lines are not gathered, and only a few of them are read.
            if read.trim_ascii_start().is_empty() {
                blanks += read.len();
                if blanks > MOST_BLANKS {
                    return Some(Kind::Nonsense);
                }
                read.clear();
            }
            if stream.read_some(&mut read, SNIFF_BYTES).await.ok()? == 0 {
                return None;
            }
        }
    };
    let kind = in_time(sniffed, shared, guest, patience).await??;
    Some((kind, read))
}

/// What comes of it within the time that one has to say what one is after. Who has asked nothing yet is not waited
/// for by a server that stops.
/// Nor does it go on when its place was given to another one.
async fn in_time<T>(
    what: impl Future<Output = T>,
    shared: &Shared,
    guest: Option<&Guest>,
    patience: Duration,
) -> Option<T> {
    let must_leave = async {
        match guest {
            Some(guest) => guest.must_leave().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = must_leave => None,
        what = tokio::time::timeout(patience, what) => what.ok(),
        () = shared.engine.closing() => None,
    }
}

async fn serve_client(
    stream: Stream,
    from: Address,
    kind: Kind,
    read: Vec<u8>,
    shared: &Arc<Shared>,
    place: Option<ClientPlace>,
) {
    let guest = place.as_ref().map(|place| &place.guest);
    match (kind, guest) {
        // A task is as large as the largest thing that it may come to, and most come to lines: the others have a box.
        (Kind::Http, Some(guest)) => Box::pin(front::http::serve(stream, from, read, shared, guest)).await,
        (Kind::Lines, Some(guest)) => front::lines::serve(stream, from, read, shared, guest).await,
        (Kind::Http, None) => Box::pin(front::http::refuse(stream, read, front::http::Refused::Full, shared)).await,
        (Kind::Lines, None) => {
            let text =
                "This replica has all the connections that it, or your address, may have; try another one, or later.";
            refuse(stream, shared, Refusal::too_many(text, 1000)).await;
        }
        (Kind::Tls, _) => {
            let text = "There is no TLS here: connect without it, or start this server with --tls-cert and --tls-key.";
            refuse(stream, shared, Refusal::new(Code::BadRequest, text)).await;
        }
        (Kind::Peer | Kind::Nonsense | Kind::Unclear, _) => {
            let text = "This is no protocol that is spoken here: send one JSON object a line.";
            refuse(stream, shared, Refusal::new(Code::BadRequest, text)).await;
        }
    }
}

async fn refuse(mut stream: Stream, shared: &Shared, refusal: Refusal) {
    shared.engine.metrics.errors.add(refusal.code, 1);
    let line = front::lines::refusal_line(None, refusal);
    let written = async {
        stream.write_all(&line).await?;
        stream.flush().await
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), written).await;
    front::linger(stream).await;
}
