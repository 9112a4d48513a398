//! One connection, over TCP or TLS: dials, then reads lines in batches and writes what it is given.

use std::convert::Infallible;

use lastword_protocol::ServerLine;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cutting::take_lines;
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
    /// Why, where a person could do something about it.
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
