//! Where an incarnation's facts are in the log, roughly.
//!
//! An index on positions would make appending four to five times dearer. Instead some facts are
//! *marked*: the first one of each incarnation, then one that is [`MARK_FACTS`] facts or
//! [`MARK_PLACES`] places after the last marked one. So a fact is always less than [`MARK_PLACES`]
//! places after the nearest mark at or below it, however the incarnations are mixed: looking for one is
//! bounded, whether it is there or not.

use std::collections::BTreeMap;

use lastword_facts::ids::{Incarnation, LogIndex, Position, Seq};
use rusqlite::{Connection, OptionalExtension, params};

use crate::sql::{Whole, small};

/// At least one fact in so many of an incarnation is marked.
const MARK_FACTS: u64 = 256;
/// No fact is so many places or more after its mark.
const MARK_PLACES: u64 = 4096;

/// The last mark of each incarnation.
#[derive(Default)]
pub(crate) struct Marks(BTreeMap<Incarnation, (Seq, LogIndex)>);

impl Marks {
    /// Reads them: one step an incarnation, whatever the size of the log.
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut last = connection.prepare(
            "SELECT incarnation, seq, place FROM marks WHERE incarnation >= ?1
             ORDER BY incarnation, seq DESC LIMIT 1",
        )?;
        let mut marks = BTreeMap::new();
        let mut from = Some(0);
        while let Some(incarnation) = from {
            let found: Option<(Whole, i64, i64)> =
                last.query_row([Whole(incarnation)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
            let Some((incarnation, seq, place)) = found else { break };
            marks.insert(Incarnation(incarnation.0), (Seq(seq as u64), LogIndex(place as u64)));
            from = incarnation.0.checked_add(1);
        }
        Ok(Self(marks))
    }

    /// Whether the fact that comes to this place is to be marked.
    pub(crate) fn due(&self, position: Position, place: LogIndex) -> bool {
        match self.0.get(&position.incarnation) {
            None => true,
            // A fact whose record was damaged can come in once more: it was marked, if it was to be.
            Some((seq, _)) if position.seq <= *seq => false,
            Some((seq, at)) => position.seq.0 - seq.0 >= MARK_FACTS || place.0 - at.0 >= MARK_PLACES,
        }
    }

    /// Marks a fact.
    pub(crate) fn put(&mut self, connection: &Connection, at: Position, place: LogIndex) -> rusqlite::Result<()> {
        connection.prepare_cached("INSERT OR REPLACE INTO marks VALUES (?1, ?2, ?3)")?.execute(params![
            Whole::from(at.incarnation),
            small(at.seq.0),
            small(place.0)
        ])?;
        self.0.insert(at.incarnation, (at.seq, place));
        Ok(())
    }
}

/// From which place on, and before which one, a fact is, if it is there at all.
pub(crate) fn window(connection: &Connection, position: Position) -> rusqlite::Result<Option<(u64, u64)>> {
    let place: Option<i64> = connection
        .prepare_cached("SELECT place FROM marks WHERE incarnation = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1")?
        .query_row(params![Whole::from(position.incarnation), small(position.seq.0)], |row| row.get(0))
        .optional()?;
    Ok(place.map(|place| (place as u64, (place as u64).saturating_add(MARK_PLACES))))
}

/// Whether a fact of the same incarnation is there that comes after this position: then the log should
/// hold this one too.
pub(crate) fn is_passed(connection: &Connection, position: Position) -> rusqlite::Result<bool> {
    let (incarnation, seq) = (Whole::from(position.incarnation), small(position.seq.0));
    let marked: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM marks WHERE incarnation = ?1 AND seq > ?2)")?
        .query_row(params![incarnation, seq], |row| row.get(0))?;
    match window(connection, position)?.filter(|_| !marked) {
        None => Ok(marked),
        Some((start, end)) => connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM log
                 WHERE place >= ?1 AND place < ?2 AND incarnation = ?3 AND seq > ?4)",
            )?
            .query_row(params![small(start), small(end), incarnation, seq], |row| row.get(0)),
    }
}
