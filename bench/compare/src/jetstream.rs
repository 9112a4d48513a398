//! The load on JetStream: a stream on three nodes, in files.
//!
//! As good as can be for it: all clients are connected to the node that leads the stream, receivers are ordered
//! push consumers (kept in memory, on one node, without acknowledgements), and nothing is sent but an id and the
//! text. As Lastword does, it looks up each message's id, so that what is sent again is stored once.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use async_nats::jetstream::consumer::push::OrderedConfig;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, StorageType, Stream};
use async_nats::jetstream::{self, Context};
use futures_util::StreamExt;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::machine::cpu_s;
use crate::outcome::{Load, Outcome};

const STREAM: &str = "compare";
/// The three may take so long to find each other.
const START: Duration = Duration::from_secs(30);
/// What is on its way when the load ends may take so long without any progress.
const PATIENCE: Duration = Duration::from_secs(10);
/// Digits of the number that each text begins with.
const DIGITS: usize = 12;

/// What one sender saw.
struct Sent {
    latency: Histogram<u64>,
    acknowledged: u64,
    last_answer: Instant,
}

/// What one receiver sees.
#[derive(Default)]
struct Received {
    /// In order, none twice.
    right: AtomicU64,
    wrong: AtomicU64,
}

/// Puts a load on a stream that is made for it.
///
/// # Errors
/// The cluster does not come up, or a client fails.
pub async fn run(cluster: &Cluster, load: &Load) -> anyhow::Result<Outcome> {
    let leader = make_stream(cluster).await?;
    let (mut senders, mut receivers) = (JoinSet::new(), JoinSet::new());
    let (mut contexts, mut all_received) = (Vec::new(), Vec::new());
    for n in 0..load.connections {
        let received = Arc::<Received>::default();
        let client = async_nats::connect(&leader).await?;
        let stream = jetstream::new(client.clone()).get_stream(STREAM).await?;
        receivers.spawn(receive(stream, client.new_inbox(), subject(n), Arc::clone(&received)));
        all_received.push(received);
        let client = async_nats::connect(&leader).await?;
        // The client's own limit is out of the way.
        contexts.push(ContextBuilder::new().max_ack_inflight(load.in_flight + 1).build(client));
    }
    // The consumers are there before the first message, or begin with it: both is the same to an ordered one.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (servers_before, own_before, began) = (cluster.cpu_s(), cpu_s("self"), Instant::now());
    for (n, context) in contexts.into_iter().enumerate() {
        senders.spawn(send(context, n, load.share(n), load.size, began + Duration::from_secs(load.seconds)));
    }
    let mut latency = Histogram::<u64>::new(3)?;
    let (mut acknowledged, mut last_answer) = (Vec::new(), began);
    while let Some(sent) = senders.join_next().await {
        let (n, sent) = sent??;
        latency.add(&sent.latency)?;
        acknowledged.push((n, sent.acknowledged));
        last_answer = last_answer.max(sent.last_answer);
    }
    let lost = wait_for_deliveries(&acknowledged, &all_received).await;
    let wrong: u64 = all_received.iter().map(|received| received.wrong.load(Ordering::Relaxed)).sum();
    let count = acknowledged.iter().map(|(_, acknowledged)| acknowledged).sum::<u64>();
    Ok(Outcome {
        acknowledged: count,
        per_s: count as f64 / (last_answer - began).as_secs_f64().max(f64::MIN_POSITIVE),
        p50: latency.value_at_quantile(0.5) as f64 / 1000.0,
        p99: latency.value_at_quantile(0.99) as f64 / 1000.0,
        wrong: wrong + lost,
        servers_cpu_s: cluster.cpu_s() - servers_before,
        generator_cpu_s: cpu_s("self") - own_before,
    })
}

