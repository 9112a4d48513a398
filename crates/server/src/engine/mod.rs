//! The core's task and the threads of the disks, behind one narrow handle.
//!
//! Everything goes into the core over one bounded channel: who puts something in waits when it is full.
//! What comes out goes into outboxes, which are bounded by what happens when they are full. The core
//! never waits for anybody, so nobody who waits for the core can be waited for by it.

mod clients;
mod core_task;
mod log_thread;
mod making;
mod matching;
pub mod outbox;
mod reads;
pub mod start;
mod views_thread;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lastword_core::io::{ConnectionId, LinkId, ReplicaId, Request, Tag};
use lastword_core::{Input, PeerMessage};
use lastword_store::LogFiles;
use tokio::sync::{mpsc, oneshot, watch};

use crate::Options;
use crate::error::ServerError;
use crate::limits::Address;
use crate::metrics::Metrics;
use crate::metrics::scrape::Sample;
use outbox::{LinkOutbox, Outbox};
use start::Opened;

/// Inputs that may wait for the core.
const WAITING: usize = 8192;

/// What goes to the core's task.
pub(crate) enum ToCore {
    /// For the core itself.
    Input(Input),
    /// A client has connected, from there; what it is told goes here.
    Open(ConnectionId, Option<Address>, Arc<Outbox>),
    /// Requests of one connection, in their order.
    Requests(ConnectionId, Vec<(Tag, Request)>),
    /// Another replica is connected; what it is told goes here.
    LinkUp(ReplicaId, LinkId, Arc<LinkOutbox>),
    /// Messages of another replica, in their order.
    LinkMessages(ReplicaId, LinkId, Vec<PeerMessage>),
    /// Somebody asks how it is.
    Sample(oneshot::Sender<Box<Sample>>),
    /// End the task.
    Stop,
}

/// The narrow interface that front ends and links reach the core by.
#[derive(Clone)]
pub struct Engine {
    to_core: mpsc::Sender<ToCore>,
    ids: Arc<AtomicU64>,
    /// Whether requests are taken; false once the server stops.
    pub(crate) open: watch::Sender<bool>,
    /// A disk has failed: nothing may be told to anybody any more.
    failed: Arc<AtomicBool>,
    /// The server is to start once more, on views made anew.
    anew: Arc<AtomicBool>,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
}

impl Engine {
    pub(crate) fn new(to_core: mpsc::Sender<ToCore>, metrics: Arc<Metrics>) -> Self {
        Self {
            to_core,
            ids: Arc::new(AtomicU64::new(1)),
            open: watch::Sender::new(true),
            failed: Arc::new(AtomicBool::new(false)),
            anew: Arc::new(AtomicBool::new(false)),
            metrics,
        }
    }

    /// A number that was not used before, for a connection or a link.
    pub(crate) fn draw_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) async fn give(&self, input: ToCore) {
        // The core is gone only when the server stops; then nobody waits for an answer.
        let _ = self.to_core.send(input).await;
    }

    /// The same for threads, which may wait.
    pub(crate) fn give_blocking(&self, input: ToCore) {
        let _ = self.to_core.blocking_send(input);
    }

    /// How many inputs wait for the core.
    fn waiting(&self) -> usize {
        self.to_core.max_capacity() - self.to_core.capacity()
    }

    /// Is ready once the server takes no requests any more.
    pub(crate) fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut open = self.open.subscribe();
        async move {
            // An error means that the engine is gone, which is the same.
            let _ = open.wait_for(|open| !open).await;
        }
    }

    /// A disk has failed: the server ends.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::SeqCst);
        self.open.send_replace(false);
    }

    /// The server ends, and starts once more, on views made anew.
    pub(crate) fn start_anew(&self) {
        self.anew.store(true, Ordering::SeqCst);
        self.open.send_replace(false);
    }

    pub(crate) fn starts_anew(&self) -> bool {
        self.anew.load(Ordering::SeqCst)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }
}

