//! HTTP, as far as machines ask for health, and the beginning of WebSockets: one request a connection.

use std::sync::Arc;
use std::time::Duration;

use lastword_core::Input;
use lastword_core::io::{Answer, ConnectionId, Health, Request, Tag};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::head::Head;
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
    let mut response = match whole {
        Ok(Some(head)) if head.path() == "/ws" => match websocket::accept(&head, shared) {
            Ok(response) => {
                drop(counted);
                if write(&mut stream, &response).await {
                    websocket::serve(stream, from, read, shared).await;
                }
                return;
            }
            Err((status, why)) => response(status, &why),
        },
        Ok(Some(head)) => {
            only_head = head.method() == "HEAD";
            respond(&head, shared).await
        }
        Ok(None) if read.len() > HEAD_BYTES => response("431 Request Header Fields Too Large", "too long\n"),
        _ => return,
    };
    if only_head && let Some(end) = response.find("\r\n\r\n") {
        response.truncate(end + 4);
    }
    write(&mut stream, &response).await;
    super::linger(stream).await;
}

/// Whether it could be written.
async fn write(stream: &mut Stream, response: &str) -> bool {
    let written = async {
        stream.write_all(response.as_bytes()).await?;
        stream.flush().await
    };
    matches!(tokio::time::timeout(PATIENCE, written).await, Ok(Ok(())))
}

async fn respond(head: &Head, shared: &Arc<Shared>) -> String {
    let path = head.path();
    if !["/healthz", "/readyz", "/metrics"].contains(&path) {
        return response("404 Not Found", "There is /healthz, /readyz, /metrics and /ws here.\n");
    }
    if path == "/metrics" {
        let text = scrape::text(&shared.engine, &shared.wire.group).await;
        return response_of("200 OK", scrape::CONTENT_TYPE, &text);
    }
    let Some(health) = health(shared).await else {
        return response("503 Service Unavailable", "this replica does not answer\n");
    };
    match path {
        "/readyz" if health.stale => {
            response("503 Service Unavailable", "stale: this replica has not met another one since its start\n")
        }
        _ => response("200 OK", "ok\n"),
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

fn response(status: &str, body: &str) -> String {
    response_of(status, "text/plain; charset=utf-8", body)
}

fn response_of(status: &str, content_type: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
