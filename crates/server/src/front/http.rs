//! HTTP (the `hyper` crate): the page, what machines ask about health, and the beginning of WebSockets.
//!
//! hyper reads the heads of requests, bounded in bytes and time, and writes the answers. No request here needs a body:
//! one that comes all the same is not read, and its connection closes after the answer.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode, Version};
use lastword_core::Input;
use lastword_core::io::{Answer, ConnectionId, Health, Request as CoreRequest, Tag};

use super::hyper_io::{Io, Timer};
use super::response::{Response, Whole};
use super::{page, websocket};
use crate::engine::ToCore;
use crate::engine::outbox::{self, ToClient};
use crate::limits::{Address, Guest, Meter};
use crate::listen::Shared;
use crate::metrics::{Front, scrape};
use crate::stream::Stream;

/// The longest head of a request, in bytes, and the most headers in it.
const HEAD_BYTES: usize = 16 * 1024;
const HEADERS: usize = 100;
/// A head must be whole after so long, also the next one on a connection that stays open; and a client that takes
/// nothing of an answer for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// As how many requests the page of metrics counts: it asks the core and the system.
const METRICS_COST: u32 = 10;
/// As how many refusals of the line protocol one of HTTP counts: its answer costs more.
const REFUSAL_COST: u32 = 10;

/// A connection whose place was given to another one has so long for the answer that is due: longer than the core is
/// waited for.
const LAST_ANSWER: Duration = Duration::from_secs(3);

/// How long a browser keeps to HTTPS for a host that was reached by it here: 30 days. It holds for all ports of that
/// host, so it is not for longer than somebody who goes back to plain text can wait.
const HSTS: &str = "max-age=2592000";

type Answered = Result<hyper::Response<Whole>, Infallible>;
type Answering<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;

/// Answers the requests of a connection, of which some bytes were read already, until it ends.
pub(crate) async fn serve(stream: Stream, from: Address, read: Vec<u8>, shared: &Arc<Shared>, guest: &Guest) {
    let counted = shared.engine.metrics.connections.count(Front::Http);
    let is_tls = matches!(stream, Stream::Tls(_));
    let meter = Mutex::new(Meter::new(&shared.limits, from, Instant::now()));
    let refused = Mutex::new(None);
    let upgraded = AtomicBool::new(false);
    let answer = |request: Request<Incoming>| -> Answering {
        let (parts, _) = request.into_parts();
        Box::pin(async {
            let parts = parts;
            let cost = if parts.uri.path() == "/metrics" { METRICS_COST } else { 1 };
            let room = meter.lock().unwrap_or_else(PoisonError::into_inner).take(cost, None, Instant::now());
            let response = match room {
                Ok(()) => respond(&parts, shared, &upgraded).await,
                Err(retry_ms) => {
                    let until = {
                        let mut own = refused.lock().unwrap_or_else(PoisonError::into_inner);
                        shared.refusals.told(&mut own, from, REFUSAL_COST, Instant::now())
                    };
                    // The next request is not read before this one is answered.
                    if let Some(until) = until {
                        tokio::time::sleep_until(until.into()).await;
                    }
                    let text = "This is more than one connection may ask for in this time: wait a little.\n";
                    Response::text(StatusCode::TOO_MANY_REQUESTS, text).retry_after(retry_ms.div_ceil(1000))
                }
            };
            Ok(keep_to_tls(response, &parts, is_tls && !shared.plain_text).into_hyper())
        })
    };
    // One that has to leave is given the answer that is due, as when the server stops; but not for long.
    let ending = async {
        tokio::select! {
            () = shared.engine.closing() => {}
            () = guest.must_leave() => {}
        }
    };
    let late = async {
        guest.must_leave().await;
        tokio::time::sleep(LAST_ANSWER).await;
    };
    let (stream, rest) = tokio::select! {
        driven = drive(stream, read, answer, ending) => driven,
        () = late => return,
    };
    if upgraded.load(Ordering::Relaxed) {
        drop(counted);
        websocket::serve(stream, from, rest, shared, guest).await;
    } else {
        super::linger(stream).await;
    }
}

/// Why a connection that speaks HTTP is not served.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refused {
    /// It came in plain text, where only TLS is spoken.
    PlainText,
    /// All the places that it might have are taken.
    Full,
}

/// Gives the first request of a connection an answer that says why it is not served, and ends the connection.
pub(crate) async fn refuse(stream: Stream, read: Vec<u8>, why: Refused, shared: &Shared) {
    let answer = |_: Request<Incoming>| -> Answering {
        let response = match why {
            Refused::PlainText => {
                let text = "This server speaks HTTP within TLS only: use https:// instead of http://.\n";
                // RFC 9110, 15.5.22: the answer names what to go over to.
                let response = Response::text(StatusCode::UPGRADE_REQUIRED, text).with(header::UPGRADE, "TLS/1.2");
                response.with(header::CONNECTION, "upgrade").with(header::CONNECTION, "close")
            }
            Refused::Full => {
                let text = "This replica has all the connections that it, or your address, may have: try another \
                            one, or later.\n";
                Response::text(StatusCode::SERVICE_UNAVAILABLE, text).retry_after(1).with(header::CONNECTION, "close")
            }
        };
        Box::pin(std::future::ready(Ok(response.into_hyper())))
    };
    let answered = drive(stream, read, answer, shared.engine.closing());
    if let Ok((stream, _)) = tokio::time::timeout(PATIENCE, answered).await {
        super::linger(stream).await;
    }
}

