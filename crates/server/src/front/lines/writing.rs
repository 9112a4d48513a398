//! The way out: what a client is told, from the core to the socket.

use std::sync::atomic::Ordering;
use std::time::Duration;

use lastword_core::Input;
use lastword_core::io;
use lastword_protocol::answer::Answer;
use lastword_protocol::event::{CloseReason, Event};
use lastword_protocol::{Refusal, RequestId};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tracing::field;

use super::super::answered::Answered;
use super::super::convert;
use super::{Asked, Connection, Go, lets_in};
use crate::engine::ToCore;
use crate::engine::outbox::ToClient;
use crate::metrics::{Ended, Operation};
use crate::stream::Stream;

/// About how many bytes of what waits for a client are taken up in one go: what is left can still be dropped if the client
/// does not take it.
const TAKEN_BYTES: usize = 64 * 1024;
/// Bytes that are kept for what is written next.
const WRITE_BYTES_KEPT: usize = 4 * 1024;
/// The longest text of a refusal, in bytes: some quote what was sent, which may be as long as a line.
const REFUSAL_BYTES: usize = 300;
/// A client that takes nothing for this time is disconnected.
const STUCK: Duration = Duration::from_secs(10);

impl Connection<'_> {
    /// Writes what the core has said: a piece of it, and then others have their turn.
    pub(super) async fn take_outbox(&mut self, stream: &mut Stream) -> Go {
        let taken = self.outbox.take_some(TAKEN_BYTES);
        let mut drained = false;
        let mut go = Go::On;
        let mut answered = Answered::default();
        for item in taken.items {
            match item {
                ToClient::Answer(tag, result) => {
                    if let Some(Asked { id, shape, operation, at, bytes }) = self.unanswered.remove(&tag) {
                        self.unanswered_bytes -= bytes;
                        answered.add(operation, at);
                        self.on_answer(operation, &result);
                        self.admission.on_answer(tag, &result);
                        convert::write_answer(&mut self.write, id, shape, result, &self.shared.wire);
                    }
                }
                ToClient::Event(event, drain) => {
                    drained |= drain;
                    self.write.extend(event.line(|event| {
                        let mut line = Vec::new();
                        convert::write_line(&mut line, &convert::event(event, &self.shared.wire));
                        line
                    }));
                }
                ToClient::Close(reason) => {
                    let reason = convert::close_reason(reason);
                    self.count_end(reason);
                    self.push_line(&Event::Closed { reason });
                    go = Go::End;
                    break;
                }
            }
        }
        if taken.closed {
            self.count_end(CloseReason::Slow);
            self.push_line(&Event::Closed { reason: CloseReason::Slow });
            go = Go::End;
        }
        if self.flush(stream).await == Go::End {
            return Go::End;
        }
        answered.tell(&self.shared.engine.metrics);
        if taken.more && go == Go::On {
            self.outbox.wake();
            tokio::task::yield_now().await;
        }
        if drained {
            self.shared.engine.give(ToCore::Input(Input::Drained(self.id))).await;
        }
        go
    }

    /// Counts what came of a request.
    fn on_answer(&mut self, operation: Operation, result: &Result<io::Answer, io::Refusal>) {
        let metrics = &self.shared.engine.metrics;
        if let Ok(io::Answer::LoggedIn { account, .. } | io::Answer::Created { account, .. }) = result {
            self.account = Some(*account);
            self.held.log_in();
            self.guest.log_in();
            tracing::debug!(connection = self.id.0, %account, "a client is let in");
        }
        if lets_in(operation) {
            self.tried_at = Instant::now();
        }
        match (operation, result) {
            (_, Err(refused)) => metrics.errors.add(convert::code_of(refused), 1),
            (Operation::Resume, Ok(_)) => self.resumed = true,
            // Who has just come in with a password has not moved.
            (Operation::Create | Operation::Login, Ok(_)) => self.resumed = false,
            (Operation::Listen, Ok(_)) if std::mem::take(&mut self.resumed) => {
                metrics.moved.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    pub(super) fn count_end(&self, reason: CloseReason) {
        let ended = match reason {
            CloseReason::Slow => Ended::Slow,
            CloseReason::Deleted => Ended::Deleted,
            CloseReason::LoggedOut => Ended::LoggedOut,
            CloseReason::Idle => Ended::Idle,
            CloseReason::Shutdown => Ended::Shutdown,
            CloseReason::Unknown => return,
        };
        self.ends(ended);
    }

    /// The server ends this connection.
    fn ends(&self, why: Ended) {
        self.shared.engine.metrics.ended.add(why, 1);
        tracing::debug!(connection = self.id.0, account = self.account.map(field::display), "closed: {why:?}");
    }

    pub(super) async fn flush(&mut self, stream: &mut Stream) -> Go {
        // After a failed disk nothing is told to anybody.
        if self.shared.engine.has_failed() {
            return Go::End;
        }
        let mut rest = self.write.as_slice();
        let (mut go, mut stuck) = (Go::On, false);
        // A slow line is not a stuck one: what counts is that it takes something.
        while !rest.is_empty() {
            let written = tokio::time::timeout(STUCK, stream.write_buf(&mut rest)).await;
            if !matches!(written, Ok(Ok(1..))) {
                stuck = written.is_err();
                go = Go::End;
                break;
            }
        }
        // Within TLS some of it may be encrypted and not sent yet.
        if go == Go::On {
            let flushed = tokio::time::timeout(STUCK, stream.flush()).await;
            if !matches!(flushed, Ok(Ok(()))) {
                stuck = flushed.is_err();
                go = Go::End;
            }
        }
        self.write.clear();
        self.write.shrink_to(WRITE_BYTES_KEPT);
        if stuck {
            self.ends(Ended::Stuck);
        }
        go
    }

    pub(super) fn push_line(&mut self, event: &Event) {
        convert::write_line(&mut self.write, event);
    }

    pub(super) fn push_refusal(&mut self, id: Option<RequestId>, refusal: Refusal) {
        self.refused += 1;
        self.shared.engine.metrics.errors.add(refusal.code, 1);
        self.write.extend(refusal_line(id, refusal));
    }
}

/// A refusal, as a line.
pub fn refusal_line(id: Option<RequestId>, mut refusal: Refusal) -> Vec<u8> {
    if refusal.text.len() > REFUSAL_BYTES {
        refusal.text.truncate(refusal.text.floor_char_boundary(REFUSAL_BYTES));
        refusal.text.push('…');
    }
    let mut line = Vec::new();
    convert::write_line(&mut line, &Answer { id, result: Err(refusal) });
    line
}
