//! A client's connection: in plain text, within TLS, or what a WebSocket's frames come through.

use std::io::{Result, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A client's connection.
pub(crate) enum Stream {
    /// As it came.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
    /// Through something within this process.
    Pipe(DuplexStream),
}

impl Stream {
    /// Waits until something has come, and puts it at the end of `into`: in one piece, of about `at_once` bytes at
    /// most. Says how many; none at the end. May be given up and called again. While nothing comes it needs no room
    /// for it: there may be ten thousands who say nothing.
    pub(crate) async fn read_some(&mut self, into: &mut Vec<u8>, at_once: usize) -> Result<usize> {
        match self {
            Self::Plain(stream) => loop {
                stream.readable().await?;
                into.reserve(at_once);
                match stream.try_read_buf(into) {
                    // It only seemed that something was there.
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    read => return read,
                }
            },
            Self::Pipe(stream) => {
                into.reserve(at_once);
                stream.read_buf(into).await
            }
            Self::Tls(stream) => {
                std::future::poll_fn(|context| {
                    let mut stream = Pin::new(&mut *stream);
                    let plain = ready!(stream.as_mut().poll_fill_buf(context))?;
                    let taken = plain.len().min(at_once);
                    into.write_all(&plain[..taken])?;
                    stream.consume(taken);
                    Poll::Ready(Ok(taken))
                })
                .await
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context, into: &mut ReadBuf) -> Poll<Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
            Self::Pipe(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Pipe(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Pipe(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Pipe(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
