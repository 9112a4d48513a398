//! A client's connection: in plain text, within TLS, or what a WebSocket's frames come through.

use std::io::{BufRead, Result, Write};
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
    ///
    /// Others have their turn in between, also while there is always something to read.
    pub(crate) async fn read_some(&mut self, into: &mut Vec<u8>, at_once: usize) -> Result<usize> {
        // `readable` and `try_read_buf` are not part of the runtime's budget: a caller that reads in a loop would keep
        // a thread for itself, and not even its own timeout would be looked at.
        tokio::task::coop::consume_budget().await;
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
                    let plain = ready!(Pin::new(&mut *stream).poll_fill_buf(context))?;
                    if plain.is_empty() {
                        return Poll::Ready(Ok(0));
                    }
                    // What came in one piece is decrypted already, and may be hundreds of records of a byte each: to look at
                    // each by itself would cost much more than its sender.
                    let (_, session) = stream.get_mut();
                    let (mut decrypted, mut taken) = (session.reader(), 0);
                    while taken < at_once
                        && let Ok(record @ [_, ..]) = decrypted.fill_buf()
                    {
                        let some = record.len().min(at_once - taken);
                        into.write_all(&record[..some])?;
                        decrypted.consume(some);
                        taken += some;
                    }
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::{Duration, Instant};

    use super::Stream;

    #[tokio::test]
    async fn who_always_has_something_to_read_lets_others_have_their_turn() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut sender = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let sending = std::thread::spawn(move || {
            let (began, piece) = (Instant::now(), vec![b' '; 1 << 20]);
            while began.elapsed() < Duration::from_secs(3) && sender.write_all(&piece).is_ok() {}
        });
        let (began, mut stream) = (Instant::now(), Stream::Plain(stream));
        let reading = async {
            let mut read = Vec::new();
            while stream.read_some(&mut read, 64).await.unwrap() > 0 {
                read.clear();
            }
        };
        assert!(tokio::time::timeout(Duration::from_millis(100), reading).await.is_err());
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        drop(stream);
        sending.join().unwrap();
    }
}
