//! JSON lines: the protocol of `docs/protocol.md` over TCP.
//!
//! One task a connection. It reads whatever is there and hands all its requests to the core at once; it
//! writes whatever the core has said, in one go. A client that does not read is not read from either;
//! if it stays so, its outbox overflows, and it is disconnected.

mod reading;
mod writing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lastword_core::Input;
use lastword_core::io::{ConnectionId, Tag};
use lastword_facts::ids::AccountId;
use lastword_protocol::event::{CloseReason, Event};
use lastword_protocol::{Code, Refusal, RequestId};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tracing::field;

use super::admission::Admission;
use super::convert;
use super::share::Share;
use crate::engine::ToCore;
use crate::engine::outbox::{self, Outbox};
use crate::limits::{Address, Guest, Held, Room};
use crate::listen::Shared;
use crate::metrics::{Front, Operation};
use crate::stream::Stream;

pub use writing::refusal_line;

/// Bytes that are read at once at first. Who says nothing has no buffer at all: there may be ten thousands of them.
const READ_BYTES_FIRST: usize = 2 * 1024;
/// A connection that is not read from because of what others have sent looks so often whether there is room again.
const CROWDED: Duration = Duration::from_millis(50);
/// A client that has said all there is to say, and waits for the answers to it, has them within so long.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// A connection whose place was given to another one has so long to take the reason.
const LEAVING: Duration = Duration::from_millis(100);
/// While an attempt to log in has no answer, the connection is looked at so often.
const STILL_TRYING: Duration = Duration::from_secs(1);

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

    /// Whether all that was read is carried out and answered.
    fn owes_nothing(&self) -> bool {
        self.read.is_empty() && self.unanswered.is_empty() && self.admission.waiting() == 0
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
