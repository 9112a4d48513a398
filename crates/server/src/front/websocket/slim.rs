//! A WebSocket that keeps no large buffers.
//!
//! The library's buffers grow with the longest message, each way, and never shrink: thousands of connections that have each sent one
//! long message, and say nothing more, would keep 66 KB each. There is no way to tell it to let go of them. But between
//! two messages, when all that was read is handed out and all that was said is written, there is nothing in them: then this
//! puts another WebSocket, as at the beginning, in the place of the one that has seen a long message.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{FutureExt, Sink, Stream as Frames};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::READ_BYTES;
use super::unfinished::Counted;
use crate::stream::Stream;

/// A server's end of a WebSocket. Both halves of it belong to one task.
pub(super) struct Slim<'a, 'b> {
    /// Always there, but for the moment in which another one takes its place.
    socket: Option<WebSocketStream<Counted<'a, 'b>>>,
    config: WebSocketConfig,
    /// A long message has passed since it began.
    is_large: bool,
    /// All that was read is handed out.
    is_drained: bool,
    /// It is about to end, and what remains of it is short.
    is_ending: bool,
}

impl<'a, 'b> Slim<'a, 'b> {
    /// One that has begun. `rest` is what was read already.
    pub(super) async fn new(mut stream: Counted<'a, 'b>, rest: Vec<u8>, config: WebSocketConfig) -> Self {
        stream.has_read(&rest);
        let socket = WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config)).await;
        Self { socket: Some(socket), config, is_large: false, is_drained: false, is_ending: false }
    }

    /// The connection.
    pub(super) fn into_inner(self) -> Option<Stream> {
        self.socket.map(|socket| socket.into_inner().into_inner())
    }

    /// A message has passed.
    fn on_message(&mut self, message: &Message) {
        self.is_large |= message.len() > READ_BYTES;
        self.is_ending |= message.is_close();
    }

    /// Lets go of large buffers, if nothing is in them.
    fn slim(&mut self, context: &mut Context) {
        if !self.is_large || !self.is_drained || self.is_ending {
            return;
        }
        let Some(socket) = &mut self.socket else { return };
        let is_between = socket.get_ref().is_between_messages();
        if !is_between || !matches!(Pin::new(socket).poll_flush(context), Poll::Ready(Ok(()))) {
            return;
        }
        self.is_large = false;
        // There is no handshake to wait for.
        let other = |socket: WebSocketStream<_>| {
            WebSocketStream::from_raw_socket(socket.into_inner(), Role::Server, Some(self.config)).now_or_never()
        };
        self.socket = self.socket.take().and_then(other);
        // The other one is asked for frames, and is woken by those that come from now on.
        context.waker().wake_by_ref();
    }
}

impl Frames for Slim<'_, '_> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(socket) = &mut this.socket else { return Poll::Ready(None) };
        let polled = Pin::new(socket).poll_next(context);
        this.is_drained = polled.is_pending();
        match &polled {
            Poll::Ready(Some(Ok(message))) => this.on_message(message),
            Poll::Ready(_) => this.is_ending = true,
            Poll::Pending => this.slim(context),
        }
        polled
    }
}

impl Sink<Message> for Slim<'_, '_> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<(), Error>> {
        match &mut self.socket {
            Some(socket) => Pin::new(socket).poll_ready(context),
            None => Poll::Ready(Err(Error::AlreadyClosed)),
        }
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.on_message(&message);
        match &mut self.socket {
            Some(socket) => Pin::new(socket).start_send(message),
            None => Err(Error::AlreadyClosed),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<(), Error>> {
        let this = &mut *self;
        let Some(socket) = &mut this.socket else { return Poll::Ready(Err(Error::AlreadyClosed)) };
        let flushed = ready!(Pin::new(socket).poll_flush(context));
        this.slim(context);
        Poll::Ready(flushed)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<(), Error>> {
        self.is_ending = true;
        match &mut self.socket {
            Some(socket) => Pin::new(socket).poll_close(context),
            None => Poll::Ready(Ok(())),
        }
    }
}
