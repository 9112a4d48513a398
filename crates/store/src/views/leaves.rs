//! Sorted sets of byte strings of one length, many to a row.
//!
//! A row of SQLite costs about two microseconds, whatever is in it. The views take in thousands of entries
//! at a time, most of which sort next to each other. So a row (a *leaf*) holds up to [`LEAF_BYTES`] of them,
//! named by the first; leaves do not overlap, like those of a B-tree.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;

/// The most bytes of entries in a leaf: with pages of 16 KiB that is the most that SQLite keeps in the page.
const LEAF_BYTES: usize = 4000;

/// A set: its statements, and the length of an entry.
pub(super) struct Set<const N: usize> {
    covering: &'static str,
    after: &'static str,
    up: &'static str,
    down: &'static str,
    put: &'static str,
    drop: &'static str,
    bytes: &'static str,
}

/// The statements of a set that is kept in a table of this name.
macro_rules! set {
    ($table:literal) => {
        $crate::views::leaves::Set::new(
            concat!("SELECT first, entries FROM ", $table, " WHERE first <= ?1 ORDER BY first DESC LIMIT 1"),
            concat!("SELECT first FROM ", $table, " WHERE first > ?1 ORDER BY first LIMIT 1"),
            concat!("SELECT entries FROM ", $table, " WHERE first > ?1 ORDER BY first"),
            concat!("SELECT entries FROM ", $table, " WHERE first < ?1 ORDER BY first DESC"),
            concat!("INSERT OR REPLACE INTO ", $table, " VALUES (?1, ?2)"),
            concat!("DELETE FROM ", $table, " WHERE first = ?1"),
            concat!("SELECT coalesce(sum(length(entries)), 0) FROM ", $table),
        )
    };
}
pub(super) use set;

/// What is to be done with an entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edit {
    Remove,
    Add,
}

/// A leaf as it was found.
struct Leaf<const N: usize> {
    /// Its name; none where there is no leaf.
    first: Option<Vec<u8>>,
    entries: Vec<[u8; N]>,
}

impl<const N: usize> Set<N> {
    const MOST: usize = LEAF_BYTES / N;

    pub const fn new(
        covering: &'static str,
        after: &'static str,
        up: &'static str,
        down: &'static str,
        put: &'static str,
        drop: &'static str,
        bytes: &'static str,
    ) -> Self {
        Self { covering, after, up, down, put, drop, bytes }
    }

    /// Adds and removes entries. What is there already, or is not, stays so. Says how many more there are now.
    pub fn edit(&self, connection: &Connection, mut edits: Vec<([u8; N], Edit)>) -> Result<i64, StoreError> {
        let mut more = 0;
        edits.sort_unstable();
        let mut rest = edits.as_slice();
        while let Some((next, _)) = rest.first() {
            let leaf = self.covering(connection, next)?;
            let end: Option<Vec<u8>> =
                connection.prepare_cached(self.after)?.query_row([&next[..]], |row| row.get(0)).optional()?;
            let here = end.map_or(rest.len(), |end| rest.partition_point(|(entry, _)| entry[..] < end[..]));
            let (edits, later) = rest.split_at(here);
            more += self.rewrite(connection, &leaf, edits)?;
            rest = later;
        }
        Ok(more)
    }

    /// The leaf that an entry is in, if it is in any.
    fn covering(&self, connection: &Connection, entry: &[u8]) -> Result<Leaf<N>, StoreError> {
        let mut covering = connection.prepare_cached(self.covering)?;
        let mut rows = covering.query([entry])?;
        let Some(row) = rows.next()? else { return Ok(Leaf { first: None, entries: Vec::new() }) };
        let entries = entries(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?).to_vec();
        Ok(Leaf { first: Some(row.get(0)?), entries })
    }

    /// Says how many more entries there are now.
    fn rewrite(&self, connection: &Connection, leaf: &Leaf<N>, edits: &[([u8; N], Edit)]) -> Result<i64, StoreError> {
        let merged = merge(&leaf.entries, edits);
        if let Some(first) = &leaf.first
            && merged.first().is_none_or(|entry| entry[..] != first[..])
        {
            connection.prepare_cached(self.drop)?.execute([first])?;
        }
        // What goes on at the end fills leaf after leaf; what comes in between splits one evenly.
        let appends = edits.first().map(|(entry, _)| entry) > leaf.entries.last();
        let most = if appends { Self::MOST } else { merged.len().div_ceil(merged.len().div_ceil(Self::MOST).max(1)) };
        let mut put = connection.prepare_cached(self.put)?;
        for piece in merged.chunks(most.max(1)) {
            put.execute(params![&piece[0][..], piece.as_flattened()])?;
        }
        Ok(merged.len() as i64 - leaf.entries.len() as i64)
    }

    /// How many entries there are. Looks at every leaf.
    pub fn count(&self, connection: &Connection) -> Result<u64, StoreError> {
        let bytes: i64 = connection.query_row(self.bytes, [], |row| row.get(0))?;
        Ok(bytes as u64 / N as u64)
    }

