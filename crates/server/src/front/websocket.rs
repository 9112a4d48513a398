//! WebSocket, path `/ws`: the protocol of `docs/protocol.md` with one object a text frame (RFC 6455; the
//! `tokio-tungstenite` crate).
//!
//! Frames become lines for [`super::lines`], through a pipe, and lines frames. That costs a copy each way, which nobody
//! at a browser notices, and there is one place where the protocol is spoken.
//!
//! A connection ends with the closing handshake (RFC 6455, 7.1), which neither waits for answers nor is waited for long.

mod closing;
mod frames;
mod slim;
mod unfinished;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::header::{self, HeaderName};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use lastword_protocol::LINE_BYTES;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use self::closing::{Closing, code_after};
use self::slim::Slim;
use self::unfinished::{Counted, Unfinished};
use super::http::{host_of, values};
use super::lines;
use super::response::Response;
use crate::limits::{Address, Guest};
use crate::listen::Shared;
use crate::stream::Stream;

/// Room of the pipe each way, in bytes. What it has grown to it keeps, so a line passes through it in pieces.
const PIPE_BYTES: usize = 4 * 1024;
/// The longest frame that is looked at: beyond a line's limit by as much as it takes to refuse it as one.
const FRAME_BYTES: usize = LINE_BYTES + 1024;
/// A key is 16 bytes in base64 (RFC 6455, 4.1).
const KEY_BYTES: usize = 24;
/// The longest last line that is looked at, for why a connection ends.
const LAST_LINE_BYTES: usize = 1024;

/// Read at once. It is allocated at the beginning, and most say little.
const READ_BYTES: usize = 4 * 1024;
/// Pings and pongs a second, beyond which nothing more is read until the second is over: each ping is answered with a write
/// of its own.
const CONTROL_FRAMES: u32 = 20;
const SECOND: Duration = Duration::from_secs(1);

/// What was said last, and the goodbyes, may take so long.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The response that begins a WebSocket (101); or says that this is no handshake of one, or that its page came from
/// somewhere else.
pub(super) fn accept(asked: &Parts, shared: &Shared) -> Response {
    let names = |name: HeaderName, word: &str| {
        values(&asked.headers, &name)
            .flat_map(|value| value.split(','))
            .any(|this| this.trim().eq_ignore_ascii_case(word))
    };
    let upgrade = |text: &'static str| {
        let response = Response::text(StatusCode::UPGRADE_REQUIRED, text).with(header::UPGRADE, "websocket");
        response.with(header::CONNECTION, "upgrade").with(header::SEC_WEBSOCKET_VERSION, "13")
    };
    if !names(header::UPGRADE, "websocket") || !names(header::CONNECTION, "upgrade") || asked.method != Method::GET {
        return upgrade("Only WebSocket connections work here.\n");
    }
    if values(&asked.headers, &header::SEC_WEBSOCKET_VERSION).next() != Some("13") {
        return upgrade("Only version 13 of WebSocket works here.\n");
    }
    let key = values(&asked.headers, &header::SEC_WEBSOCKET_KEY).next();
    let Some(key) = key.filter(|key| key.len() == KEY_BYTES) else {
        let text = "Sec-WebSocket-Key is missing, or is not 16 bytes in base64.\n";
        return Response::text(StatusCode::BAD_REQUEST, text);
    };
    // One that is no text is of no page that may come.
    let origin = asked.headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    if let Some(origin) = origin
        && !shared.origins.allow(origin, host_of(asked))
    {
        return Response::text(StatusCode::FORBIDDEN, shared.origins.refuse(origin, host_of(asked)));
    }
    let response = Response::empty(StatusCode::SWITCHING_PROTOCOLS).with(header::UPGRADE, "websocket");
    let accept = derive_accept_key(key.as_bytes());
    response.with(header::CONNECTION, "upgrade").with(header::SEC_WEBSOCKET_ACCEPT, accept)
}

/// Serves a WebSocket that has begun, until it ends. `rest` is what came behind the handshake.
pub(super) async fn serve(stream: Stream, from: Address, rest: Vec<u8>, shared: &Arc<Shared>, guest: &Guest) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES))
        .max_frame_size(Some(FRAME_BYTES))
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0);
    let unfinished = Unfinished::new(shared.inputs.of(from));
    let stream = Counted::new(stream, &unfinished);
    let (mut to_client, mut from_client) = Slim::new(stream, rest, config).await.split();
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    let (from_lines, to_lines) = tokio::io::split(far);
    let mut from_lines = BufReader::new(from_lines).lines();
    // Whichever end closes, the other hears of it through the pipe.
    let serving = lines::serve(Stream::Pipe(near), from, Vec::new(), shared, guest);
    tokio::pin!(serving);
    let mut served = false;
    {
        let closing = Closing::default();
        let passing = async {
            let pass_in = pass_in(&mut from_client, to_lines, &closing, &unfinished);
            tokio::join!(pass_in, pass_out(&mut from_lines, &mut to_client, &closing, shared));
        };
        tokio::pin!(passing);
        tokio::select! {
            () = &mut serving => {
                served = true;
                let _ = tokio::time::timeout(LAST_WORDS, passing).await;
            }
            () = &mut passing => {}
        }
    }
    // The goodbyes are said. What was asked before them is still carried out, and its answers go nowhere.
    let goodbye = async {
        if let Some(stream) = to_client.reunite(from_client).ok().and_then(Slim::into_inner) {
            super::linger(stream).await;
        }
    };
    let last_requests = async {
        if !served {
            tokio::join!(serving, async { while let Ok(Some(_)) = from_lines.next_line().await {} });
        }
    };
    tokio::join!(goodbye, last_requests);
}

