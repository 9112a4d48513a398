//! The way in: what a client has sent, up to the core.

use std::io::ErrorKind;

use lastword_core::io::{Request as CoreRequest, Tag};
use lastword_protocol::request::BadLine;
use lastword_protocol::{Code, Refusal, Request, RequestId};

use super::super::admission::{Admitted, Turn};
use super::super::cutting::{Cut, cut};
use super::super::{convert, lengths};
use super::writing::refusal_line;
use super::{Asked, Connection, Go, READ_BYTES_FIRST};
use crate::engine::ToCore;
use crate::metrics::Operation;

/// Unanswered requests of one connection; with more, it is not read from until some are answered.
const UNANSWERED: usize = 1024;
/// Bytes that are read at once by one who has much to say.
const READ_BYTES: usize = 64 * 1024;
/// A connection is refused this often in one turn. What it has sent behind that has its turn after others, or, if it was
/// refused too often, after its pause.
const REFUSED_AT_ONCE: u32 = 16;
/// So many bytes of what is refused count as one refusal more.
const LINE_BYTES_AS_ONE: usize = 1024;

impl Connection<'_> {
    /// Something was read: next time there may be as much.
    pub(super) fn has_read(&mut self, read: std::io::Result<usize>) -> Go {
        self.share.read();
        match read {
            Ok(0) => {
                self.input_ended = true;
                // The last line may have no line feed.
                if !self.read.is_empty() {
                    self.read.push(b'\n');
                }
            }
            // Within TLS nobody has said that this is the end: what may be cut off is not carried out.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.input_ended = true;
                let whole = self.read.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
                self.read.truncate(whole);
            }
            Err(_) => return Go::End,
            Ok(read) if read >= self.read_bytes => self.read_bytes = (self.read_bytes * 4).min(READ_BYTES),
            Ok(read) if read < self.read_bytes / 8 => self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_FIRST),
            Ok(_) => {}
        }
        Go::On
    }

    /// Carries out the whole lines that were read.
    pub(super) async fn take_lines(&mut self) {
        let mut requests = Vec::new();
        let (mut taken, mut lines) = (0, 0);
        let line_bytes = self.shared.limits.line_bytes;
        let now = std::time::Instant::now();
        // Of strangers every line counts: each address may say so much, and not each of its thousand connections.
        let is_stranger = self.account.is_none() && !self.from.is_loopback();
        while self.may_take() && !self.share.is_over() && self.paused_until.is_none() {
            if self.refused.max(if is_stranger { lines } else { 0 }) >= REFUSED_AT_ONCE {
                self.paused_until = Some(now);
                break;
            }
            let length = match cut(&self.read[taken..], line_bytes) {
                Cut::Line(length) => length,
                Cut::Part => break,
                Cut::TooLong => {
                    taken = self.read.len();
                    self.too_long();
                    break;
                }
            };
            let line = taken..taken + length;
            taken += length + 1;
            self.share.take(length + 1);
            lines += 1;
            self.said_something = true;
            if self.read[line.clone()].trim_ascii().is_empty() {
                continue;
            }
            match Request::from_json(&self.read[line]) {
                Ok(request) => {
                    let admitted = self.admission.admit(request, length, now);
                    requests.extend(self.on_admitted(admitted, now));
                }
                Err(BadLine { id, refusal, fatal }) => {
                    if fatal {
                        taken = self.read.len();
                        self.end_with(id, refusal);
                        break;
                    }
                    self.push_refusal(id, refusal);
                }
            }
        }
        self.read.drain(..taken);
        if self.read.is_empty() {
            self.read = Vec::new();
        }
        let refused = std::mem::take(&mut self.refused);
        if lines > 0 && (is_stranger || refused > 0) {
            // Long lines cost more, also those that are refused.
            let count = if is_stranger { lines } else { refused.min(lines) } + (taken / LINE_BYTES_AS_ONE) as u32;
            let paused_until = self.shared.refusals.told(&mut self.refused_until, self.from, count, now);
            self.paused_until = paused_until.or(self.paused_until);
        }
        if !requests.is_empty() {
            self.shared.engine.give(ToCore::Requests(self.id, requests)).await;
        }
    }

    fn too_long(&mut self) {
        let most = self.shared.limits.line_bytes;
        let text = format!("A line has at most {most} bytes; this connection is closed.");
        self.end_with(None, Refusal::new(Code::TooLong, text));
    }

    /// Nothing more is taken from the client. What it has asked for before is answered, then it is told this.
    fn end_with(&mut self, id: Option<RequestId>, refusal: Refusal) {
        self.shared.engine.metrics.errors.add(refusal.code, 1);
        self.last_word = refusal_line(id, refusal);
        self.input_ended = true;
    }

    pub(super) fn may_take(&self) -> bool {
        self.unanswered.len() + self.admission.waiting() < UNANSWERED
    }

    fn on_admitted(&mut self, admitted: Admitted, now: std::time::Instant) -> Option<(Tag, CoreRequest)> {
        match admitted {
            Admitted::Now(turn) => self.convert(turn, now),
            Admitted::Later => None,
            Admitted::Bad(request, refusal) => {
                self.shared.engine.metrics.requests.add(Operation::of(&request.op), 1);
                self.push_refusal(Some(request.id), refusal);
                None
            }
            Admitted::Refused(request, retry_ms) => {
                self.shared.engine.metrics.requests.add(Operation::of(&request.op), 1);
                let text = "This is more than one client may ask for in this time: wait a little.";
                self.push_refusal(Some(request.id), Refusal::too_many(text, retry_ms));
                None
            }
        }
    }

    /// Carries out what waited, as far as its time has come.
    pub(super) async fn carry_out_due(&mut self) {
        let mut requests = Vec::new();
        let now = std::time::Instant::now();
        while let Some(admitted) = self.admission.next_due(now) {
            requests.extend(self.on_admitted(admitted, now));
        }
        if !requests.is_empty() {
            self.shared.engine.give(ToCore::Requests(self.id, requests)).await;
        }
    }

    /// The server stops, and what waits will not have its turn.
    pub(super) fn refuse_what_waits(&mut self) {
        for request in self.admission.give_up() {
            let text = "This server is stopping: try another one.";
            self.push_refusal(Some(request.id), Refusal::new(Code::Unavailable, text));
        }
    }

    /// Turns a request into the core's, or refuses it.
    fn convert(&mut self, Turn { request, attempt }: Turn, at: std::time::Instant) -> Option<(Tag, CoreRequest)> {
        let operation = Operation::of(&request.op);
        self.shared.engine.metrics.requests.add(operation, 1);
        let shape = convert::Shape::of(&request.op);
        let bytes = lengths::weight(&request.op);
        match convert::request(request.op, &self.shared.wire.seen_key) {
            Ok(core_request) => {
                self.last_tag += 1;
                let tag = Tag(self.last_tag);
                self.unanswered.insert(tag, Asked { id: request.id, shape, operation, at: at.into(), bytes });
                self.unanswered_bytes += bytes;
                self.admission.on_attempt(attempt, Some(tag));
                Some((tag, core_request))
            }
            Err(refusal) => {
                self.admission.on_attempt(attempt, None);
                self.push_refusal(Some(request.id), refusal);
                None
            }
        }
    }
}
