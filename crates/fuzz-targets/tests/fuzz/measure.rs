//! What an input costs: time, memory, or a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fuzz_targets::Target;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Memory is counted for the whole process: one input is run at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// On a busy machine an input is interrupted: then the best of so many tries counts.
const TRIES: usize = 5;

/// What an input costs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// From its beginning to its end.
    pub time: Duration,
    /// At the peak, beside what was there before.
    pub memory_bytes: usize,
}

/// Runs a target on an input.
///
/// # Errors
/// It panics, takes too long, or takes too much memory.
pub fn run(target: &Target, input: &[u8]) -> Result<Cost, String> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut best = Cost { time: Duration::MAX, memory_bytes: usize::MAX };
    for _ in 0..TRIES {
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let began = Instant::now();
        catch_unwind(AssertUnwindSafe(|| (target.run)(input))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            format!("panics: {}", text.or_else(|| panic.downcast_ref().copied()).unwrap_or("of its own kind"))
        })?;
        let memory_bytes = ALLOCATOR.peak_usage().saturating_sub(before);
        best = Cost { time: best.time.min(began.elapsed()), memory_bytes: best.memory_bytes.min(memory_bytes) };
        if best.time <= target.time {
            break;
        }
    }
    if best.time > target.time {
        return Err(format!("takes {:?}, and {:?} is the most", best.time, target.time));
    }
    if best.memory_bytes > target.memory_bytes {
        return Err(format!("takes {} bytes of memory, and {} are the most", best.memory_bytes, target.memory_bytes));
    }
    Ok(best)
}

/// Writes an input that was not in the corpus to a file, and says where that is.
pub fn keep(target: &Target, input: &[u8]) -> PathBuf {
    // FNV-1a: the same input has the same name.
    let hash = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{hash:016x}", target.name));
    std::fs::write(&file, input).expect("the input that failed can be written");
    file
}

/// What does harm is seen to do it.
#[test]
fn harm_is_seen() {
    let time = Duration::from_millis(10);
    let target = |run: fn(&[u8])| Target { name: "harm", run, time, memory_bytes: 1024 * 1024 };
    let said = |harm: fn(&[u8])| run(&target(harm), b"x").map_or_else(|what| what, |cost| format!("{cost:?}"));
    assert!(said(|input| assert!(input.is_empty(), "harm")).contains("panics: harm"));
    assert!(said(|_| std::thread::sleep(Duration::from_millis(20))).contains("and 10ms is the most"));
    assert!(said(|_| drop(vec![1_u8; 2 * 1024 * 1024])).contains("bytes of memory, and 1048576 are the most"));
    let cost = run(&target(|_| drop(vec![1_u8; 500_000])), b"").expect("within its limits");
    assert!((500_000..600_000).contains(&cost.memory_bytes), "{cost:?}");
}
