//! The seeds that every change must pass, what they must reach, and that a seed is a seed.

use lastword_marks::Bug;
use sim::plan::FAULTS;
use sim::run::run;
use sim::sweep::sweep;

const SEEDS: u64 = 4000;

/// What the seeds must reach besides every kind of fault: a simulator that reaches nothing proves nothing.
const MUST_BE_REACHED: &[&str] = &[
    "hostile seen",
    "messages at two positions",
    "path a retry of what is known",
    "path a key that runs ahead",
    "path a password hashed anew",
    "path a password that lost",
    "path answers held for a dying breath",
    "path claim refused at the first look",
    "path claim withdrawn",
    "path closed behind what was refused",
    "path create of an account that exists",
    "path a login that others may know",
    "path damaged record mended",
    "path damaged record met at the start",
    "path damaged record met in reading",
    "path damaged record still in memory",
    "path dropped for want of room, and pulled",
    "path held for what it rests on",
    "path incarnation of an earlier life came back",
    "path link replaced by another",
    "path lost everywhere",
    "path message beside a deletion",
    "path message of an account that could not be read",
    "path name not known to be taken while behind",
    "path name not secured in time",
    "path one account created at two replicas",
    "path session ended for another",
    "path two creates of one account at once",
    "path use of a session noted in a crowd",
    "path nobody let in before the views are made",
    "path not pulled before what it waits for",
    "path one message at two positions",
    "path own facts read from disk to be pushed",
    "path page while messages come",
    "path pull given up",
    "path pulled through a third",
    "path refused behind what is to come later",
    "path refused for want of room",
    "path started anew on a mended log",
    "path stale at the start",
    "path use of a session noted",
    "path what waits for somebody was counted",
    "path woke from a freeze",
    "report ClocksDiffer",
    "report Damaged",
    "report HoldFull",
    "report Ignored",
    "report Lost",
    "report NotStaleAnyMore",
    "report NotUnderstood",
    "report OutOfSync Disconnected",
    "report OutOfSync Silent",
    "report OutOfSync Slow",
    "report Repaired",
    "torn record",
];

#[test]
fn all_seeds_pass_and_reach_every_rare_path() {
    let summary = sweep(0, SEEDS, None, |_| false);
    let first = summary.shortest();
    assert!(
        first.is_none(),
        "{} seeds failed; see `cargo run -p sim --release -- --first {} --trace`: {:#?}",
        summary.failed.len(),
        first.map_or(0, |outcome| outcome.seed),
        first.map(|outcome| &outcome.violations)
    );
    let faults = FAULTS.iter().map(|fault| format!("fault {fault:?}"));
    let must = faults.chain(MUST_BE_REACHED.iter().map(|&path| path.to_owned()));
    let missed: Vec<String> = must.filter(|what| !summary.counts.contains_key(what)).collect();
    assert_eq!(missed, Vec::<String>::new(), "never reached, among {:#?}", summary.counts);
}

/// Seeds beyond those above that failed once, and what they showed.
const NAMED: &[(u64, &str)] = &[
    (5926, "a create that could not be repeated now was taken for an account that is gone"),
    (6952, "messages that were given up held up the next one until newer ones overtook it"),
    (7807, "a message from an account that could not be read was covered by a later confirm"),
    (16792, "pieces without room to wait were pulled over and over, and nothing else was"),
    (22122, "the checker of names took an account's first claim for the one that was confirmed"),
    (23829, "a link that was replaced was never closed, and its other end waited on it for ever"),
    (33442, "the checker of delivery knew nothing of claims that are gone with their last disk"),
    (35480, "as 16792, after a wipe"),
    (40206, "a create in flight was sent again after a refused resume, and met its own name"),
    (47105, "the checker of delivery knew nothing of deletions that were not answered"),
    (50311, "the checker of the last breath took a retry on more disks than it said for alone"),
    (56439, "as 47105"),
    (72437, "what was sent behind a refused resume was taken in by the login before, and overtook"),
    (73294, "a thousand damaged records were mended at sixteen a second"),
    (95988, "as 72437"),
    (97385, "messages kept for an unknown receiver were asked about one by one"),
    (105122, "a message was taken in behind others that were refused for want of room a moment before"),
];

#[test]
fn seeds_that_failed_once_pass() {
    for &(seed, what) in NAMED {
        let outcome = run(seed, None, false);
        assert!(outcome.violations.is_empty(), "seed {seed} ({what}): {:#?}", outcome.violations);
    }
}

#[test]
fn one_seed_is_one_run() {
    for bug in [None, Some(Bug::ForgetsLonely)] {
        for seed in 1..6 {
            let (one, other) = (run(seed, bug, true), run(seed, bug, true));
            assert_eq!(one.trace, other.trace);
            assert_eq!((one.digest, one.events, one.violations), (other.digest, other.events, other.violations));
            let untold = run(seed, bug, false);
            assert_eq!((one.digest, one.events), (untold.digest, untold.events), "telling changes nothing");
        }
    }
}
