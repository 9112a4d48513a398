//! One question to one replica, on a connection of its own, without a client's failover.

use std::io::ErrorKind;
use std::time::Duration;

use lastword_protocol::answer::Hello;
use lastword_protocol::{Code, LINE_BYTES, Op, Refusal, Request, RequestId, ServerLine, VERSION};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tls::Tls;

/// Asks the replica at `HOST:PORT` how it is, and how it sees its group. Connecting, shaking hands and asking may take
/// as long as `patience` each.
///
/// # Errors
/// Why it did not tell, for a person.
pub async fn ask_hello(address: &str, tls: Option<&Tls>, patience: Duration) -> Result<Hello, Refusal> {
    let late = |_| unavailable("it takes connections and says nothing");
    let connected = timeout(patience, TcpStream::connect(address)).await;
    let connected = connected.map_err(|_| unavailable("it can't be reached in time"))?;
    let stream = connected.map_err(|error| unavailable(&why_not(&error)))?;
    match tls {
        None => timeout(patience, hello(stream)).await.map_err(late)?,
        Some(tls) => {
            let shaken = timeout(patience, tls.shake(stream, address)).await.map_err(late)?;
            timeout(patience, hello(shaken.map_err(|why| unavailable(&why))?)).await.map_err(late)?
        }
    }
}

/// Why there is no connection, for a person.
fn why_not(error: &std::io::Error) -> String {
    match error.kind() {
        // The system's own words for it are about a lookup.
        _ if error.to_string().starts_with("failed to lookup") => "its host name can't be resolved".to_owned(),
        ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        _ => error.to_string(),
    }
}

async fn hello(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Hello, Refusal> {
    let broken = |error: std::io::Error| unavailable(&error.to_string());
    let mut line = Vec::new();
    Request { id: RequestId::Number(1), op: Op::Hello { version: VERSION } }.write_json(&mut line);
    line.push(b'\n');
    stream.write_all(&line).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    line.clear();
    BufReader::new(stream).take(LINE_BYTES as u64).read_until(b'\n', &mut line).await.map_err(broken)?;
    match ServerLine::from_json(&line) {
        Ok(ServerLine::Reply(reply)) => reply.read(),
        _ => Err(unavailable("this is no Lastword server")),
    }
}

fn unavailable(why: &str) -> Refusal {
    Refusal::new(Code::Unavailable, why)
}
