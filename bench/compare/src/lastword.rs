//! The load on Lastword: `lastword bench` starts three servers, loads them, checks every message and stops them.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::outcome::{Load, Outcome};

/// What `lastword bench --json` says, as far as it is of interest here.
#[derive(Deserialize)]
struct Result {
    acknowledged: u64,
    acknowledged_per_s: f64,
    latency_ms: Latency,
    lost: u64,
    twice: u64,
    out_of_order: u64,
    replicas: Vec<Replica>,
    generator_cpu_s: f64,
}

#[derive(Deserialize)]
struct Latency {
    p50: f64,
    p99: f64,
}

#[derive(Deserialize)]
struct Replica {
    cpu_s: f64,
}

/// Runs it.
///
/// # Errors
/// It can't be run, or says nothing that can be read.
pub async fn run(program: &Path, data: &Path, load: &Load) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir_in(data)?;
    let output = Command::new(program)
        .args(["bench", "--local", "--json", "--data"])
        .arg(folder.path())
        .args(["--connections", &load.connections.to_string(), "--in-flight", &load.in_flight.to_string()])
        .args(["--seconds", &load.seconds.to_string(), "--size", &load.size.to_string()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("can't run {}", program.display()))?;
    match serde_json::from_slice(&output.stdout) {
        Ok(result) => Ok(outcome(&result)),
        Err(error) => bail!("`lastword bench` has no result ({error}): {}", String::from_utf8_lossy(&output.stderr)),
    }
}

fn outcome(result: &Result) -> Outcome {
    Outcome {
        acknowledged: result.acknowledged,
        per_s: result.acknowledged_per_s,
        p50: result.latency_ms.p50,
        p99: result.latency_ms.p99,
        wrong: result.lost + result.twice + result.out_of_order,
        servers_cpu_s: result.replicas.iter().map(|replica| replica.cpu_s).sum(),
        generator_cpu_s: result.generator_cpu_s,
    }
}

#[cfg(test)]
mod tests {
    use super::{Result, outcome};

    #[test]
    fn a_result_is_read() {
        let json = r#"{"connections":1,"acknowledged":9,"acknowledged_per_s":4.5,"latency_ms":{"p50":1.0,"p99":2.0,
            "p99_9":3.0,"max":4.0},"kill":null,"errors":{},"lost":1,"twice":2,"out_of_order":3,
            "replicas":[{"address":"a:1","cpu_s":1.5,"rss_mb":9.0},{"address":"b:1","cpu_s":2.5,"rss_mb":9.0}],
            "generator_cpu_s":0.5}"#;
        let outcome = outcome(&serde_json::from_str::<Result>(json).unwrap());
        assert_eq!((outcome.acknowledged, outcome.wrong, outcome.servers_cpu_s), (9, 6, 4.0));
    }
}