type ToClient<'a, 'b> = futures_util::stream::SplitSink<Slim<'a, 'b>, Message>;
type FromClient<'a, 'b> = futures_util::stream::SplitStream<Slim<'a, 'b>>;

/// Frames in, lines out; until the client has said its goodbye, or what it says can't be understood any more.
async fn pass_in(
    frames: &mut FromClient<'_, '_>,
    mut lines: WriteHalf<DuplexStream>,
    closing: &Closing,
    unfinished: &Unfinished<'_>,
) {
    let mut goes_on = true;
    let (mut control_frames, mut since) = (0, Instant::now());
    loop {
        let frame = tokio::select! {
            frame = frames.next() => frame,
            () = unfinished.late() => {
                closing.at_once(CloseCode::Policy);
                break;
            }
        };
        let Some(frame) = frame else { break };
        match &frame {
            Ok(Message::Ping(bytes) | Message::Pong(bytes)) => unfinished.control(bytes.len()),
            Ok(_) => unfinished.whole(),
            Err(_) => {}
        }
        let line = match frame {
            Ok(Message::Text(text)) => text,
            // An empty line: something has come, and asks for nothing.
            Ok(Message::Ping(_) | Message::Pong(_)) => {
                if since.elapsed() >= SECOND {
                    (control_frames, since) = (0, Instant::now());
                }
                control_frames += 1;
                if control_frames > CONTROL_FRAMES {
                    tokio::time::sleep_until(since + SECOND).await;
                }
                "".into()
            }
            // What is too long is refused as a line is.
            Err(Error::Capacity(_)) => {
                closing.because(CloseCode::Size);
                "x".repeat(LINE_BYTES + 1).into()
            }
            // Binary frames say nothing in this protocol.
            Ok(Message::Binary(_)) => {
                closing.because(CloseCode::Unsupported);
                "binary".into()
            }
            // The next look at the frames sends what answers it, and finds the end.
            Ok(Message::Close(_)) => {
                goes_on = false;
                let _ = lines.shutdown().await;
                continue;
            }
            Ok(Message::Frame(_)) => continue,
            Err(Error::Utf8(_)) => {
                closing.at_once(CloseCode::Invalid);
                break;
            }
            Err(Error::Protocol(_)) => {
                closing.at_once(CloseCode::Protocol);
                break;
            }
            Err(_) if unfinished.is_too_much() => {
                closing.at_once(CloseCode::Size);
                break;
            }
            Err(_) => break,
        };
        // Between the words of an object line feeds mean nothing, and within them they can't be.
        let mut line = line.replace('\n', " ");
        line.push('\n');
        // Once this side has ended, the client's goodbye is all that is waited for.
        goes_on = goes_on && lines.write_all(line.as_bytes()).await.is_ok();
    }
    let _ = lines.shutdown().await;
    closing.ended();
}

/// Lines in, frames out: as many at once as there are. At their end, or when it is to be closed at once, the goodbye.
async fn pass_out(
    lines: &mut Lines<BufReader<ReadHalf<DuplexStream>>>,
    frames: &mut ToClient<'_, '_>,
    closing: &Closing,
    shared: &Shared,
) {
    let mut last = String::new();
    let code = loop {
        let line = tokio::select! {
            biased;
            code = closing.told() => break code,
            line = lines.next_line() => line,
        };
        let Ok(Some(line)) = line else {
            break Some(closing.why().unwrap_or_else(|| code_after(&last, shared.engine.has_failed())));
        };
        // What tells why it ends is short.
        last.clear();
        if line.len() <= LAST_LINE_BYTES {
            last.push_str(&line);
        }
        let sent = async {
            frames.feed(Message::Text(line.into())).await?;
            if lines.get_ref().buffer().is_empty() { frames.flush().await } else { Ok(()) }
        };
        if sent.await.is_err() {
            break None;
        }
    };
    if let Some(code) = code {
        let over = CloseFrame { code, reason: "".into() };
        let _ = tokio::time::timeout(LAST_WORDS, frames.send(Message::Close(Some(over)))).await;
    }
}
