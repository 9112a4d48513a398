//! JSON lines: the protocol of `docs/protocol.md` over TCP.
//!
//! One task a connection. It reads whatever is there and hands all its requests to the core at once; it
//! writes whatever the core has said, in one go. A client that does not read is not read from either;
//! if it stays so, its outbox overflows, and it is disconnected.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lastword_core::Input;
use lastword_core::io::{self, ConnectionId, Request as CoreRequest, Tag};
use lastword_facts::ids::AccountId;
use lastword_protocol::answer::Answer;
use lastword_protocol::event::{CloseReason, Event};
use lastword_protocol::request::BadLine;
use lastword_protocol::{Code, Refusal, Request, RequestId};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tracing::field;

use super::admission::{Admission, Admitted, Turn};
use super::answered::Answered;
use super::convert;
use super::cutting::{Cut, cut};
use super::lengths;
use super::share::Share;
use crate::engine::ToCore;
use crate::engine::outbox::{self, Outbox, ToClient};
use crate::limits::{Address, Guest, Held, Room};
use crate::listen::Shared;
use crate::metrics::{Ended, Front, Operation};
use crate::stream::Stream;

/// Unanswered requests of one connection; with more, it is not read from until some are answered.
const UNANSWERED: usize = 1024;
/// Bytes that are read at once by one who has much to say.
const READ_BYTES: usize = 64 * 1024;
/// Bytes that are read at once at first. Who says nothing has no buffer at all: there may be ten thousands of them.
const READ_BYTES_FIRST: usize = 2 * 1024;
/// About how many bytes of what waits for a client are taken up in one go: what is left can still be dropped if the client
/// does not take it.
const TAKEN_BYTES: usize = 64 * 1024;
/// A connection that is not read from because of what others have sent looks so often whether there is room again.
const CROWDED: Duration = Duration::from_millis(50);
/// Bytes that are kept for what is written next.
const WRITE_BYTES_KEPT: usize = 4 * 1024;
/// The longest text of a refusal, in bytes: some quote what was sent, which may be as long as a line.
const REFUSAL_BYTES: usize = 300;
/// A client that has said all there is to say, and waits for the answers to it, has them within so long.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// So many bytes of what is refused count as one refusal more.
const LINE_BYTES_AS_ONE: usize = 1024;
/// A connection whose place was given to another one has so long to take the reason.
const LEAVING: Duration = Duration::from_millis(100);
/// While an attempt to log in has no answer, the connection is looked at so often.
const STILL_TRYING: Duration = Duration::from_secs(1);
/// A client that takes nothing for so long is disconnected.
const STUCK: Duration = Duration::from_secs(10);

/// Serves a connection, of which some bytes were read already, until it ends.
pub(crate) async fn serve(mut stream: Stream, from: Address, read: Vec<u8>, shared: &Arc<Shared>, guest: &Guest) {
    let id = ConnectionId(shared.engine.draw_id());
    let _counted = shared.engine.metrics.connections.count(Front::of(&stream));
    let outbox = Arc::new(outbox::for_client());
    shared.engine.give(ToCore::Open(id, Some(from), outbox.clone())).await;
    let mut connection = Connection {
        id,
        from,
        outbox,
        shared,
        guest,
        read,
        read_bytes: READ_BYTES_FIRST,
        admission: Admission::new(shared, from),
        held: shared.inputs.of(from),
        unanswered: BTreeMap::new(),
        unanswered_bytes: 0,
        last_tag: 0,
        write: Vec::new(),
        share: Share::default(),
        refused: 0,
        refused_until: None,
        paused_until: None,
        said_something: false,
        input_ended: false,
        last_word: Vec::new(),
        resumed: false,
        account: None,
        tried_at: Instant::now(),
    };
    tracing::debug!(connection = id.0, "a client has come");
    connection.run(&mut stream).await;
    tracing::debug!(connection = id.0, account = connection.account.map(field::display), "a client has gone");
    shared.engine.give(ToCore::Input(Input::Closed(id))).await;
    if guest.has_to_leave() {
        // The place is another one's already: how many connections linger beyond all places must not be up to strangers.
        let _ = tokio::time::timeout(LEAVING, stream.shutdown()).await;
    } else {
        super::linger(stream).await;
    }
}

