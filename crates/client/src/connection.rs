//! One TCP connection: dials, then reads lines in batches and writes what it is given.

use std::ops::ControlFlow;

use lastword_protocol::{LINE_BYTES, ServerLine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::machine::{Epoch, ReplicaIndex};

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
    Lost,
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
        self.reports.send(report).await.map_err(|_| Ended)
    }
}

/// The connection or the driver is gone.
struct Ended;

impl Connection {
    /// Starts to dial.
    pub fn dial(address: String, replica: ReplicaIndex, epoch: Epoch, reports: mpsc::Sender<Report>) -> Self {
        let (out, outgoing) = mpsc::unbounded_channel();
        let reporter = Reporter { replica, epoch, reports };
        let task = tokio::spawn(async move {
            // Whatever ended it, the machine needs to know no more than that it did.
            let _ = run(&address, &reporter, outgoing).await;
            let _ = reporter.report(News::Lost).await;
        });
        Self { epoch, out, task }
    }
}

async fn run(address: &str, reporter: &Reporter, outgoing: mpsc::UnboundedReceiver<Vec<u8>>) -> Result<(), Ended> {
    let stream = TcpStream::connect(address).await.map_err(|error| {
        tracing::debug!(address, %error, "can't connect");
        Ended
    })?;
    stream.set_nodelay(true).map_err(|_| Ended)?;
    reporter.report(News::Connected).await?;
    let (reader, writer) = stream.into_split();
    tokio::select! {
        ended = read(reader, reporter) => ended,
        ended = write(writer, outgoing) => ended,
    }
}

async fn read(mut stream: OwnedReadHalf, reporter: &Reporter) -> Result<(), Ended> {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        let read = stream.read_buf(&mut buffer).await.map_err(|_| Ended)?;
        let (lines, flow) = take_lines(&mut buffer);
        if !lines.is_empty() {
            reporter.report(News::Lines(lines)).await?;
        }
        if read == 0 || flow.is_break() {
            return Err(Ended);
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

async fn write(mut stream: OwnedWriteHalf, mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>) -> Result<(), Ended> {
    while let Some(mut batch) = outgoing.recv().await {
        while let Ok(more) = outgoing.try_recv() {
            batch.extend_from_slice(&more);
        }
        stream.write_all(&batch).await.map_err(|_| Ended)?;
    }
    Err(Ended)
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
