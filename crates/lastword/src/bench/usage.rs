//! What a process has used of the machine, from `/proc`.

use std::path::Path;

/// Processor time and memory of a process.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Usage {
    /// Seconds of processor time, in user and kernel mode.
    pub cpu_s: f64,
    /// Mebibytes of memory held.
    pub rss_mb: f64,
}

impl Usage {
    /// Of a process, by its id or `self`; all zero where that can't be read.
    pub fn of(process: &str) -> Self {
        read(process).unwrap_or_default()
    }

    /// What was used of the processor since; memory as it is now.
    pub fn since(self, before: Self) -> Self {
        Self { cpu_s: self.cpu_s - before.cpu_s, rss_mb: self.rss_mb }
    }
}

fn read(process: &str) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which stands in parentheses and may hold anything: the third field comes first.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = |n: usize| fields.split(' ').nth(n - 3).and_then(|field| field.parse::<f64>().ok());
    let cpu_s = (ticks(14)? + ticks(15)?) / rustix::param::clock_ticks_per_second() as f64;
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = rss.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(Usage { cpu_s, rss_mb: kib / 1024.0 })
}

/// Bytes of all files in a folder and those below it.
pub(super) fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::Usage;

    #[test]
    fn this_process_uses_something() {
        let before = Usage::of("self");
        let mut sum = 0_u64;
        while Usage::of("self").since(before).cpu_s < 0.03 {
            sum = (0..100_000).fold(sum, |sum, n| black_box(sum ^ n));
        }
        assert!(before.rss_mb > 1.0, "{before:?}");
    }
}