struct Connection<'a> {
    id: ConnectionId,
    from: Address,
    outbox: Arc<Outbox>,
    shared: &'a Arc<Shared>,
    guest: &'a Guest,
    /// Read, and not a whole line yet.
    read: Vec<u8>,
    /// How many are read at once: more when they came in full, fewer when they did not.
    read_bytes: usize,
    admission: Admission<'a>,
    /// What of this connection is here.
    held: Held<'a>,
    /// By tag.
    unanswered: BTreeMap<Tag, Asked>,
    /// What those weigh, in bytes.
    unanswered_bytes: usize,
    last_tag: u64,
    write: Vec<u8>,
    share: Share,
    /// Refusals that were not counted yet.
    refused: u32,
    /// When what it was refused is paid for ([`crate::limits::Refusals`]).
    refused_until: Option<std::time::Instant>,
    /// It was refused too often: until then nothing is read from it.
    paused_until: Option<std::time::Instant>,
    said_something: bool,
    /// Nothing more will come from the client. What has come is still carried out and answered.
    input_ended: bool,
    /// What is said once all is answered, before the connection is closed.
    last_word: Vec<u8>,
    /// It was let in by a `resume`, and has not begun to listen since.
    resumed: bool,
    /// Who has logged in, for log lines.
    account: Option<AccountId>,
    /// When the last attempt to log in was answered; before the first, when this began.
    tried_at: Instant,
}

/// A request that was not answered yet.
struct Asked {
    /// What the client calls it.
    id: RequestId,
    /// What shape of answer it wants.
    shape: convert::Shape,
    operation: Operation,
    /// When it was taken up.
    at: Instant,
    /// What it weighs, in bytes.
    bytes: usize,
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
enum Go {
    On,
    /// It ends, after what is to be written was.
    End,
}

impl Connection<'_> {
    async fn run(&mut self, stream: &mut Stream) {
        let no_more = self.shared.engine.closing();
        tokio::pin!(no_more);
        let limits = &self.shared.limits;
        let patience = tokio::time::sleep(limits.handshake_of(self.id.0));
        tokio::pin!(patience);
        let mut last_traffic = Instant::now();
        let (mut closing, mut ending) = (false, false);
        loop {
            self.take_lines().await;
            if !self.write.is_empty() && self.flush(stream).await == Go::End {
                return;
            }
            if closing {
                self.refuse_what_waits();
            }
            if closing && self.unanswered.is_empty() {
                self.count_end(CloseReason::Shutdown);
                self.push_line(&Event::Closed { reason: CloseReason::Shutdown });
                let _ = self.flush(stream).await;
                return;
            }
            if self.input_ended && self.owes_nothing() {
                self.write.append(&mut self.last_word);
                let _ = self.flush(stream).await;
                return;
            }
            if self.input_ended && !std::mem::replace(&mut ending, true) {
                patience.as_mut().reset(Instant::now() + LAST_ANSWERS);
            }
            self.held.set(self.read.len() + self.unanswered_bytes + self.admission.waiting_bytes());
            let room = self.held.room();
            let (read_bytes, has_room) = match room {
                Room::Bytes(bytes) => (bytes.min(self.read_bytes), true),
                Room::WhenAnswered | Room::WhenOthersAre => (0, false),
            };
            let (others_first, paused_until) = (self.share.is_over(), self.paused_until);
            let has_room = has_room && !others_first && paused_until.is_none();
            let may_read = self.may_take() && has_room && !closing && !self.input_ended;
            let held_until = self.admission.held_until();
            tokio::select! {
                read = stream.read_some(&mut self.read, read_bytes), if may_read => {
                    last_traffic = Instant::now();
                    if self.has_read(read) == Go::End {
                        return;
                    }
                }
                () = self.share.pass(), if others_first => {}
                () = until(paused_until), if paused_until.is_some() => self.paused_until = None,
                () = self.outbox.filled() => {
                    last_traffic = Instant::now();
                    if self.take_outbox(stream).await == Go::End {
                        return;
                    }
                }
                () = tokio::time::sleep(CROWDED), if room == Room::WhenOthersAre => {}
                () = &mut no_more, if !closing => closing = true,
                () = until(held_until) => self.carry_out_due().await,
                () = self.guest.must_leave() => {
                    let text = "This replica needs the place of this connection, on which nobody has logged in: connect \
                                again and log in.";
                    self.push_refusal(None, Refusal::too_many(text, 1000));
                    let _ = tokio::time::timeout(LEAVING, self.flush(stream)).await;
                    return;
                }
                () = &mut patience => {
                    if self.input_ended {
                        return;
                    }
                    let idle_until = self.idle_until(last_traffic);
                    if self.said_something && idle_until > Instant::now() {
                        patience.as_mut().reset(idle_until);
                        continue;
                    }
                    if self.said_something {
                        self.count_end(CloseReason::Idle);
                        self.push_line(&Event::Closed { reason: CloseReason::Idle });
                    } else {
                        let text = format!("The first line took longer than {} s.", limits.handshake.as_secs());
                        self.push_refusal(None, Refusal::new(Code::BadRequest, text));
                    }
                    let _ = self.flush(stream).await;
                    return;
                }
            }
        }
    }