/// Answers the requests of a connection until it ends, or the server does. What is left is the connection, and what was
/// read behind the last request.
async fn drive<'a>(
    stream: Stream,
    read: Vec<u8>,
    answer: impl Fn(Request<Incoming>) -> Answering<'a> + Unpin,
    closing: impl Future<Output = ()>,
) -> (Stream, Vec<u8>) {
    // Blanks before a request mean nothing; hyper takes line feeds only.
    let first = read.trim_ascii_start().to_vec();
    let asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        answer(request)
    });
    let mut connection = http1::Builder::new()
        .timer(Timer)
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        // As people write them, and scripts may look for them.
        .title_case_headers(true)
        // Whoever has said all there is to say gets an answer all the same.
        .half_close(true)
        .serve_connection(Io::new(stream, first, PATIENCE), service);
    tokio::pin!(closing);
    let mut is_last = false;
    loop {
        tokio::select! {
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => {
                if let Err(error) = ended {
                    tracing::debug!("a connection that speaks HTTP has ended: {error}");
                }
                break;
            }
            () = &mut closing, if !is_last => {
                // Who has asked nothing yet is not waited for.
                if !asked.load(Ordering::Relaxed) {
                    break;
                }
                is_last = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
    let parts = connection.into_parts();
    let (stream, first) = parts.io.into_parts();
    let mut rest = parts.read_buf.to_vec();
    rest.extend(first);
    (stream, rest)
}

/// A header's values, of all lines that have it.
pub(super) fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

/// Where a request was sent to, as the client writes it: `HOST` or `HOST:PORT`.
pub(super) fn host_of(parts: &Parts) -> Option<&str> {
    // One within the target counts, and not the header then (RFC 9112, 3.2.2).
    let in_target = parts.uri.authority().map(Authority::as_str);
    in_target.or_else(|| values(&parts.headers, &header::HOST).next())
}

/// Whether there is one `Host`, as there must be, and it can be one (RFC 9112, 3.2). HTTP/1.0 has none as a rule.
fn has_good_host(parts: &Parts) -> bool {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => parts.version < Version::HTTP_11,
        (Some(host), None) => host.to_str().is_ok_and(|host| host.is_empty() || host.parse::<Authority>().is_ok()),
        (Some(_), Some(_)) => false,
    }
}

async fn respond(parts: &Parts, shared: &Arc<Shared>, upgraded: &AtomicBool) -> Response {
    if !has_good_host(parts) {
        let text = "A request has one Host header, with the host that it is for.\n";
        return Response::text(StatusCode::BAD_REQUEST, text);
    }
    if ![Method::GET, Method::HEAD].contains(&parts.method) {
        let text = "Only GET and HEAD work here.\n";
        return Response::text(StatusCode::METHOD_NOT_ALLOWED, text).with(header::ALLOW, "GET, HEAD");
    }
    let group = &shared.wire.group;
    match parts.uri.path() {
        "/ws" => {
            let response = websocket::accept(parts, shared);
            upgraded.store(response.status() == StatusCode::SWITCHING_PROTOCOLS, Ordering::Relaxed);
            response
        }
        "/metrics" => {
            let text = scrape::text(&shared.engine, group).await;
            Response::of(StatusCode::OK, scrape::CONTENT_TYPE, text)
        }
        path @ ("/healthz" | "/readyz") => match health(shared).await {
            None => Response::text(StatusCode::SERVICE_UNAVAILABLE, "this replica does not answer\n"),
            Some(health) if path == "/readyz" && health.stale => {
                Response::text(StatusCode::SERVICE_UNAVAILABLE, "stale: this replica may lack what the others have\n")
            }
            Some(health) if path == "/readyz" && health.disk_full => Response::text(
                StatusCode::SERVICE_UNAVAILABLE,
                "disk full: this replica takes no new messages or accounts\n",
            ),
            Some(_) => Response::text(StatusCode::OK, "ok\n"),
        },
        _ => page::respond(parts, &group.members).unwrap_or_else(|| {
            let text = "Only /, /healthz, /readyz, /metrics and /ws are served here.\n";
            Response::text(StatusCode::NOT_FOUND, text)
        }),
    }
}

/// Tells browsers to keep to HTTPS for this host (RFC 6797), where nothing else is spoken. Not on this machine itself,
/// where other programs have pages under the same name.
fn keep_to_tls(response: Response, parts: &Parts, only_tls: bool) -> Response {
    let host = host_of(parts).and_then(|host| host.parse::<Authority>().ok());
    match host {
        Some(host) if only_tls && is_name_elsewhere(host.host()) => {
            response.with(header::STRICT_TRANSPORT_SECURITY, HSTS)
        }
        _ => response,
    }
}

/// Whether this is a name, and not the machine's own for itself.
fn is_name_elsewhere(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_number = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    !is_number && host != "localhost" && !host.ends_with(".localhost")
}

/// Asks the core: so the answer says that it is alive.
async fn health(shared: &Arc<Shared>) -> Option<Arc<Health>> {
    let id = ConnectionId(shared.engine.draw_id());
    let outbox = Arc::new(outbox::for_client());
    shared.engine.give(ToCore::Open(id, None, outbox.clone())).await;
    shared.engine.give(ToCore::Requests(id, vec![(Tag(0), CoreRequest::Status)])).await;
    let answered = tokio::time::timeout(Duration::from_secs(2), outbox.filled()).await;
    shared.engine.give(ToCore::Input(Input::Closed(id))).await;
    answered.ok()?;
    outbox.take().items.into_iter().find_map(|item| match item {
        ToClient::Answer(_, Ok(Answer::Status { health, .. })) => Some(health),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_other_machines_are_bound_to_tls() {
        for (host, bound) in [
            ("chat.example.org", true),
            ("CHAT.example.org.", true),
            ("localhost", false),
            ("LocalHost.", false),
            ("a.localhost", false),
            ("192.0.2.1", false),
            ("[2001:db8::1]", false),
        ] {
            assert_eq!(is_name_elsewhere(host), bound, "{host}");
        }
    }
}
