//! What the core reports, as log lines for a person. Who reads them with a program finds the replica they are about in
//! the field `peer`.
//!
//! A disk that has gone bad may have a hundred thousand damaged records. The first few have a line each, and after that there
//! is one line in a while that says how many more there were (each by itself at `debug`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lastword_core::io::{Leave, ReplicaId, Report};
use tracing::{Level, field};

use crate::group::Group;

/// Of what there may be many of, the first few have lines of their own; those after them are counted for this time.
const FEW: u64 = 4;
const TOGETHER: Duration = Duration::from_secs(5);
/// A link that takes the place of another one is in sync within this time, or it is said that it is not: a round trip, as a rule.
const REPLACED: Duration = Duration::from_secs(2);

/// Says in the log what is reported.
pub(crate) struct Reports {
    group: Group,
    /// What was said lately, since when, and how often it has happened since.
    many: BTreeMap<Kind, (Instant, u64)>,
    /// Replicas that were in sync on a link in whose place there is another one, and since when.
    replaced: BTreeMap<ReplicaId, Instant>,
}

/// What there may be many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Ignored,
    NotUnderstood,
    Damaged,
    Lost,
    Repaired,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    level: Level,
    peer: Option<ReplicaId>,
    text: String,
}

impl Reports {
    pub(crate) fn new(group: &Group) -> Self {
        Self { group: group.clone(), many: BTreeMap::new(), replaced: BTreeMap::new() }
    }

    /// The core reports this.
    pub(crate) fn log(&mut self, report: &Report) {
        if let Some(line) = self.line(report, Instant::now()) {
            line.say();
        }
    }

    /// Says what is due. To be called now and then.
    pub(crate) fn settle(&mut self) {
        if !self.many.is_empty() || !self.replaced.is_empty() {
            self.due(Instant::now()).iter().for_each(Line::say);
        }
    }

    /// What is to be said of this now.
    fn line(&mut self, report: &Report, now: Instant) -> Option<Line> {
        match report {
            Report::OutOfSync(peer, Leave::Replaced) => {
                self.replaced.entry(*peer).or_insert(now);
                return None;
            }
            // It was so all the time, as far as anybody has heard.
            Report::InSync(peer) if self.replaced.remove(peer).is_some() => return None,
            Report::OutOfSync(peer, _) => drop(self.replaced.remove(peer)),
            _ => {}
        }
        let mut line = describe(&self.group, report);
        if let Some(kind) = Kind::of(report) {
            let (_, count) = self.many.entry(kind).or_insert((now, 0));
            *count += 1;
            if *count > FEW {
                line.level = Level::DEBUG;
            }
        }
        Some(line)
    }

    /// What is to be said by now, if nothing more has happened.
    fn due(&mut self, now: Instant) -> Vec<Line> {
        let mut lines = Vec::new();
        self.many.retain(|kind, (since, count)| {
            if now.duration_since(*since) < TOGETHER {
                return true;
            }
            lines.extend(kind.more(count.saturating_sub(FEW)));
            // While there are many, they go on being counted.
            let are_many = *count > FEW;
            (*since, *count) = (now, FEW);
            are_many
        });
        let group = &self.group;
        self.replaced.retain(|&peer, since| {
            let is_late = now.duration_since(*since) >= REPLACED;
            if is_late {
                let text = format!(
                    "{} is out of sync: another connection to it has taken the place of the one that was in sync",
                    group.describe(peer)
                );
                lines.push(Line { level: Level::WARN, peer: Some(peer), text });
            }
            !is_late
        });
        lines
    }
}

impl Drop for Reports {
    /// What was counted is said before the end.
    fn drop(&mut self) {
        self.many
            .iter()
            .filter_map(|(kind, &(_, count))| kind.more(count.saturating_sub(FEW)))
            .for_each(|line| line.say());
    }
}

impl Kind {
    fn of(report: &Report) -> Option<Self> {
        Some(match report {
            Report::Ignored(..) => Self::Ignored,
            Report::NotUnderstood(..) => Self::NotUnderstood,
            Report::Damaged(_) => Self::Damaged,
            Report::Lost(_) => Self::Lost,
            Report::Repaired(_) => Self::Repaired,
            _ => return None,
        })
    }

    /// So many more of them since the last line.
    fn more(self, more: u64) -> Option<Line> {
        let (level, what) = match self {
            Self::Ignored => (Level::WARN, "facts are kept and ignored"),
            Self::NotUnderstood => (
                Level::WARN,
                "facts are of kinds that a newer lastword wrote: they are kept until this replica is upgraded",
            ),
            Self::Damaged => (Level::ERROR, "records in log.db are damaged: fetching them from the other replicas"),
            Self::Lost => (
                Level::ERROR,
                "facts are damaged here and missing on every other replica: they are lost, and their places are left empty",
            ),
            Self::Repaired => (Level::INFO, "records are repaired"),
        };
        (more > 0).then(|| Line { level, peer: None, text: format!("{more} more {what}") })
    }
}

impl Line {
    fn say(&self) {
        let (peer, text) = (self.peer.map(|peer| field::display(peer.name())), &self.text);
        match self.level {
            Level::ERROR => tracing::error!(peer, "{text}"),
            Level::WARN => tracing::warn!(peer, "{text}"),
            Level::INFO => tracing::info!(peer, "{text}"),
            _ => tracing::debug!(peer, "{text}"),
        }
    }
}