    /// When this connection is of no use any more, if nothing happens. Without a login only an attempt to log in counts.
    fn idle_until(&self, last_traffic: Instant) -> Instant {
        let limits = &self.shared.limits;
        let is_trying =
            || self.admission.waiting() > 0 || self.unanswered.values().any(|asked| lets_in(asked.operation));
        match self.account {
            Some(_) => last_traffic + limits.idle,
            None if is_trying() => Instant::now() + STILL_TRYING,
            None => self.tried_at + limits.before_login_of(self.id.0),
        }
    }

    /// Something was read: next time there may be as much.
    fn has_read(&mut self, read: std::io::Result<usize>) -> Go {
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

    /// Whether all that was read is carried out and answered.
    fn owes_nothing(&self) -> bool {
        self.read.is_empty() && self.unanswered.is_empty() && self.admission.waiting() == 0
    }

    /// Carries out the whole lines that were read.
    async fn take_lines(&mut self) {
        let mut requests = Vec::new();
        let (mut taken, mut lines) = (0, 0);
        let line_bytes = self.shared.limits.line_bytes;
        let now = std::time::Instant::now();
        while self.may_take() && !self.share.is_over() && self.paused_until.is_none() {
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
        // Of strangers every line counts: each address may say so much, and not each of its thousand connections.
        let is_stranger = self.account.is_none() && !self.from.is_loopback();
        let refused = std::mem::take(&mut self.refused);
        if lines > 0 && (is_stranger || refused > 0) {
            // Long lines cost more, also those that are refused.
            let count = if is_stranger { lines } else { refused.min(lines) } + (taken / LINE_BYTES_AS_ONE) as u32;
            self.paused_until = self.shared.refusals.told(&mut self.refused_until, self.from, count, now);
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

    fn may_take(&self) -> bool {
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
    async fn carry_out_due(&mut self) {
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
    fn refuse_what_waits(&mut self) {
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

    /// Writes what the core has said: a piece of it, and then others have their turn.
    async fn take_outbox(&mut self, stream: &mut Stream) -> Go {
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

    fn count_end(&self, reason: CloseReason) {
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

    async fn flush(&mut self, stream: &mut Stream) -> Go {
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

    fn push_line(&mut self, event: &Event) {
        convert::write_line(&mut self.write, event);
    }

    fn push_refusal(&mut self, id: Option<RequestId>, refusal: Refusal) {
        self.refused += 1;
        self.shared.engine.metrics.errors.add(refusal.code, 1);
        self.write.extend(refusal_line(id, refusal));
    }
}

/// Whether somebody is logged in if this succeeds.
fn lets_in(operation: Operation) -> bool {
    matches!(operation, Operation::Create | Operation::Login | Operation::Resume)
}

/// Ready at that moment; never, if there is none.
async fn until(moment: Option<std::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
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
