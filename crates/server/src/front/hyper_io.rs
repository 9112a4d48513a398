//! What hyper needs of its surroundings: a connection to read from and write to, and a clock.

use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{self, ReadBufCursor};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::Stream;

/// Bytes that are read at once. hyper's buffer is not initialised, and without `unsafe` it can only be filled from
/// another one: requests are small, and so is that one.
const READ_BYTES: usize = 4096;

/// A connection of which some bytes were read already: they come first.
pub(super) struct Io {
    stream: Stream,
    first: Vec<u8>,
    /// A client that takes nothing for so long is given up.
    patience: Duration,
    /// Runs while the client takes nothing.
    stuck: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Io {
    pub(super) fn new(stream: Stream, first: Vec<u8>, patience: Duration) -> Self {
        Self { stream, first, patience, stuck: None }
    }

    /// The connection, and what was never asked for of the first bytes.
    pub(super) fn into_parts(self) -> (Stream, Vec<u8>) {
        (self.stream, self.first)
    }

    /// What has come of writing, unless it has taken too long.
    fn in_time<T>(&mut self, written: Poll<Result<T>>, context: &mut Context) -> Poll<Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.patience)));
        ready!(stuck.as_mut().poll(context));
        Poll::Ready(Err(Error::from(ErrorKind::TimedOut)))
    }
}

impl rt::Read for Io {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context, mut into: ReadBufCursor) -> Poll<Result<()>> {
        if !self.first.is_empty() {
            let taken = self.first.len().min(into.remaining());
            into.put_slice(&self.first[..taken]);
            self.first.drain(..taken);
            return Poll::Ready(Ok(()));
        }
        let mut room = [0; READ_BYTES];
        let at_once = READ_BYTES.min(into.remaining());
        let mut read = ReadBuf::new(&mut room[..at_once]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
        into.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl rt::Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.in_time(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// tokio's clock.
#[derive(Clone, Copy)]
pub(super) struct Timer;

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(Box::pin(tokio::time::sleep(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(Box::pin(tokio::time::sleep_until(deadline.into()))))
    }
}

struct Sleep(Pin<Box<tokio::time::Sleep>>);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl rt::Sleep for Sleep {}
