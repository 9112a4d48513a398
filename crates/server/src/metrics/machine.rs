//! What the system says of this process and its disk. It may take long: it is asked on a thread of its own.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

/// The files of a data directory that grow.
const FILES: [&str; 3] = ["log.db", "log.db-wal", "views.db"];

/// What the system says. What it does not say, or this program does not understand, is left out.
#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) open_files_max: Option<u64>,
    /// By name.
    pub(super) file_bytes: Vec<(&'static str, u64)>,
    pub(super) free_bytes: Option<u64>,
}

impl Machine {
    /// Asks, with this data directory.
    pub(super) fn look(dir: &Path) -> Self {
        let size = |&name: &&'static str| Some((name, fs::metadata(dir.join(name)).ok()?.len()));
        let found = Self {
            open_files: open_files(),
            open_files_max: getrlimit(Resource::Nofile).current,
            file_bytes: FILES.iter().filter_map(size).collect(),
            free_bytes: lastword_store::free_space(dir).ok(),
            ..Self::default()
        };
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        found.with_stat(&stat)
    }

    /// With the line of `/proc/self/stat`.
    fn with_stat(self, stat: &str) -> Self {
        // The second field is the program's name, in parentheses, and may have anything in it.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // As `man 5 proc` counts them, from 1; the first here is the third.
        let field = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
        let ticks = || Some(field(14)? + field(15)?);
        Self {
            cpu_seconds: ticks().map(|ticks| ticks as f64 / rustix::param::clock_ticks_per_second() as f64),
            virtual_bytes: field(23),
            resident_bytes: field(24).map(|pages| pages * rustix::param::page_size() as u64),
            ..self
        }
    }
}

fn open_files() -> Option<u64> {
    let files = Path::new("/proc/self/fd");
    // Since Linux 6.2 the folder's size says it; before, it is none, and they are counted.
    match fs::metadata(files).ok()?.len() {
        0 => Some(fs::read_dir(files).ok()?.count() as u64),
        count => Some(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_process_are_read_behind_its_name() {
        let stat =
            "7 (a ) 1 b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 12345 1048576 256 18446744073709551615";
        let machine = Machine::default().with_stat(stat);
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(machine.cpu_seconds, Some(300.0 / ticks));
        assert_eq!(machine.virtual_bytes, Some(1_048_576));
        assert_eq!(machine.resident_bytes, Some(256 * rustix::param::page_size() as u64));
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let machine = Machine::default().with_stat("");
        assert!(machine.cpu_seconds.is_none() && machine.resident_bytes.is_none());
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("log.db"), "12345").unwrap();
        assert_eq!(Machine::look(dir.path()).file_bytes, [("log.db", 5)]);
    }
}
