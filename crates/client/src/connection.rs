//! One connection, over TCP or TLS: dials, then reads lines in batches and writes what it is given.

use std::convert::Infallible;
use std::ops::ControlFlow;

use lastword_protocol::{LINE_BYTES, ServerLine};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::machine::{Epoch, ReplicaIndex};
use crate::tls::Tls;

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// What a connection reports to the driver.
pub(crate) struct Report {
    pub replica: ReplicaIndex,
    pub epoch: Epoch,
    pub news: News,
}

/// The news of a [`Report`].
pub(crate) enum News {
    Connected,
    Lines(Vec<ServerLine>),
    /// Why, where there is something to tell a person that he could do something about.
    Lost(Option<String>),
}

/// A running connection; dropped, it is closed.
pub(crate) struct Connection {
    pub epoch: Epoch,
    /// Bounded by what the machine lets be unanswered.
    pub out: mpsc::UnboundedSender<Vec<u8>>,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whom to report to, as whom.
#[derive(Clone)]
struct Reporter {
    replica: ReplicaIndex,
    epoch: Epoch,
    reports: mpsc::Sender<Report>,
}

impl Reporter {
    async fn report(&self, news: News) -> Result<(), Ended> {
        let report = Report { replica: self.replica, epoch: self.epoch, news };
        self.reports.send(report).await.map_err(|_| Ended::PLAIN)
    }
}

/// The connection or the driver is gone.
struct Ended(Option<String>);

impl Ended {
    /// For no reason that would interest anybody.
    const PLAIN: Self = Self(None);
}

impl Connection {
    /// Starts to dial.
    pub fn dial(
        address: String,
        tls: Option<Tls>,
        replica: ReplicaIndex,
        epoch: Epoch,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        let (out, outgoing) = mpsc::unbounded_channel();
        let reporter = Reporter { replica, epoch, reports };
        let task = tokio::spawn(async move {
            let Err(Ended(why)) = run(&address, tls.as_ref(), &reporter, outgoing).await;
            let _ = reporter.report(News::Lost(why)).await;
        });
        Self { epoch, out, task }
    }
}

async fn run(
    address: &str,
    tls: Option<&Tls>,
    reporter: &Reporter,
    outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
) -> Result<Infallible, Ended> {
    let stream = TcpStream::connect(address).await.map_err(|error| {
        tracing::debug!(address, %error, "can't connect");
        Ended::PLAIN
    })?;
    stream.set_nodelay(true).map_err(|_| Ended::PLAIN)?;
    match tls {
        None => {
            reporter.report(News::Connected).await?;
            let (reader, writer) = stream.into_split();
            read_and_write(reader, writer, reporter, outgoing).await
        }
        Some(tls) => {
            let stream = tls.shake(stream, address).await.map_err(|why| Ended(Some(why)))?;
            reporter.report(News::Connected).await?;
            let (reader, writer) = tokio::io::split(stream);
            read_and_write(reader, writer, reporter, outgoing).await
        }
    }
}

async fn read_and_write(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    reporter: &Reporter,
    outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
) -> Result<Infallible, Ended> {
    tokio::select! {
        ended = read(reader, reporter) => ended,
        ended = write(writer, outgoing) => ended,
    }
}

async fn read(mut stream: impl AsyncRead + Unpin, reporter: &Reporter) -> Result<Infallible, Ended> {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        let read = stream.read_buf(&mut buffer).await.map_err(|_| Ended::PLAIN)?;
        let (lines, flow) = take_lines(&mut buffer);
        if !lines.is_empty() {
            reporter.report(News::Lines(lines)).await?;
        }
        if read == 0 || flow.is_break() {
            return Err(Ended::PLAIN);
        }
    }
}

/// Takes all whole lines out of the buffer, up to one that can't be read: what follows it is not to be
/// trusted.
fn take_lines(buffer: &mut Vec<u8>) -> (Vec<ServerLine>, ControlFlow<()>) {
    let mut lines = Vec::new();
    let mut start = 0;
    while let Some(length) = buffer[start..].iter().position(|byte| *byte == b'\n') {
        let line = &buffer[start..start + length];
        start += length + 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match ServerLine::from_json(line) {
            Ok(line) if length <= LINE_BYTES => lines.push(line),
            _ => {
                tracing::warn!("a server sent something that is no answer: this is no Lastword server?");
                return (lines, ControlFlow::Break(()));
            }
        }
    }
    buffer.drain(..start);
    let flow = if buffer.len() > LINE_BYTES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    (lines, flow)
}

async fn write(
    mut stream: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
) -> Result<Infallible, Ended> {
    while let Some(mut batch) = outgoing.recv().await {
        while let Ok(more) = outgoing.try_recv() {
            batch.extend_from_slice(&more);
        }
        stream.write_all(&batch).await.map_err(|_| Ended::PLAIN)?;
        stream.flush().await.map_err(|_| Ended::PLAIN)?;
    }
    Err(Ended::PLAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_whole_and_blank_ones_skipped() {
        let mut buffer = b"{\"event\":\"x\"}\n\r\n{\"id\":1,\"ok\":{}}\n{\"id\":2,".to_vec();
        let (lines, flow) = take_lines(&mut buffer);
        assert_eq!((lines.len(), flow, buffer.as_slice()), (2, ControlFlow::Continue(()), &b"{\"id\":2,"[..]));
    }

    #[test]
    fn nonsense_and_endless_lines_end_the_connection() {
        for bytes in [b"{\"id\":1,\"ok\":{}}\nHTTP/1.1 200 OK\n".to_vec(), vec![b'x'; LINE_BYTES + 1]] {
            assert_eq!(take_lines(&mut bytes.clone()).1, ControlFlow::Break(()));
        }
        assert_eq!(take_lines(&mut b"{\"id\":1,\"ok\":{}}\nno\n".to_vec()).0.len(), 1, "what came before counts");
    }
}
