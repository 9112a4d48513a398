//! What is said in the end: a table for people, or JSON for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::Arguments;
use super::load::Silence;
use super::recorder::Records;
use super::tally::Verdict;
use super::usage::Usage;

/// What a server has used.
pub(super) struct Used {
    pub address: String,
    pub usage: Usage,
}

/// What was measured beside the records.
pub(super) struct Measured {
    /// From the first message sent to the last answer.
    pub answering: Duration,
    /// From the first message sent to the last one delivered.
    pub delivering: Duration,
    pub silences: Vec<Silence>,
    pub verdict: Verdict,
    pub replicas: Vec<Used>,
    pub generator: Usage,
    /// What the data of one replica has grown by.
    pub disk_bytes: Option<u64>,
}

/// The result of a run.
#[derive(Serialize)]
pub(super) struct Report {
    connections: u32,
    in_flight: u32,
    seconds: u32,
    size: u32,
    receivers: String,
    acknowledged: u64,
    acknowledged_per_s: f64,
    delivered: u64,
    delivered_per_s: f64,
    latency_ms: Latency,
    longest_silence_ms: f64,
    kill: Option<Kill>,
    errors: BTreeMap<String, u64>,
    lost: u64,
    twice: u64,
    out_of_order: u64,
    replicas: Vec<Replica>,
    generator_cpu_s: f64,
    disk_bytes_per_message: Option<f64>,
}

#[derive(Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

/// The longest silence over the killing of the leader, over all connections that waited then.
#[derive(Serialize)]
struct Kill {
    median_ms: f64,
    longest_ms: f64,
}

#[derive(Serialize)]
struct Replica {
    address: String,
    cpu_s: f64,
    rss_mb: f64,
}

impl Report {
    pub fn new(arguments: &Arguments, records: &Records, measured: &Measured) -> Self {
        let quantile = |q| records.latency.value_at_quantile(q) as f64 / 1000.0;
        let mut over_kill: Vec<f64> =
            measured.silences.iter().filter_map(|silence| silence.over_kill).map(in_ms).collect();
        over_kill.sort_by(f64::total_cmp);
        let kill = over_kill.last().map(|&longest_ms| Kill { median_ms: over_kill[over_kill.len() / 2], longest_ms });
        let replicas = measured.replicas.iter().map(|used| Replica {
            address: used.address.clone(),
            cpu_s: used.usage.cpu_s,
            rss_mb: used.usage.rss_mb,
        });
        Self {
            connections: arguments.connections,
            in_flight: arguments.in_flight,
            seconds: arguments.seconds,
            size: arguments.size,
            receivers: arguments.receivers.to_string(),
            acknowledged: records.acknowledged,
            acknowledged_per_s: per_second(records.acknowledged, measured.answering),
            delivered: records.delivered,
            delivered_per_s: per_second(records.delivered, measured.delivering),
            latency_ms: Latency {
                p50: quantile(0.5),
                p99: quantile(0.99),
                p99_9: quantile(0.999),
                max: records.latency.max() as f64 / 1000.0,
            },
            longest_silence_ms: in_ms(
                measured.silences.iter().map(|silence| silence.longest).max().unwrap_or_default(),
            ),
            kill,
            errors: records.errors.clone(),
            lost: measured.verdict.lost,
            twice: measured.verdict.twice,
            out_of_order: measured.verdict.out_of_order,
            replicas: replicas.collect(),
            generator_cpu_s: measured.generator.cpu_s,
            disk_bytes_per_message: measured
                .disk_bytes
                .map(|bytes| if records.acknowledged == 0 { 0.0 } else { bytes as f64 / records.acknowledged as f64 }),
        }
    }

    /// Every acknowledged message came once and in order, or waits; and there were some.
    pub fn is_right(&self) -> bool {
        self.acknowledged > 0 && self.lost + self.twice + self.out_of_order == 0
    }

    pub fn json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    pub fn table(&self) -> String {
        let mut table = String::new();
        let mut row = |what: &str, value: String| {
            // Writing into a string does not fail.
            let _ = writeln!(table, "{what:<24}{value}");
        };
        let latency = &self.latency_ms;
        row("acknowledged", format!("{:>10.0} /s   {} in all", self.acknowledged_per_s, self.acknowledged));
        row("delivered", format!("{:>10.0} /s   {} in all", self.delivered_per_s, self.delivered));
        row("answer, median", format!("{:>10.2} ms", latency.p50));
        row("        99 %", format!("{:>10.2} ms", latency.p99));
        row("        99.9 %", format!("{:>10.2} ms", latency.p99_9));
        row("        longest", format!("{:>10.2} ms", latency.max));
        row("longest silence", format!("{:>10.2} ms on one connection", self.longest_silence_ms));
        if let Some(kill) = &self.kill {
            let Kill { median_ms, longest_ms } = kill;
            row("leader killed: silence", format!("{median_ms:>10.2} ms median, {longest_ms:.2} ms longest"));
        }
        for (code, count) in &self.errors {
            row("errors", format!("{count:>10}      {code}"));
        }
        for replica in &self.replicas {
            let Replica { address, cpu_s, rss_mb } = replica;
            row(address, format!("{cpu_s:>10.2} s of processor, {rss_mb:.0} MiB of memory"));
        }
        row("this load generator", format!("{:>10.2} s of processor", self.generator_cpu_s));
        if let Some(bytes) = self.disk_bytes_per_message {
            row("on disk", format!("{bytes:>10.0} bytes a message on each replica"));
        }
        table + &self.judgement()
    }

    fn judgement(&self) -> String {
        if self.acknowledged == 0 {
            return "WRONG: nothing was acknowledged.".to_owned();
        }
        if self.is_right() {
            return "Each acknowledged message was delivered once and in order, or waits for its receiver.".to_owned();
        }
        let Self { lost, twice, out_of_order, .. } = self;
        format!(
            "WRONG: of the acknowledged messages {lost} were lost, {twice} came twice, {out_of_order} out of order."
        )
    }
}

fn in_ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}
