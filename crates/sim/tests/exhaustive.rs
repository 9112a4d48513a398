//! All interleavings of small groups: nothing is wrong in any state that can be reached, and planted
//! mistakes are found.
//!
//! A search proves something of what it reaches. So each must be complete, and each names answers that must
//! have come in some of its states.

#![expect(clippy::print_stdout, reason = "how much was searched is half of the result")]

use std::time::{Duration, Instant};

use lastword_core::Settings;
use lastword_marks::{Bug, plant};
use sim::search::{Budget, Deed, Found, Operation, Scenario, search};

const NOTHING: Budget = Budget { crashes: 0, cuts: 0, wipes: 0, passes: 0 };
const A_CRASH: Budget = Budget { crashes: 1, ..NOTHING };
const A_CUT: Budget = Budget { cuts: 1, ..NOTHING };
/// The disk of whoever crashes may be emptied.
const A_WIPE: Budget = Budget { crashes: 1, wipes: 1, ..NOTHING };

/// Only `a` and `b` crash: where only `a` is asked, `c` is to it what `b` is.
const ALIKE: [bool; 3] = [true, true, false];
const ONLY_A: [bool; 3] = [true, false, false];
const ONLY_B: [bool; 3] = [false, true, false];
const ONLY_C: [bool; 3] = [false, false, true];
/// Of the links: there is none a-c, and `b` reaches both.
const A_C: [bool; 3] = [false, true, false];
/// Of the links: as if `b` and `c` stood side by side.
const B_C: [bool; 3] = [false, false, true];
const ALL: [bool; 3] = [true; 3];

/// A group of which `a` makes the account, and in which a new link comes up when both sides know that the
/// old one is down.
fn group(name: &'static str, budget: Budget) -> Scenario {
    Scenario { budget, overtaking: false, ..Scenario::new(name) }
}

/// Two users want one name, at `a` and at `c`. The account is made at `b`: so a clock that is ahead at `a` is
/// not what all know of already.
fn names(name: &'static str, budget: Budget) -> Scenario {
    let before = vec![Operation { at: 1, deed: Deed::Create { name: "ann", key: 1 } }];
    Scenario { before, ..group(name, budget) }.create(0, "sam", 2).create(2, "Sam", 3)
}

/// Searches to the end, where nothing may have been wrong.
fn holds(scenario: Scenario, answers: &[&str]) -> Found {
    let (name, begun) = (scenario.name, Instant::now());
    let found = search(scenario);
    let (states, steps, ends) = (found.states, found.steps, found.ends);
    println!("{name}: {states} states, {steps} steps, {ends} ends, in {:.1?}", begun.elapsed());
    if let Some(violation) = &found.violation {
        panic!("{violation}");
    }
    assert!(found.complete, "{name}: there are more than {states} states");
    for &answer in answers {
        assert!(found.answers.contains(answer), "{name}: nobody was ever answered {answer}: {:?}", found.answers);
    }
    found
}

mod acknowledged {
    use super::*;

    const ANY: &[&str] = &["Stored(1)", "Stored(2)", "Stored(3)", "Lost"];

    #[test]
    fn through_a_crash() {
        let scenario = Scenario { overtaking: true, ..group("a message, a crash", A_CRASH) };
        holds(scenario.send(0, 2), ANY);
    }

    #[test]
    fn through_a_cut() {
        let scenario = Scenario { overtaking: true, ..group("a message, a cut", A_CUT) };
        holds(scenario.send(0, 2), &["Stored(2)", "Stored(3)"]);
    }

    #[test]
    fn through_a_crash_and_a_cut() {
        let budget = Budget { cuts: 1, ..A_CRASH };
        holds(Scenario { mortal: ALIKE, ..group("a message, a crash, a cut", budget) }.send(0, 2), ANY);
    }

    #[test]
    fn through_a_crash_while_time_passes() {
        let budget = Budget { passes: 1, ..A_CRASH };
        let scenario = Scenario { mortal: ALIKE, swift: ONLY_C, ..group("a message, a crash, time", budget) };
        holds(scenario.send(0, 2), ANY);
    }

