//! The saved inputs.

use std::path::{Path, PathBuf};

use fuzz_targets::{TARGETS, Target};

use crate::measure::{Cost, run};

/// The saved inputs of a target, by name.
pub fn saved(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target.name);
    let files = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("no corpus in {}: {error}", dir.display()));
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a directory can be read").path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), std::fs::read(&file).expect("a file can be read"))).collect()
}

#[test]
fn saved_inputs_do_no_harm() {
    for target in TARGETS {
        let saved = saved(target);
        assert!(saved.len() >= 3, "{} has a corpus", target.name);
        let mut most = Cost::default();
        for (file, input) in saved {
            let cost = run(target, &input).unwrap_or_else(|what| panic!("{} {what}", file.display()));
            most.time = most.time.max(cost.time);
            most.memory_bytes = most.memory_bytes.max(cost.memory_bytes);
        }
    }
}

/// Nobody is to have to fetch a heap of bytes for a chat.
#[test]
fn the_corpus_is_small() {
    let sizes = TARGETS.iter().flat_map(saved).map(|(_, input)| input.len());
    assert!(sizes.sum::<usize>() < 1024 * 1024);
}
