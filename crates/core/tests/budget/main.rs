//! How long the core is at one thing: the budget of `docs/internals/limits.md`, "What a request may cost".
//!
//! Two replicas are filled to what a client could make of them (`town`). Then each request is carried out at its limits,
//! until all that comes of it is done (`deeds`). Each call of a core on the way is timed: nothing else runs on that thread
//! meanwhile. The same is done several times from the same beginning, and of each call the shortest time counts. So a
//! machine that does other things lengthens nothing, and what the core itself does always shows.
//!
//! ```text
//! cargo test --release -p lastword-core --test budget -- --nocapture      prints the table
//! ```

mod deeds;
mod town;
#[path = "../world/mod.rs"]
mod world;

use std::time::Duration;

use lastword_core::Settings;

use deeds::{ALL, Deed};
use town::Town;
use world::Call;

/// What one call may take.
const BUDGET: Duration = Duration::from_millis(1);
/// How much longer it may take as tests are built by default. (Measured were 1.1 to 1.3 times.)
const UNOPTIMIZED: u32 = if cfg!(debug_assertions) { 2 } else { 1 };
/// How many times each is tried: the shortest time counts.
const TRIES: usize = 5;

/// The longest call that a deed leads to, from how many calls.
fn longest(town: &Town, deed: &Deed) -> (Call, usize) {
    let mut shortest: Vec<Call> = Vec::new();
    for _ in 0..TRIES {
        let mut town = town.clone();
        town.world.calls = Some(Vec::new());
        (deed.run)(&mut town);
        let calls = town.world.calls.take().unwrap_or_default();
        if shortest.is_empty() {
            shortest = calls;
            continue;
        }
        // A world is the same each time: so are its calls.
        assert!(shortest.iter().map(|call| call.input).eq(calls.iter().map(|call| call.input)), "{}", deed.what);
        shortest.iter_mut().zip(calls).for_each(|(shortest, call)| shortest.took = shortest.took.min(call.took));
    }
    (shortest.iter().max().copied().expect("a deed calls the core"), shortest.len())
}

#[test]
#[expect(clippy::print_stdout, reason = "these are the figures of the documentation")]
fn nothing_that_a_client_asks_takes_longer_than_its_budget() {
    let town = Town::new(Settings::default());
    let mut over = Vec::new();
    for deed in ALL {
        let (call, calls) = longest(&town, deed);
        println!("| {} | {} ms | {} of {calls} |", deed.what, call.took.as_micros() as f64 / 1000.0, call.input);
        if call.took > BUDGET * UNOPTIMIZED {
            over.push(format!("{}: {:?} ({})", deed.what, call.took, call.input));
        }
    }
    assert!(over.is_empty(), "longer than {:?}:\n{}", BUDGET * UNOPTIMIZED, over.join("\n"));
}

/// The measure itself: without steps, what concerns many takes longer, and that is noticed.
#[test]
fn a_core_that_does_all_at_once_is_noticed() {
    let town = Town::new(Settings { step: usize::MAX / 8, ..Settings::default() });
    let receipts = ALL.iter().find(|deed| deed.what.contains("receipts")).expect("it is among them");
    let (call, _) = longest(&town, receipts);
    assert!(call.took > BUDGET * UNOPTIMIZED, "{:?} for {} receipts at once", call.took, town::WAITING);
}

/// Whoever adds a request measures it, and whoever measures it writes it down.
#[test]
fn each_request_stands_in_the_documentation() {
    let text = include_str!("../../../../docs/internals/limits.md");
    let (_, section) = text.split_once("\n## What a request may cost\n").expect("the section is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    for op in deeds::OPS {
        assert!(section.contains(&format!("`{op}`")), "`{op}` has no line in `docs/internals/limits.md`");
        let measured = ALL.iter().any(|deed| deed.what.contains(&format!("`{op}`")));
        assert!(measured, "`{op}` is not measured here");
    }
}
