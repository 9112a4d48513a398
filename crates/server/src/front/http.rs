//! HTTP, as far as machines ask for health: one request a connection.

use std::sync::Arc;
use std::time::Duration;

use lastword_core::Input;
use lastword_core::io::{Answer, ConnectionId, Health, Request, Tag};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::engine::ToCore;
use crate::engine::outbox::{self, ToClient};
use crate::listen::Shared;
use crate::metrics::{Front, scrape};

/// The longest head of a request, in bytes.
const HEAD_BYTES: usize = 16 * 1024;
/// A request must be whole, and an answer written, after so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers one request, of which some bytes were read already.
pub(crate) async fn serve(mut stream: TcpStream, mut read: Vec<u8>, shared: &Arc<Shared>) {
    let _counted = shared.engine.metrics.connections.count(Front::Http);
    let whole = tokio::time::timeout(PATIENCE, async {
        while !read.windows(4).any(|end| end == b"\r\n\r\n") && !read.windows(2).any(|end| end == b"\n\n") {
            if read.len() > HEAD_BYTES || stream.read_buf(&mut read).await.map_or(true, |n| n == 0) {
                return false;
            }
        }
        true
    });
    let whole = tokio::select! {
        whole = whole => whole,
        // Who has asked nothing yet is not waited for.
        () = shared.engine.closing() => return,
    };
    let mut response = match whole {
        Ok(true) => respond(&read, shared).await,
        Ok(false) if read.len() > HEAD_BYTES => response("431 Request Header Fields Too Large", "too long\n"),
        _ => return,
    };
    if read.starts_with(b"HEAD ")
        && let Some(end) = response.find("\r\n\r\n")
    {
        response.truncate(end + 4);
    }
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(response.as_bytes())).await;
    super::linger(stream).await;
}

async fn respond(head: &[u8], shared: &Arc<Shared>) -> String {
    let line = head.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let path = line.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    if !["/healthz", "/readyz", "/metrics"].contains(&path) {
        return response("404 Not Found", "There is /healthz, /readyz and /metrics here.\n");
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
    shared.engine.give(ToCore::Open(id, outbox.clone())).await;
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
