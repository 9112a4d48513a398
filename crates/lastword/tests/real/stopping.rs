//! Ctrl-C and SIGTERM: what was started is stopped in any case.

use std::future::pending;

use tokio::signal::unix::{SignalKind, signal};

/// Comes back when somebody wants it to stop.
pub async fn asked_for() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => terminated.recv().await,
            // Then SIGTERM ends this process as it ends any other.
            Err(_) => pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}
