//! The front ends: each turns its protocol into the core's requests, and knows nothing of the others.

mod admission;
mod answered;
pub mod convert;
pub mod cutting;
pub(crate) mod http;
mod hyper_io;
mod lengths;
pub(crate) mod lines;
pub(crate) mod origins;
mod page;
mod response;
mod share;
mod websocket;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stream::Stream;

/// Ends a connection so that what was written last arrives: what the client still sends is read, or
/// the kernel would throw our last words away with it. For a moment only.
pub(crate) async fn linger(mut stream: Stream) {
    let _ = stream.shutdown().await;
    // Not within the task: every connection would have it from its beginning.
    let mut rest = vec![0; 4096];
    let drained = async {
        for _ in 0..4096 {
            if stream.read(&mut rest).await.map_or(true, |n| n == 0) {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(500), drained).await;
}
