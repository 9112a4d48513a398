//! WebSocket, path `/ws`: the protocol of `docs/protocol.md` with one object a text frame (RFC 6455; the
//! `tokio-tungstenite` crate).
//!
//! Frames become lines for [`super::lines`], through a pipe, and lines frames. That costs a copy each way, which nobody
//! at a browser notices, and there is one place where the protocol is spoken.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use lastword_protocol::LINE_BYTES;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::head::Head;
use super::lines;
use crate::limits::Address;
use crate::listen::Shared;
use crate::stream::Stream;

/// Room of the pipe each way, in bytes: a line and its line feed.
const PIPE_BYTES: usize = LINE_BYTES + 1;
/// The longest frame that is looked at: beyond a line's limit by as much as it takes to refuse it as one.
const FRAME_BYTES: usize = LINE_BYTES + 1024;

/// What was said last, and the goodbyes, may take so long.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a connection does not become a WebSocket: the status line, and a sentence.
pub(super) type Refused = (&'static str, String);

/// The head of the response that begins a WebSocket.
///
/// # Errors
/// This is no handshake of one, or its page came from somewhere else.
pub(super) fn accept(head: &Head, shared: &Shared) -> Result<String, Refused> {
    let bad = |what: &str| Err(("400 Bad Request", format!("{what}\n")));
    if !head.names("Upgrade", "websocket") || !head.names("Connection", "upgrade") {
        return Err(("426 Upgrade Required", "This is the path for WebSockets.\n".to_owned()));
    }
    if head.value("Sec-WebSocket-Version") != Some("13") {
        return bad("Version 13 of WebSocket is spoken here.");
    }
    let Some(key) = head.value("Sec-WebSocket-Key") else { return bad("Sec-WebSocket-Key is missing.") };
    if let Some(origin) = head.value("Origin")
        && !shared.origins.allow(origin, head.value("Host"))
    {
        tracing::debug!("a page of another origin was turned away: {}", origin.escape_debug());
        return Err((
            "403 Forbidden",
            "This page does not come from here: its origin has to be named with --origin at the server's start.\n"
                .to_owned(),
        ));
    }
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    ))
}

/// Serves a WebSocket that has begun, until it ends. `rest` is what came behind the handshake.
pub(super) async fn serve(stream: Stream, from: Address, rest: Vec<u8>, shared: &Arc<Shared>) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES))
        .max_frame_size(Some(FRAME_BYTES))
        .write_buffer_size(0);
    let socket = WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config)).await;
    let (to_client, from_client) = socket.split();
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    let (from_lines, to_lines) = tokio::io::split(far);
    // Whichever end closes, the other hears of it through the pipe.
    let serving = lines::serve(Stream::Pipe(near), from, Vec::new(), shared);
    let passing = async { tokio::join!(pass_in(from_client, to_lines), pass_out(from_lines, to_client)) };
    tokio::pin!(serving, passing);
    tokio::select! {
        () = &mut serving => drop(tokio::time::timeout(LAST_WORDS, passing).await),
        _ = &mut passing => serving.await,
    }
}

type ToClient = futures_util::stream::SplitSink<WebSocketStream<Stream>, Message>;
type FromClient = futures_util::stream::SplitStream<WebSocketStream<Stream>>;

/// Frames in, lines out.
async fn pass_in(mut frames: FromClient, mut lines: WriteHalf<DuplexStream>) {
    while let Some(frame) = frames.next().await {
        let line = match frame {
            Ok(Message::Text(text)) => text,
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            // What is too long is refused as a line is.
            Err(Error::Capacity(_)) => "x".repeat(LINE_BYTES + 1).into(),
            // Binary frames say nothing in this protocol.
            Ok(Message::Binary(_)) => "binary".into(),
            Ok(Message::Close(_) | Message::Frame(_)) | Err(_) => break,
        };
        // Between the words of an object line feeds mean nothing, and within them they can't be.
        let mut line = line.replace('\n', " ");
        line.push('\n');
        if lines.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    let _ = lines.shutdown().await;
}

/// Lines in, frames out: as many at once as there are.
async fn pass_out(lines: ReadHalf<DuplexStream>, mut frames: ToClient) {
    let mut lines = BufReader::new(lines).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if frames.feed(Message::Text(line.into())).await.is_err() {
            return;
        }
        if lines.get_ref().buffer().is_empty() && frames.flush().await.is_err() {
            return;
        }
    }
    let over = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    let _ = frames.send(Message::Close(Some(over))).await;
}