    /// Whoever does not confirm is too slow, and comes back.
    #[test]
    fn through_a_cut_while_time_passes() {
        let budget = Budget { passes: 2, ..A_CUT };
        holds(Scenario { near: B_C, ..group("a message, a cut, time", budget) }.send(0, 2), &ANY[..3]);
    }

    #[test]
    fn at_two_replicas() {
        let scenario = Scenario { near: B_C, ..group("messages at a and b, a crash", A_CRASH) };
        holds(scenario.send(0, 2).send(1, 3), ANY);
    }

    #[test]
    fn one_after_the_other() {
        let scenario = Scenario { mortal: ALIKE, swift: ONLY_C, ..group("two messages at a, a crash", A_CRASH) };
        holds(scenario.send(0, 2).send(0, 3), ANY);
    }

    /// The client moves to `b`, before or after `a` has taken the message in, and whatever becomes of `a`.
    #[test]
    fn at_one_replica_and_again_at_another() {
        let scenario = Scenario { mortal: ONLY_A, swift: ONLY_C, ..group("a message at a, again at b", A_CRASH) };
        holds(scenario.send(0, 2).send(1, 2), ANY);
    }
}

mod unique_names {
    use super::*;

    const ANY: &[&str] = &["Created", "Refused"];

    #[test]
    fn with_all_linked() {
        holds(Scenario { swift: ONLY_B, ..names("names, all linked", NOTHING) }, ANY);
    }

    #[test]
    fn round_a_cut() {
        holds(Scenario { apart: A_C, ..names("names round a cut", NOTHING) }, ANY);
    }

    /// The later claim can then be the first to be confirmed.
    #[test]
    fn round_a_cut_with_a_clock_ahead() {
        let ahead_ms = [10_000, 0, 0];
        holds(Scenario { apart: A_C, ahead_ms, ..names("names round a cut, a's clock ahead", NOTHING) }, ANY);
    }

    #[test]
    fn round_a_cut_with_a_crash() {
        holds(Scenario { apart: A_C, swift: ALL, ..names("names round a cut, a crash", A_CRASH) }, ANY);
    }

    #[test]
    fn round_a_cut_with_another_cut() {
        holds(Scenario { apart: A_C, swift: ALL, ..names("names round a cut, another cut", A_CUT) }, ANY);
    }

    /// A claim may then be too old to be confirmed, or to be heeded.
    #[test]
    fn round_a_cut_while_time_passes() {
        let (claim, claim_shadow) = (Duration::from_millis(500), Duration::from_secs(1));
        for (passes, near) in [(1, [false; 3]), (2, B_C)] {
            let scenario = names("names round a cut, time", Budget { passes, ..NOTHING });
            let settings = Settings { claim, claim_shadow, ..scenario.settings.clone() };
            holds(Scenario { apart: A_C, swift: ALL, near, settings, ..scenario }, ANY);
        }
    }

    #[test]
    fn while_their_link_breaks() {
        let scenario = names("names, a-c breaks", A_CUT);
        holds(Scenario { swift: ALL, near: B_C, breakable: A_C, ..scenario.clone() }, ANY);
        let ahead_ms = [10_000, 0, 0];
        let name = "names, a-c breaks, a's clock ahead";
        holds(Scenario { name, swift: ALL, near: B_C, breakable: A_C, ahead_ms, ..scenario }, ANY);
    }

    #[test]
    fn while_one_who_asks_crashes() {
        holds(Scenario { swift: ALL, near: B_C, mortal: ONLY_A, ..names("names, a crashes", A_CRASH) }, ANY);
    }

    #[test]
    fn while_the_third_crashes() {
        holds(Scenario { swift: ALL, near: B_C, mortal: ONLY_B, ..names("names, b crashes", A_CRASH) }, ANY);
    }
}

mod caught_up {
    use super::*;

    const ANY: &[&str] = &["Stored(1)", "Stored(2)", "Stored(3)", "Lost"];

    #[test]
    fn with_an_emptied_disk() {
        let scenario = Scenario { overtaking: true, ..group("a message, a crash, a wipe", A_WIPE) };
        holds(scenario.send(0, 2), ANY);
    }

