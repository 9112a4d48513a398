//! The simulator is tested too: every planted bug is found within 3,000 seeds, nearly all within 1,000.

use std::time::Instant;

use lastword_marks::BUGS;
use sim::sweep::sweep;

#[test]
fn every_planted_bug_is_found() {
    // A core with a bug may well panic: that is one way to be found, and not to be read here.
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = Vec::new();
    let mut table = String::new();
    for &(bug, what) in BUGS {
        let began = Instant::now();
        let summary = sweep(0, 3000, Some(bug), |summary| !summary.failed.is_empty());
        let (seeds, took) = (summary.seeds, began.elapsed().as_secs_f64());
        match summary.failed.first() {
            Some(outcome) => {
                table += &format!("{bug:?}: {seeds} seeds, {took:.1} s: {}\n", outcome.violations[0]);
            }
            None => missed.push(format!("{bug:?}:{what}")),
        }
    }
    drop(std::panic::take_hook());
    assert_eq!(missed, Vec::<String>::new(), "not found; the others:\n{table}");
}
