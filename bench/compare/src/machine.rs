//! What it runs on, and what processes use of it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The first line that a program says of its version.
pub fn version(program: &Path) -> anyhow::Result<String> {
    let output =
        Command::new(program).arg("--version").output().with_context(|| format!("can't run {}", program.display()))?;
    if !output.status.success() {
        bail!("{} --version has failed", program.display());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

/// Processor, cores, memory, kernel, and how often a second the disk syncs.
pub fn description(data: &Path) -> anyhow::Result<String> {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?.split_once(':')?.1.trim().to_owned();
        Some(line)
    };
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "an unknown processor".to_owned());
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let syncs = syncs_per_second(data)?;
    Ok(format!("{model}, {cores} cores, {memory}, Linux {}; {syncs} fdatasync a second.", kernel.trim()))
}

/// Appends 512 bytes and syncs, for a second.
fn syncs_per_second(data: &Path) -> anyhow::Result<u64> {
    let mut file: File = tempfile::tempfile_in(data).with_context(|| format!("can't write to {}", data.display()))?;
    let began = Instant::now();
    let mut syncs = 0;
    while began.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0; 512])?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(syncs)
}

/// Seconds of processor that a process has used, by its id or `self`; zero where that can't be read.
pub fn cpu_s(process: &str) -> f64 {
    /// Of a second: what Linux tells programs, whatever it counts with itself.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything, the third field comes first.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields.split(' ').skip(14 - 3).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS
}