    #[test]
    fn with_an_emptied_disk_and_two_messages() {
        let scenario = group("two messages at a, a crash, a wipe", A_WIPE);
        holds(Scenario { mortal: ALIKE, swift: ONLY_C, near: B_C, ..scenario }.send(0, 2).send(0, 3), ANY);
    }

    #[test]
    fn after_two_crashes() {
        let scenario = group("a message, two crashes", Budget { crashes: 2, ..NOTHING });
        holds(Scenario { mortal: ALIKE, swift: ALL, ..scenario }.send(0, 2), ANY);
    }

    #[test]
    fn after_two_crashes_and_with_an_emptied_disk() {
        let scenario = group("a message, two crashes, a wipe", Budget { crashes: 2, ..A_WIPE });
        holds(Scenario { mortal: ALIKE, swift: ALL, near: B_C, ..scenario }.send(0, 2), ANY);
    }
}

/// What is left out makes no difference: every path has the same ends.
#[test]
fn leaving_out_orders_loses_no_end() {
    let two = || group("messages at a and b", NOTHING).send(0, 2).send(1, 3);
    let scenarios = [
        two(),
        Scenario { apart: A_C, ..two() },
        group("a message, a crash", A_CRASH).send(0, 2),
        group("a message, a crash, a wipe", A_WIPE).send(0, 2),
        Scenario { swift: ALL, near: B_C, ..names("names", NOTHING) },
        Scenario { swift: ALL, apart: A_C, ..names("names round a cut", NOTHING) },
    ];
    for scenario in scenarios {
        let all = holds(Scenario { reduced: false, ..scenario.clone() }, &[]);
        let some = holds(scenario, &[]);
        assert!(some.states < all.states);
        assert_eq!((some.ends, some.answers), (all.ends, all.answers));
    }
}

/// A mistake that is planted, where it shows, and how.
type Planted = (Bug, fn() -> Scenario, &'static str);

/// The mistake of this driver; all others are of the core.
const OF_THE_DRIVER: Planted = (Bug::ReusesIncarnation, || group("", A_CRASH).send(0, 2), "");

const OF_THE_CORE: &[Planted] = &[
    (Bug::AnswersBeforeSync, || group("", NOTHING).send(0, 2).send(1, 3), "copies of operation"),
    (Bug::CountsPushedCopies, || Scenario { apart: A_C, ..group("", NOTHING) }.send(0, 2), "copies of operation"),
    (Bug::ConfirmsBeforeSync, || group("", NOTHING).send(0, 2), "its disk has not got it"),
    (Bug::ConfirmsHeld, || group("", NOTHING).send(0, 2).send(1, 3), "its disk has not got it"),
    (Bug::SkipsGap, || group("", A_WIPE).send(0, 2), "which it rests on"),
    (Bug::AppliesBeforeCause, || group("", NOTHING).send(0, 2).send(1, 3), "which it rests on"),
    (Bug::PushesFromEnd, || Scenario { apart: A_C, ..group("", NOTHING) }.send(0, 2), ""),
    (Bug::PullsFromMakerOnly, || group("", A_CRASH).send(0, 2), ""),
    (Bug::ClaimsAlone, || Scenario { swift: ALL, apart: A_C, ..names("", NOTHING) }, "two users"),
    (Bug::IgnoresUnconfirmed, || Scenario { swift: ALL, apart: A_C, ..names("", NOTHING) }, "two users"),
    (Bug::IgnoresLaterConfirmed, || Scenario { swift: ALL, apart: A_C, ..names("", NOTHING) }, "two users"),
    (Bug::LooksOnce, || Scenario { swift: ALL, apart: A_C, ..names("", NOTHING) }, "two users"),
];

fn is_found(&(bug, scenario, how): &Planted) {
    plant(Some(bug));
    let found = search(scenario());
    plant(None);
    let Some(violation) = found.violation else { panic!("{bug:?} is not found in {} states", found.states) };
    let first = violation.lines().next().unwrap_or_default();
    println!("{bug:?}: after {} states, {first}", found.states);
    assert!(first.contains(how), "{bug:?} shows as something else: {violation}");
}

#[test]
fn a_reopened_incarnation_is_found() {
    is_found(&OF_THE_DRIVER);
}

#[test]
fn planted_mistakes_are_found() {
    OF_THE_CORE.iter().for_each(is_found);
}
