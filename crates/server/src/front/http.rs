//! HTTP: the page, what machines ask about health, and the beginning of WebSockets. One request a connection.

use std::sync::Arc;
use std::time::Duration;

use lastword_core::Input;
use lastword_core::io::{Answer, ConnectionId, Health, Request, Tag};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::head::Head;
use super::page;
use super::response::Response;
use super::websocket;
use crate::engine::ToCore;
use crate::engine::outbox::{self, ToClient};
use crate::limits::Address;
use crate::listen::Shared;
use crate::metrics::{Front, scrape};
use crate::stream::Stream;

/// The longest head of a request, in bytes.
const HEAD_BYTES: usize = 16 * 1024;
/// A request must be whole, and an answer written, after so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers one request, of which some bytes were read already.
pub(crate) async fn serve(mut stream: Stream, from: Address, mut read: Vec<u8>, shared: &Arc<Shared>) {
    let counted = shared.engine.metrics.connections.count(Front::Http);
    let whole = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(head) = Head::take(&mut read) {
                return Some(head);
            }
            if read.len() > HEAD_BYTES || stream.read_buf(&mut read).await.map_or(true, |n| n == 0) {
                return None;
            }
        }
    });
    let whole = tokio::select! {
        whole = whole => whole,
        // Who has asked nothing yet is not waited for.
        () = shared.engine.closing() => return,
    };
    let mut only_head = false;
    let response = match whole {
        Ok(Some(head)) if !["GET", "HEAD"].contains(&head.method()) => {
            Response::text("405 Method Not Allowed", "There is only GET and HEAD here.\n").with("Allow", "GET, HEAD")
        }
        Ok(Some(head)) if head.path() == "/ws" => match websocket::accept(&head, shared) {
            Ok(response) => {
                drop(counted);
                if write(&mut stream, response.as_bytes()).await {
                    websocket::serve(stream, from, read, shared).await;
                }
                return;
            }
            Err((status, why)) => Response::text(status, why),
        },
        Ok(Some(head)) => {
            only_head = head.method() == "HEAD";
            respond(&head, shared).await
        }
        Ok(None) if read.len() > HEAD_BYTES => Response::text("431 Request Header Fields Too Large", "too long\n"),
        _ => return,
    };
    write(&mut stream, &response.into_bytes(only_head)).await;
    super::linger(stream).await;
}

/// Whether it could be written.
async fn write(stream: &mut Stream, response: &[u8]) -> bool {
    let written = async {
        stream.write_all(response).await?;
        stream.flush().await
    };
    matches!(tokio::time::timeout(PATIENCE, written).await, Ok(Ok(())))
}

async fn respond(head: &Head, shared: &Arc<Shared>) -> Response {
    let group = &shared.wire.group;
    match head.path() {
        "/metrics" => {
            let text = scrape::text(&shared.engine, group).await;
            Response::of("200 OK", scrape::CONTENT_TYPE, text.into_bytes())
        }
        path @ ("/healthz" | "/readyz") => match health(shared).await {
            None => Response::text("503 Service Unavailable", "this replica does not answer\n"),
            Some(health) if path == "/readyz" && health.stale => Response::text(
                "503 Service Unavailable",
                "stale: this replica has not met another one since its start\n",
            ),
            Some(_) => Response::text("200 OK", "ok\n"),
        },
        _ => page::respond(head, &group.members).unwrap_or_else(|| {
            let text = "There is the page at /, and /healthz, /readyz, /metrics and /ws here.\n";
            Response::text("404 Not Found", text)
        }),
    }
}

/// Asks the core: so the answer says that it is alive.
async fn health(shared: &Arc<Shared>) -> Option<Arc<Health>> {
    let id = ConnectionId(shared.engine.draw_id());
    let outbox = Arc::new(outbox::for_client());
    shared.engine.give(ToCore::Open(id, None, outbox.clone())).await;
    shared.engine.give(ToCore::Requests(id, vec![(Tag(0), Request::Status)])).await;
    let answered = tokio::time::timeout(Duration::from_secs(2), outbox.filled()).await;
    shared.engine.give(ToCore::Input(Input::Closed(id))).await;
    answered.ok()?;
    outbox.take().items.into_iter().find_map(|item| match item {
        ToClient::Answer(_, Ok(Answer::Status { health, .. })) => Some(health),
        _ => None,
    })
}