/// The task and the threads of a running server.
pub struct Running {
    /// The way in.
    pub engine: Engine,
    core: tokio::task::JoinHandle<()>,
    log: JoinHandle<Result<(), ServerError>>,
    views: JoinHandle<Result<(), ServerError>>,
}

impl Running {
    /// Starts them. Within a tokio runtime.
    ///
    /// # Errors
    /// The machine has no threads left.
    pub(crate) fn start(opened: Opened, options: &Options, metrics: Arc<Metrics>) -> Result<Self, ServerError> {
        let (to_core, inputs) = mpsc::channel(WAITING);
        // Of a start before this one in the same process nothing waits any more.
        metrics.log_queue.store(0, Ordering::Relaxed);
        let engine = Engine::new(to_core, metrics);
        // These two are bounded by what the core lets be under way: it refuses requests beyond that.
        let (to_log, log_jobs) = std::sync::mpsc::channel();
        let (to_views, views_jobs) = std::sync::mpsc::channel();
        let behind = Arc::new(AtomicU64::new(0));
        let passwords = crate::passwords::Passwords::start(&engine, options.hashes, options.hash_memory_kib)?;
        let Opened { mut core, log, views, making, reader, group, clock, dir } = opened;
        if making.is_some() {
            core.handle(clock.now(), Input::ViewsReady(false));
        }
        let files = LogFiles::of(&dir)
            .map_err(|source| ServerError::Machine { what: "a look at the data directory", source })?;
        let log_thread = log_thread::LogThread {
            log,
            files,
            engine: engine.clone(),
            dir: dir.path().to_owned(),
            free_bytes_min: options.free_bytes_min,
            views_behind: behind.clone(),
            alone: None,
            repairs: Vec::new(),
        };
        let log = spawn("log", move || log_thread.run(&log_jobs))?;
        let views_thread = views_thread::ViewsThread {
            views,
            making,
            reader,
            reads: reads::Reads::new(std::time::Instant::now()),
            engine: engine.clone(),
            behind: behind.clone(),
            pages: std::collections::VecDeque::new(),
            since_page: 0,
            held: Vec::new(),
            tried: None,
        };
        // The directory stays locked until the last of its files is closed.
        let views = spawn("views", move || {
            let _dir = dir;
            views_thread.run(&views_jobs)
        })?;
        // The core has one of these under way at a time. The thread ends with the core's task, and nobody waits for it.
        let (to_match, work) = std::sync::mpsc::channel();
        let of_matching = engine.clone();
        spawn("match", move || matching::run(&of_matching, &work))?;
        let threads = core_task::Threads { to_log, to_views, to_match, passwords };
        let core_task = core_task::CoreTask::new(core, clock, &group, engine.clone(), threads, behind);
        let core = tokio::spawn(core_task.run(inputs));
        Ok(Self { engine, core, log, views })
    }

    /// Ends them: what waits is written, and the views are closed.
    ///
    /// # Errors
    /// What made the server end, if it was a disk or a mistake in the core.
    pub async fn stop(self) -> Result<(), ServerError> {
        let stopped = tokio::time::timeout(Duration::from_secs(5), self.engine.give(ToCore::Stop)).await;
        drop(self.engine);
        if stopped.is_err() {
            tracing::warn!("the core did not stop in time");
        }
        let core = self.core.await.map_err(|_| ServerError::Panicked);
        let ends = tokio::task::spawn_blocking(move || {
            // A thread that panicked has said so already.
            let log = self.log.join().unwrap_or(Ok(()));
            let views = self.views.join().unwrap_or(Ok(()));
            log.and(views)
        });
        core.and(ends.await.unwrap_or(Ok(())))
    }
}

pub(crate) fn spawn<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, ServerError> {
    // Its log lines name this server, too.
    let span = tracing::Span::current();
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(move || span.in_scope(work)).map_err(|source| ServerError::Machine { what: "a thread", source })
}