    /// Looks at the entries from a prefix on, upwards, until it is told to stop.
    ///
    /// # Errors
    /// The set can't be read.
    pub fn up(
        &self,
        connection: &Connection,
        from: &[u8],
        mut take: impl FnMut(&[u8; N]) -> bool,
    ) -> Result<(), StoreError> {
        let Leaf { first, entries: leaf } = self.covering(connection, from)?;
        if !leaf.iter().filter(|entry| entry[..] >= *from).all(&mut take) {
            return Ok(());
        }
        let mut leaves = connection.prepare_cached(self.up)?;
        let mut rows = leaves.query([first.as_deref().unwrap_or_default()])?;
        while let Some(row) = rows.next()? {
            let leaf = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            if !entries(leaf).iter().filter(|entry| entry[..] >= *from).all(&mut take) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks at the entries before one, downwards, until it is told to stop.
    ///
    /// # Errors
    /// The set can't be read.
    pub fn down(
        &self,
        connection: &Connection,
        before: &[u8],
        mut take: impl FnMut(&[u8; N]) -> bool,
    ) -> Result<(), StoreError> {
        let mut leaves = connection.prepare_cached(self.down)?;
        let mut rows = leaves.query([before])?;
        while let Some(row) = rows.next()? {
            let leaf = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            if !entries(leaf).iter().rev().filter(|entry| entry[..] < *before).all(&mut take) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The last entry of each prefix, in the order of the prefixes, which must be sorted.
    ///
    /// # Errors
    /// The set can't be read.
    pub fn find<const P: usize>(
        &self,
        connection: &Connection,
        prefixes: impl Iterator<Item = [u8; P]>,
    ) -> Result<Vec<Option<[u8; N]>>, StoreError> {
        let mut found = Vec::new();
        let mut leaf: Vec<[u8; N]> = Vec::new();
        // Everything below this is in the leaf, if it is anywhere.
        let mut end: Option<Vec<u8>> = Some(Vec::new());
        for prefix in prefixes {
            // Of an entry that begins with it, all that follows is at most this.
            let mut last = [u8::MAX; N];
            last[..P].copy_from_slice(&prefix);
            if end.as_ref().is_some_and(|end| last[..] >= end[..]) {
                leaf = self.covering(connection, &last)?.entries;
                end = connection.prepare_cached(self.after)?.query_row([&last[..]], |row| row.get(0)).optional()?;
            }
            let at = leaf.partition_point(|entry| *entry <= last);
            let below = at.checked_sub(1).map(|at| leaf[at]);
            found.push(below.filter(|entry| entry[..P] == prefix));
        }
        Ok(found)
    }
}

/// What is not made of whole entries has been damaged: what is left of it is nothing.
fn entries<const N: usize>(leaf: &[u8]) -> &[[u8; N]] {
    leaf.as_chunks().0
}

fn merge<const N: usize>(leaf: &[[u8; N]], edits: &[([u8; N], Edit)]) -> Vec<[u8; N]> {
    let mut merged = Vec::with_capacity(leaf.len() + edits.len());
    let mut old = leaf.iter().peekable();
    for (n, (entry, edit)) in edits.iter().enumerate() {
        while let Some(before) = old.next_if(|old| *old < entry) {
            merged.push(*before);
        }
        // Of several edits of one entry the last one counts.
        if edits.get(n + 1).is_some_and(|(next, _)| next == entry) {
            continue;
        }
        old.next_if(|old| *old == entry);
        if *edit == Edit::Add {
            merged.push(*entry);
        }
    }
    merged.extend(old);
    merged
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::{Edit, Set};

    const SET: Set<100> = set!("test");

    fn entry(n: u16) -> [u8; 100] {
        let mut entry = [0; 100];
        entry[..2].copy_from_slice(&n.to_be_bytes());
        entry[99] = 7;
        entry
    }

    fn number(entry: &[u8; 100]) -> u16 {
        u16::from_be_bytes([entry[0], entry[1]])
    }

    proptest! {
        /// It is what a set in memory is, whatever was put in and taken out in which pieces.
        #[test]
        fn it_is_a_sorted_set(
            batches in prop::collection::vec(prop::collection::vec((0..600_u16, any::<bool>()), 0..150), 1..12),
            from in 0..600_u16,
        ) {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute("CREATE TABLE test (first BLOB PRIMARY KEY, entries BLOB) WITHOUT ROWID", []).unwrap();
            let (mut model, mut count) = (BTreeSet::new(), 0);
            for batch in batches {
                let mut edits = std::collections::BTreeMap::new();
                for (n, add) in batch {
                    edits.insert(n, add);
                }
                for (&n, &add) in &edits {
                    if add { model.insert(n) } else { model.remove(&n) };
                }
                let edit = |add| if add { Edit::Add } else { Edit::Remove };
                let edits = edits.into_iter().map(|(n, add)| (entry(n), edit(add))).collect();
                count += SET.edit(&connection, edits).unwrap();
                prop_assert_eq!(count, model.len() as i64);
            }
            prop_assert_eq!(SET.count(&connection).unwrap(), model.len() as u64);
            let (mut up, mut down) = (Vec::new(), Vec::new());
            SET.up(&connection, &from.to_be_bytes(), |entry| { up.push(number(entry)); true }).unwrap();
            SET.down(&connection, &from.to_be_bytes(), |entry| { down.push(number(entry)); true }).unwrap();
            prop_assert_eq!(up, model.range(from..).copied().collect::<Vec<_>>());
            prop_assert_eq!(down, model.range(..from).rev().copied().collect::<Vec<_>>());
            let found = SET.find(&connection, (0..600_u16).map(u16::to_be_bytes)).unwrap();
            let there = (0..600).map(|n| model.contains(&n).then(|| entry(n))).collect::<Vec<_>>();
            prop_assert_eq!(found, there);
            let most: i64 = connection.query_row("SELECT coalesce(max(length(entries)), 0) FROM test", [], |row| row.get(0)).unwrap();
            prop_assert!(most <= super::LEAF_BYTES as i64);
        }
    }
}