/// Makes the stream anew, once the nodes have found each other; where its leader is reached.
async fn make_stream(cluster: &Cluster) -> anyhow::Result<String> {
    let began = Instant::now();
    loop {
        match try_to_make_stream(cluster).await {
            Ok(leader) => return Ok(leader),
            Err(error) if began.elapsed() > START => return Err(error.context("the cluster does not come up")),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn try_to_make_stream(cluster: &Cluster) -> anyhow::Result<String> {
    let context = jetstream::new(async_nats::connect(&cluster.urls[0]).await?);
    // The first time there is none.
    let _ = context.delete_stream(STREAM).await;
    let subjects = vec![subject_of("*")];
    let config =
        Config { name: STREAM.into(), subjects, storage: StorageType::File, num_replicas: 3, ..Config::default() };
    let mut stream = context.create_stream(config).await?;
    let info = stream.info().await?;
    let state = info.cluster.as_ref().context("the stream is on no cluster")?;
    if !state.replicas.iter().all(|replica| replica.current) || state.replicas.len() != 2 {
        bail!("the stream's replicas are not all there");
    }
    let leader = state.leader.as_deref().context("the stream has no leader")?;
    Ok(cluster.url_of(leader).context("the leader is no node of this cluster")?.to_owned())
}

fn subject_of(what: &str) -> String {
    format!("{STREAM}.{what}")
}

fn subject(n: usize) -> String {
    subject_of(&format!("s{n}"))
}

/// Sends until the time is over and everything is answered.
async fn send(
    context: Context,
    n: usize,
    in_flight: usize,
    size: usize,
    ends: Instant,
) -> anyhow::Result<(usize, Sent)> {
    let mut sent = Sent { latency: Histogram::new(3)?, acknowledged: 0, last_answer: Instant::now() };
    let subject = async_nats::Subject::from(subject(n));
    let (mut flying, mut number, mut id) = (VecDeque::with_capacity(in_flight), 0_u64, String::new());
    loop {
        while flying.len() < in_flight && Instant::now() < ends {
            let text = format!("{number:0DIGITS$} {:x<rest$}", "", rest = size - DIGITS - 1);
            id.clear();
            // As long as the key of a message of Lastword.
            write!(id, "{n:08}-{number:027}")?;
            let began = Instant::now();
            let message = PublishMessage::build().message_id(&id).payload(text.into());
            flying.push_back((began, context.send_publish(subject.clone(), message).await?.into_future()));
            number += 1;
        }
        let Some((began, answer)) = flying.pop_front() else { return Ok((n, sent)) };
        answer.await.context("a message was not acknowledged")?;
        sent.last_answer = Instant::now();
        sent.latency.record(u64::try_from((sent.last_answer - began).as_micros())?)?;
        sent.acknowledged += 1;
    }
}

/// Takes what comes, and looks at each number.
async fn receive(stream: Stream, inbox: String, subject: String, received: Arc<Received>) -> anyhow::Result<()> {
    let config = OrderedConfig { deliver_subject: inbox, filter_subject: subject, ..OrderedConfig::default() };
    let mut messages = stream.create_consumer(config).await?.messages().await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let digits = message.payload.get(..DIGITS).and_then(|digits| std::str::from_utf8(digits).ok());
        let number: Option<u64> = digits.and_then(|digits| digits.parse().ok());
        let is_next = number == Some(received.right.load(Ordering::Relaxed));
        if is_next { &received.right } else { &received.wrong }.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Waits for what is on its way, as long as something comes; how many have not come.
async fn wait_for_deliveries(acknowledged: &[(usize, u64)], received: &[Arc<Received>]) -> u64 {
    let missing = || {
        let missing = |&(n, count): &(usize, u64)| count.saturating_sub(received[n].right.load(Ordering::Relaxed));
        acknowledged.iter().map(missing).sum::<u64>()
    };
    let (mut last, mut moved) = (missing(), Instant::now());
    while last > 0 && moved.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = missing();
        if now != last {
            (last, moved) = (now, Instant::now());
        }
    }
    last
}