/// A report by itself.
fn describe(group: &Group, report: &Report) -> Line {
    let of = |replica: &ReplicaId| group.describe(*replica);
    let (level, peer, text) = match report {
        Report::InSync(peer) => (Level::INFO, Some(*peer), format!("{} is in sync", of(peer))),
        Report::OutOfSync(peer, why) => {
            let why = match why {
                Leave::Disconnected | Leave::Replaced => "its connection has ended",
                Leave::Silent => "nothing came from it for 2 s",
                Leave::Slow => "its disk or the way to it takes more than 1 s",
            };
            (Level::WARN, Some(*peer), format!("{} is out of sync: {why}", of(peer)))
        }
        Report::WrongGroup(peer) => (
            Level::ERROR,
            Some(*peer),
            format!(
                "{} has another list of the group: start every replica with the same --group, in the same order",
                of(peer)
            ),
        ),
        Report::Ignored(position, why) => {
            (Level::WARN, None, format!("the fact {position:?} is kept and ignored: {why}"))
        }
        Report::NotUnderstood(position, kind) => (
            Level::WARN,
            None,
            format!(
                "the fact {position:?} is of kind {kind}, which a newer lastword wrote: it is kept until this replica is upgraded"
            ),
        ),
        Report::Damaged(position) => (
            Level::ERROR,
            None,
            format!("the record of fact {position:?} in log.db is damaged: fetching it from the other replicas"),
        ),
        Report::Lost(position) => (
            Level::ERROR,
            None,
            format!(
                "the fact {position:?} is damaged here and missing on every other replica: it is lost, and its place is left empty"
            ),
        ),
        Report::Repaired(position) => (Level::INFO, None, format!("the record of fact {position:?} is repaired")),
        Report::HoldFull => (
            Level::DEBUG,
            None,
            "no room for facts that arrived too early: they will be requested again".to_owned(),
        ),
        Report::ClocksDiffer(peer) => (
            Level::WARN,
            Some(*peer),
            format!(
                "the clocks of this replica and of {} differ by more than an hour: unused sessions are kept until they agree",
                of(peer)
            ),
        ),
        Report::ClockWasSet => (
            Level::WARN,
            None,
            "the clock was set by more than an hour since this server started: unused sessions are kept until it is restarted"
                .to_owned(),
        ),
        Report::NotStaleAnyMore => {
            (Level::INFO, None, "caught up: this replica is no longer stale".to_owned())
        }
    };
    Line { level, peer, text }
}

#[cfg(test)]
mod tests {
    use lastword_facts::ids::{Incarnation, Position, Seq};

    use super::*;
    use crate::Options;

    fn reports() -> Reports {
        let options = Options::new("127.0.0.1:65433".parse().expect("an address"), "nowhere".into());
        let key = crate::ClusterKey::generate().expect("randomness");
        Reports::new(&Group::new(&Options { key: Some(key), ..options }).expect("a group"))
    }

    /// What is said at the usual level.
    fn said(lines: impl IntoIterator<Item = Line>) -> Vec<String> {
        lines.into_iter().filter(|line| line.level <= Level::INFO).map(|line| line.text).collect()
    }

    fn damaged(seq: u64) -> Report {
        Report::Damaged(Position { incarnation: Incarnation(1), seq: Seq(seq) })
    }

    #[test]
    fn many_damaged_records_are_a_line_now_and_then() {
        let (mut reports, began) = (reports(), Instant::now());
        let mut lines = Vec::new();
        // A hundred thousand in ten seconds.
        for n in 0..100_000 {
            let now = began + Duration::from_micros(100 * n);
            lines.extend(reports.line(&damaged(n), now));
            lines.extend(reports.due(now));
        }
        lines.extend(reports.due(began + Duration::from_secs(60)));
        let lines = said(lines);
        assert_eq!(lines.len(), 6, "{:?} …", &lines[..lines.len().min(8)]);
        assert!(lines[0].contains("fact") && lines[4].starts_with("49997 more records"), "{lines:?}");
        assert!(lines[5].starts_with("49999 more records"), "{lines:?}");
        assert!(reports.due(began + Duration::from_secs(120)).is_empty());
        assert!(reports.many.is_empty());
        let later = began + Duration::from_secs(130);
        assert_eq!(said(reports.line(&damaged(7), later)).len(), 1, "after a while each has its line again");
    }

    #[test]
    fn a_link_that_was_only_replaced_says_nothing() {
        let (mut reports, now, peer) = (reports(), Instant::now(), ReplicaId(0));
        assert_eq!(said(reports.line(&Report::InSync(peer), now)).len(), 1);
        assert_eq!(reports.line(&Report::OutOfSync(peer, Leave::Replaced), now), None);
        assert_eq!(reports.line(&Report::InSync(peer), now + REPLACED / 2), None);
        assert!(reports.due(now + REPLACED * 2).is_empty());
        // One that does not come in sync does.
        assert_eq!(reports.line(&Report::OutOfSync(peer, Leave::Replaced), now), None);
        assert!(reports.due(now + REPLACED / 2).is_empty());
        let lines = said(reports.due(now + REPLACED));
        assert!(lines.len() == 1 && lines[0].contains("is out of sync"), "{lines:?}");
        assert_eq!(said(reports.line(&Report::InSync(peer), now + REPLACED * 2)).len(), 1);
        let gone = said(reports.line(&Report::OutOfSync(peer, Leave::Disconnected), now));
        assert_eq!(gone.len(), 1);
    }
}
