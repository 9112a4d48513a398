//! The result as tables of Markdown.

use std::fmt::Write as _;

use crate::outcome::{Load, Outcome};

/// What came of all loads on one system.
pub struct Row {
    pub system: String,
    /// One for each load.
    pub outcomes: Vec<Outcome>,
}

/// Tables of what was measured, and of how it stands to the goals. The rows: Lastword, JetStream with every write
/// synced, JetStream as it comes.
pub fn tables(connections: usize, loads: &[Load], rows: &[Row; 3]) -> String {
    let mut text =
        format!("{connections} connection(s): acknowledged a second (p50, p99 in ms), by messages in flight\n\n");
    let mut line = |cells: Vec<String>| {
        // Writing into a string does not fail.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    let head = |first: &str| [first.to_owned()].into_iter().chain(loads.iter().map(|load| load.in_flight.to_string()));
    line(head("").collect());
    line(vec!["---".to_owned(); loads.len() + 1]);
    for row in rows {
        let cell = |outcome: &Outcome| format!("{:.0} ({:.2}, {:.2})", outcome.per_s, outcome.p50, outcome.p99);
        line([row.system.clone()].into_iter().chain(row.outcomes.iter().map(cell)).collect());
    }
    for row in rows {
        let cell = |outcome: &Outcome| {
            let each = |seconds: f64| seconds * 1e6 / outcome.acknowledged as f64;
            format!("{:.1} + {:.1}", each(outcome.servers_cpu_s), each(outcome.generator_cpu_s))
        };
        let first = format!("{}: µs of processor a message, servers + load", row.system);
        line([first].into_iter().chain(row.outcomes.iter().map(cell)).collect());
    }
    let [lastword, always, default] = rows;
    let pairs = |other: &Row| -> Vec<(usize, Outcome, Outcome)> {
        let loads = loads.iter().map(|load| load.in_flight);
        let pairs = loads.zip(&lastword.outcomes).zip(&other.outcomes);
        pairs.map(|((in_flight, one), other)| (in_flight, one.clone(), other.clone())).collect()
    };
    let rates = pairs(always).into_iter().map(|(in_flight, one, other)| {
        verdict(one.per_s / other.per_s, |ratio| ratio >= if in_flight == 1 { 2.0 } else { 3.0 })
    });
    line(["Lastword / JetStream, sync always (goal: 3; 2 at one)".to_owned()].into_iter().chain(rates).collect());
    let tails = pairs(always).into_iter().map(|(_, one, other)| verdict(one.p99 / other.p99, |ratio| ratio <= 0.5));
    line(["its p99 / JetStream's, sync always (goal: at most 0.5)".to_owned()].into_iter().chain(tails).collect());
    let unsynced = pairs(default).into_iter().map(|(in_flight, one, other)| {
        let ratio = one.per_s / other.per_s;
        if in_flight < 64 { format!("{ratio:.2}") } else { verdict(ratio, |ratio| ratio > 1.0) }
    });
    line(["Lastword / JetStream, no sync (goal from 64 up: 1)".to_owned()].into_iter().chain(unsynced).collect());
    text
}

fn verdict(ratio: f64, meets: impl Fn(f64) -> bool) -> String {
    format!("{ratio:.2} {}", if meets(ratio) { "met" } else { "missed" })
}

#[cfg(test)]
mod tests {
    use super::{Row, tables};
    use crate::outcome::{Load, Outcome};

    #[test]
    fn ratios_are_judged_by_their_goals() {
        let row = |system: &str, per_s: [f64; 2], p99| Row {
            system: system.to_owned(),
            outcomes: per_s
                .map(|per_s| Outcome {
                    acknowledged: 1000,
                    per_s,
                    p50: 1.0,
                    p99,
                    wrong: 0,
                    servers_cpu_s: 0.01,
                    generator_cpu_s: 0.002,
                })
                .to_vec(),
        };
        let load = |in_flight| Load { connections: 1, in_flight, seconds: 1, size: 16 };
        let rows = [
            row("Lastword", [2000.0, 59_000.0], 5.0),
            row("always", [1000.0, 20_000.0], 9.0),
            row("default", [4000.0, 50_000.0], 1.0),
        ];
        let text = tables(1, &[load(1), load(64)], &rows);
        assert!(text.contains("| 2.00 met | 2.95 missed |"), "{text}");
        assert!(text.contains("| 0.56 missed | 0.56 missed |"), "{text}");
        assert!(text.contains("| 0.50 | 1.18 met |"), "{text}");
        assert!(text.contains("| 10.0 + 2.0 | 10.0 + 2.0 |"), "{text}");
    }
}
