//! What a message may take until it is whole.
//!
//! The library gathers a message's frames, and says nothing before the last one. So this stands below it, and counts
//! what is read: a message that takes much more than its limit (thousands of empty frames, say), or too long, is not
//! waited for; what is read of messages that are not whole counts with what else clients have here; and others have
//! their turn in between.

use std::io::{Error, Result};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use super::frames::Frames;
use super::{FRAME_BYTES, READ_BYTES};
use crate::limits::{Held, Room};
use crate::stream::Stream;

/// Bytes that a message may take in all, with the heads of its frames.
const MOST: usize = 2 * FRAME_BYTES;
/// A message that takes more than one read must be whole after this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// The head of a frame from a client, at least.
const HEAD: usize = 6;
/// So much is read before others have their turn.
const TURN: usize = 4 * READ_BYTES;
/// While others have all the room there is, it is looked at again after this time.
const AGAIN: Duration = Duration::from_millis(100);

/// What was read of the message that is not whole yet.
pub(super) struct Unfinished<'a> {
    state: Mutex<State<'a>>,
    began: Notify,
}

struct State<'a> {
    held: Held<'a>,
    bytes: usize,
    since: Option<Instant>,
}

impl<'a> Unfinished<'a> {
    pub(super) fn new(held: Held<'a>) -> Self {
        Self { state: Mutex::new(State { held, bytes: 0, since: None }), began: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, bytes: usize) {
        let mut state = self.state();
        let all = state.bytes + bytes;
        state.set(all);
        if all > READ_BYTES && state.since.is_none() {
            state.since = Some(Instant::now());
            self.began.notify_one();
        }
    }

    /// A message is whole.
    pub(super) fn whole(&self) {
        self.state().set(0);
    }

    /// A ping or a pong with this many bytes has come, perhaps between the frames of a message.
    pub(super) fn control(&self, bytes: usize) {
        let mut state = self.state();
        let left = state.bytes.saturating_sub(HEAD + bytes);
        state.set(left);
    }

    /// Whether a message has taken more bytes than it may.
    pub(super) fn is_too_much(&self) -> bool {
        self.state().bytes > MOST
    }

    fn must_wait(&self) -> bool {
        self.state().held.room() == Room::WhenOthersAre
    }

    /// Ready when a message takes too long. May be given up and called again.
    pub(super) async fn late(&self) {
        loop {
            let since = self.state().since;
            match since {
                None => self.began.notified().await,
                Some(since) if since.elapsed() >= PATIENCE => return,
                Some(since) => tokio::time::sleep_until(since + PATIENCE).await,
            }
        }
    }
}

impl State<'_> {
    fn set(&mut self, bytes: usize) {
        self.bytes = bytes;
        self.held.set(bytes);
        if bytes <= READ_BYTES {
            self.since = None;
        }
    }
}

/// A connection of which is counted what is read.
pub(super) struct Counted<'a, 'b> {
    stream: Stream,
    unfinished: &'a Unfinished<'b>,
    frames: Frames,
    /// Read since others had their turn.
    read: usize,
    /// Until there may be room again.
    again: Option<Pin<Box<Sleep>>>,
}

impl<'a, 'b> Counted<'a, 'b> {
    pub(super) fn new(stream: Stream, unfinished: &'a Unfinished<'b>) -> Self {
        Self { stream, unfinished, frames: Frames::default(), read: 0, again: None }
    }

    /// These bytes were read before.
    pub(super) fn has_read(&mut self, bytes: &[u8]) {
        self.frames.read(bytes);
    }

    /// Whether all that was read are whole messages.
    pub(super) fn is_between_messages(&self) -> bool {
        self.frames.are_whole()
    }

    pub(super) fn into_inner(self) -> Stream {
        self.stream
    }
}

impl AsyncRead for Counted<'_, '_> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context, into: &mut ReadBuf) -> Poll<Result<()>> {
        let this = self.get_mut();
        if this.unfinished.is_too_much() {
            return Poll::Ready(Err(Error::other("a message that takes too many bytes")));
        }
        while this.unfinished.must_wait() {
            let again = this.again.get_or_insert_with(|| Box::pin(tokio::time::sleep(AGAIN)));
            std::task::ready!(again.as_mut().poll(context));
            this.again = None;
        }
        if this.read >= TURN {
            this.read = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = into.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, into);
        match polled {
            Poll::Pending => this.read = 0,
            Poll::Ready(_) => {
                let bytes = &into.filled()[before..];
                this.frames.read(bytes);
                this.read += bytes.len();
                this.unfinished.add(bytes.len());
            }
        }
        polled
    }
}

impl AsyncWrite for Counted<'_, '_> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
