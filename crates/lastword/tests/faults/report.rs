//! The tables at the end of a run.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::faults::Kind;
use crate::group::NAMES;
use crate::shared::Shared;
use crate::tally::Outcome;
use crate::usage::Usage;

/// What a run has shown.
pub fn of(shared: &Shared, made: &BTreeMap<Kind, u64>, kinds: &[Kind], usage: &Usage) -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = write(&mut text, shared, made, kinds, usage);
    text
}

fn write(
    text: &mut String,
    shared: &Shared,
    made: &BTreeMap<Kind, u64>,
    kinds: &[Kind],
    usage: &Usage,
) -> std::fmt::Result {
    writeln!(text, "\n{:<32} {:>6}", "fault", "times")?;
    for kind in kinds {
        writeln!(text, "{kind:<32} {:>6}", made.get(kind).copied().unwrap_or(0))?;
    }
    writeln!(
        text,
        "\n{:<16} {:>8} {:>8} {:>10} {:>9} {:>9} {:>11}  refused as",
        "operation", "done", "refused", "unanswered", "p50 ms", "p99 ms", "longest ms"
    )?;
    let tally = shared.tally();
    for (deed, outcome) in &tally.deeds {
        write_deed(text, deed, outcome)?;
    }
    let longest = tally.deeds.iter().max_by_key(|(_, outcome)| outcome.waits.max());
    if let Some((deed, outcome)) = longest {
        writeln!(text, "longest wait of a client for an answer: {} ms ({deed})", outcome.waits.max() / 1000)?;
    }
    writeln!(text)?;
    for (event, count) in &tally.events {
        writeln!(text, "{count:>8} {event}")?;
    }
    drop(tally);
    write_usage(text, usage)?;
    let checker = shared.checker();
    let (sent, acknowledged, shown) = checker.counts();
    let excused = checker.excused;
    writeln!(text, "\nmessages: {sent} sent, {acknowledged} acknowledged, {shown} shown")?;
    writeln!(
        text,
        "not held against anybody: {} refused or not answered, {} shown again to a client that was started anew, {} shown late by a damaged disk, {} gone with the only disk that had them, {} names of people who were told that they are taken",
        excused.unknown, excused.again, excused.hurt, excused.only_disk, excused.refused_owner
    )?;
    let lost = checker.violations().iter().filter(|violation| violation.starts_with("lost")).count();
    if lost > 0 || checker.was_judged {
        writeln!(text, "what was lost: {lost}")
    } else {
        writeln!(text, "what was lost: not known, the run ended before that could be told")
    }
}

fn write_deed(text: &mut String, deed: &str, outcome: &Outcome) -> std::fmt::Result {
    let refused: u64 = outcome.refused.values().sum();
    let codes: Vec<String> = outcome.refused.iter().map(|(code, count)| format!("{code} {count}")).collect();
    let ms = |us: u64| us as f64 / 1000.0;
    writeln!(
        text,
        "{deed:<16} {:>8} {refused:>8} {:>10} {:>9.1} {:>9.1} {:>11.1}  {}",
        outcome.done,
        outcome.unanswered,
        ms(outcome.waits.value_at_quantile(0.5)),
        ms(outcome.waits.value_at_quantile(0.99)),
        ms(outcome.waits.max()),
        codes.join(", ")
    )
}

/// The most of each third of the run.
fn write_usage(text: &mut String, usage: &Usage) -> std::fmt::Result {
    writeln!(text, "\n{:<10} {:>28} {:>28} {:>28}", "replica", "first third", "second third", "last third")?;
    writeln!(text, "{:<10} {:>28} {:>28} {:>28}", "", "MiB: middle, most; files", "", "")?;
    for (replica, name) in NAMES.iter().enumerate() {
        let thirds = [0, 1, 2].map(|third| match usage.third(replica, third) {
            Some(third) => format!("{:.0}, {:.0}; {}", third.usual_mib, third.most_mib, third.files),
            None => "not seen".to_owned(),
        });
        writeln!(text, "{name:<10} {:>28} {:>28} {:>28}", thirds[0], thirds[1], thirds[2])?;
    }
    Ok(())
}
