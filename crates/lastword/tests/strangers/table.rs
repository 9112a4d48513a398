//! The table of a full run, as `docs/testing.md` has it.

use std::time::Duration;

use crate::judge::Outcome;

/// Kinds of answers that are told of an attack, the most frequent first.
const KINDS: usize = 4;

/// Its head.
pub const HEAD: &str = "| attack | from | quiet p50, p99, ms | attacked p50, p99, ms | times | longest, ms | memory, MiB | in sync | a visitor's login, message, ms | cores of a, b, c, attackers | answers a second |\n|---|---|---|---|---|---|---|---|---|---|---|";

/// The line of an attack.
pub fn line(outcome: &Outcome) -> String {
    let visit = match &outcome.visit {
        Ok((login, sent)) => format!("{}, {}", ms(*login), ms(*sent)),
        Err(_) => "**kept out**".to_owned(),
    };
    let [a, b, c] = outcome.changes.cores;
    format!(
        "| {} | {} | {}, {} | {}, {} | {:.1} | {} | {:.0} | {} | {visit} | {a:.2}, {b:.2}, {c:.2}, {:.2} | {} |",
        outcome.attack.name,
        outcome.form.words(),
        ms(outcome.quiet.p50),
        ms(outcome.quiet.p99),
        ms(outcome.attacked.p50),
        ms(outcome.attacked.p99),
        outcome.times(),
        ms(outcome.attacked.longest),
        outcome.memory_mib(),
        if outcome.changes.out_of_sync == 0 { "yes" } else { "**no**" },
        outcome.attackers_cores,
        answers(outcome),
    )
}

fn answers(outcome: &Outcome) -> String {
    let mut kinds: Vec<(&String, &u64)> = outcome.answered.iter().collect();
    kinds.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(**count));
    let rate = |count: u64| count as f64 / outcome.took.as_secs_f64();
    kinds.iter().take(KINDS).map(|(kind, count)| format!("{kind} {:.0}", rate(**count))).collect::<Vec<_>>().join(", ")
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}
