//! The log: written, read back, damaged, mended, full.

mod common;

use std::sync::Arc;

use common::{at, data, fill, some_fact};
use lastword_facts::Fact;
use lastword_facts::ids::{LogIndex, Position, Seq};
use lastword_facts::views::Found;
use lastword_store::{AppendError, Damaged, DataDir, Log, LogReader, OpenError, StoreError};
use rusqlite::{Connection, params};

fn pull(reader: &LogReader, from: Position, upto: u64, limit_bytes: u32) -> (Vec<Arc<Fact>>, Option<Position>) {
    match reader.facts(from, Seq(upto), limit_bytes).unwrap() {
        Found::Facts { facts, damaged } => (facts, damaged),
        other => panic!("{other:?}"),
    }
}

fn tail(reader: &LogReader, after: u64) -> Vec<(LogIndex, Result<Arc<Fact>, Damaged>)> {
    let mut all = Vec::new();
    reader.tail(LogIndex(after), u64::MAX, |index, fact| all.push((index, fact))).unwrap();
    all
}

/// Does something to the log's file behind its back.
fn meddle(dir: &DataDir, sql: &str) {
    let connection = Connection::open(dir.path().join("log.db")).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
}

/// Turns a bit in the middle of a fact.
fn flip(dir: &DataDir, place: u64) {
    let connection = Connection::open(dir.path().join("log.db")).unwrap();
    let mut fact: Vec<u8> =
        connection.query_row("SELECT fact FROM log WHERE place = ?1", [place as i64], |row| row.get(0)).unwrap();
    let middle = fact.len() / 2;
    fact[middle] ^= 4;
    connection.execute("UPDATE log SET fact = ?2 WHERE place = ?1", params![place as i64, fact]).unwrap();
}

#[test]
fn what_was_appended_is_there_after_reopening() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    assert_eq!(log.end(), LogIndex::NONE);
    let mut written = fill(&mut log, 1..=3);
    written.extend(fill(&mut log, 4..=5));
    drop(log);
    let mut log = Log::open(&dir).unwrap();
    assert_eq!(log.end(), LogIndex(5));
    assert_eq!(log.append(&[]).unwrap(), LogIndex(5));
    written.extend(fill(&mut log, 6..=6));
    let reader = LogReader::open(&dir).unwrap();
    let read = tail(&reader, 0);
    let places: Vec<u64> = read.iter().map(|(index, _)| index.0).collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6]);
    let facts: Vec<_> = read.into_iter().map(|(_, fact)| fact.unwrap()).collect();
    assert_eq!(facts, written);
    assert_eq!(tail(&reader, 4).len(), 2);
}

#[test]
fn a_reader_sees_what_is_appended_after_it_was_opened() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    let reader = LogReader::open(&dir).unwrap();
    assert!(tail(&reader, 0).is_empty());
    fill(&mut log, 1..=2);
    assert_eq!(tail(&reader, 0).len(), 2);
}

#[test]
fn a_directory_has_one_owner() {
    let (_parent, dir) = data();
    let error = DataDir::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse(_)));
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
    let path = dir.path().to_owned();
    drop(dir);
    DataDir::open(path).unwrap();
}

#[test]
fn a_file_is_no_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = DataDir::open(file.path()).unwrap_err();
    assert!(error.to_string().contains("check that it is a directory"), "{error}");
}

#[test]
fn a_newer_format_is_refused() {
    let (_parent, dir) = data();
    drop(Log::open(&dir).unwrap());
    meddle(&dir, "UPDATE meta SET value = 7 WHERE name = 'format'");
    let error = Log::open(&dir).err().unwrap();
    assert!(matches!(error, OpenError::Newer { found: 7, known: 1, .. }));
    assert!(error.to_string().contains("use a newer lastword"), "{error}");
}

#[test]
fn a_file_that_is_no_log_is_damaged() {
    let (_parent, dir) = data();
    std::fs::write(dir.path().join("log.db"), "this is no database, whatever its name says".repeat(200)).unwrap();
    let error = Log::open(&dir).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("move the directory away and start again"), "{error}");
}

#[test]
fn a_database_of_another_make_is_damaged() {
    for sql in ["CREATE TABLE other (n)", "CREATE TABLE meta (name, value)"] {
        let (_parent, dir) = data();
        Connection::open(dir.path().join("log.db")).unwrap().execute_batch(sql).unwrap();
        if sql.contains("meta") {
            assert!(matches!(Log::open(&dir).err().unwrap(), OpenError::Damaged { .. }));
        } else {
            // Nothing of ours is there: it is taken as new, and the other table is left alone.
            Log::open(&dir).unwrap();
        }
    }
}

/// Moving the directory away would not help, and the advice would cost the only copy.
#[test]
fn what_the_machine_refuses_is_not_called_damaged() {
    let (_parent, dir) = data();
    std::fs::create_dir(dir.path().join("log.db")).unwrap();
    let error = Log::open(&dir).err().unwrap();
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
}

#[test]
fn being_alone_is_kept() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    assert!(!log.alone());
    log.set_alone(true).unwrap();
    drop(log);
    assert!(Log::open(&dir).unwrap().alone());
}

#[test]
fn a_damaged_record_is_reported_and_its_neighbours_are_served() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    let facts = fill(&mut log, 1..=9);
    flip(&dir, 5);
    let reader = LogReader::open(&dir).unwrap();
    let damaged = Damaged { index: LogIndex(5), position: at(1, 5) };
    for (index, fact) in tail(&reader, 0) {
        match fact {
            Ok(fact) => assert_eq!(fact, facts[index.0 as usize - 1]),
            Err(found) => assert_eq!((found, index), (damaged, LogIndex(5))),
        }
    }
    assert_eq!(pull(&reader, at(1, 1), 9, 1 << 20), (facts[..4].to_vec(), Some(at(1, 5))));
    assert_eq!(pull(&reader, at(1, 5), 9, 1 << 20), (Vec::new(), Some(at(1, 5))));
    assert_eq!(pull(&reader, at(1, 6), 9, 1 << 20), (facts[5..].to_vec(), None));

    assert!(!log.repair(&facts[3], false).unwrap(), "a good record is left alone");
    assert!(!log.repair(&some_fact(at(1, 10)), false).unwrap(), "there is no such record");
    assert!(log.repair(&facts[4], false).unwrap());
    assert!(!log.repair(&facts[4], false).unwrap());
    assert_eq!(pull(&reader, at(1, 1), 9, 1 << 20), (facts.clone(), None));
    assert!(tail(&reader, 0).iter().all(|(_, fact)| fact.is_ok()));
}

/// The fact's own bytes say which it is; a pull goes by the columns, and says that they are damaged.
#[test]
fn damage_of_any_column_is_found_and_mended() {
    let damages = [
        "seq = 77",
        "incarnation = incarnation + 1",
        "checksum = -1",
        "checksum = 'what'",
        "fact = 'text'",
        "fact = x''",
    ];
    for damage in damages {
        let (_parent, dir) = data();
        let mut log = Log::open(&dir).unwrap();
        let facts = fill(&mut log, 1..=9);
        meddle(&dir, &format!("UPDATE log SET {damage} WHERE place = 5"));
        let reader = LogReader::open(&dir).unwrap();
        assert_eq!(pull(&reader, at(1, 1), 9, 1 << 20), (facts[..4].to_vec(), Some(at(1, 5))), "{damage}");
        for (index, fact) in tail(&reader, 0) {
            match fact {
                Ok(fact) => assert_eq!(fact, facts[index.0 as usize - 1], "{damage}"),
                Err(damaged) => assert_eq!(damaged.position, at(1, 5), "{damage}"),
            }
        }
        assert!(log.repair(&facts[4], false).unwrap(), "{damage}");
        assert_eq!(pull(&reader, at(1, 1), 9, 1 << 20), (facts, None), "{damage}");
    }
}

#[test]
fn missing_records_are_not_passed_over() {
    let (_parent, dir) = data();
    fill(&mut Log::open(&dir).unwrap(), 1..=9);
    meddle(&dir, "DELETE FROM log WHERE place IN (4, 5)");
    let reader = LogReader::open(&dir).unwrap();
    let error = reader.tail(LogIndex(2), u64::MAX, |_, _| {}).unwrap_err();
    assert!(matches!(error, StoreError::Missing { from: 4, upto: 5 }), "{error}");
}

/// A record that was damaged when the log was read comes in once more at the end; then the first one
/// is mended too.
#[test]
fn a_fact_may_be_in_the_log_twice() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    let facts = fill(&mut log, 1..=600);
    log.append(&[facts[0].clone(), facts[299].clone(), some_fact(at(1, 601))]).unwrap();
    let reader = LogReader::open(&dir).unwrap();
    let (found, damaged) = pull(&reader, at(1, 1), 700, u32::MAX);
    assert_eq!((found.len(), damaged), (601, None));
    assert!(found.iter().zip(1..).all(|(fact, seq)| fact.position == at(1, seq)));
}

/// Three incarnations, mixed unevenly; the third is so rare that a mark in 256 of its facts would be
/// thousands of records away.
#[test]
fn every_pull_finds_exactly_its_facts() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    let incarnations = [u64::MAX, 1, 1 << 63];
    let mut seqs = [0; 3];
    let mut batch = Vec::new();
    for n in 0..2000_u64 {
        let which = if n % 500 == 7 { 2 } else { (n * n % 7 % 2) as usize };
        seqs[which] += 1;
        batch.push(some_fact(at(incarnations[which], seqs[which])));
        if batch.len() == 37 {
            log.append(&std::mem::take(&mut batch)).unwrap();
        }
        // Marks go on after a restart where they were.
        if n == 1000 {
            drop(log);
            log = Log::open(&dir).unwrap();
        }
    }
    log.append(&batch).unwrap();
    let reader = LogReader::open(&dir).unwrap();
    for (incarnation, last) in incarnations.into_iter().zip(seqs) {
        for from in (1..=last + 2).step_by(1 + last as usize / 150) {
            for upto in [from, from + 1, from + 255, from + 256, from + 600, u64::MAX >> 1] {
                let (facts, damaged) = pull(&reader, at(incarnation, from), upto, u32::MAX);
                let found: Vec<Position> = facts.iter().map(|fact| fact.position).collect();
                let right: Vec<Position> = (from..=upto.min(last)).map(|seq| at(incarnation, seq)).collect();
                assert_eq!((found, damaged), (right, None), "{incarnation:x} from {from} upto {upto}");
            }
        }
    }
    assert_eq!(pull(&reader, at(5, 1), 9, u32::MAX), (Vec::new(), None), "an unknown incarnation");
}

#[test]
fn a_rare_incarnation_is_found_among_many_records() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    let mut seq = 0;
    for rare in 1..=4 {
        log.append(&[some_fact(at(2, rare))]).unwrap();
        let others: Vec<_> = (0..5000)
            .map(|_| {
                seq += 1;
                some_fact(at(1, seq))
            })
            .collect();
        log.append(&others).unwrap();
    }
    let reader = LogReader::open(&dir).unwrap();
    for from in 1..=4 {
        let (facts, damaged) = pull(&reader, at(2, from), 9, u32::MAX);
        assert_eq!((facts.len() as u64, damaged), (5 - from, None));
    }
    let (facts, damaged) = pull(&reader, at(1, 1), 20_000, u32::MAX);
    assert_eq!((facts.len(), damaged), (20_000, None), "across many marks, and everywhere between them");
    let marks: i64 = Connection::open(dir.path().join("log.db"))
        .unwrap()
        .query_row("SELECT count(*) FROM marks", [], |row| row.get(0))
        .unwrap();
    assert_eq!(marks, 4 + (20_000_i64 + 255) / 256, "every rare one, and one in 256 of the others");
}

#[test]
fn a_pull_keeps_to_its_bytes_but_for_the_first() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    let facts = fill(&mut log, 1..=9);
    let bytes: usize = facts[..3].iter().map(|fact| fact.bytes().len()).sum();
    let reader = LogReader::open(&dir).unwrap();
    assert_eq!(pull(&reader, at(1, 1), 9, 0).0.len(), 1);
    assert_eq!(pull(&reader, at(1, 1), 9, bytes as u32).0.len(), 3);
    assert_eq!(pull(&reader, at(1, 1), 9, bytes as u32 - 1).0.len(), 2);
}

#[test]
fn a_full_disk_takes_nothing_and_goes_on_when_there_is_room() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    fill(&mut log, 1..=10);
    log.limit_pages(70).unwrap();
    let many: Vec<_> = (11..=6000).map(|seq| some_fact(at(1, seq))).collect();
    for _ in 0..2 {
        assert!(matches!(log.append(&many), Err(AppendError::Full)));
        assert_eq!(log.end(), LogIndex(10));
    }
    log.append(&many[..1]).unwrap();
    log.limit_pages(1 << 20).unwrap();
    assert_eq!(log.append(&many[1..]).unwrap(), LogIndex(6000));
    drop(log);
    assert_eq!(Log::open(&dir).unwrap().end(), LogIndex(6000));
    // The marks of what was refused did not stay either.
    let reader = LogReader::open(&dir).unwrap();
    for from in [1, 256, 257, 258, 4200, 5999] {
        assert_eq!(pull(&reader, at(1, from), 6000, u32::MAX).0.len() as u64, 6001 - from);
    }
}

/// What was appended is not lost with the process: nothing waits in its memory.
#[test]
fn a_log_that_was_never_closed_is_whole() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    let facts = fill(&mut log, 1..=3000);
    let copy = tempfile::tempdir().unwrap();
    for file in ["log.db", "log.db-wal"] {
        std::fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
    }
    let copy = DataDir::open(copy.path()).unwrap();
    assert_eq!(Log::open(&copy).unwrap().end(), LogIndex(3000));
    let reader = LogReader::open(&copy).unwrap();
    assert_eq!(pull(&reader, at(1, 1), 3000, u32::MAX), (facts, None));
}

/// With the same sync that mends a record, views that were made without it are marked as void.
#[test]
fn a_mended_record_is_counted() {
    let (_folder, dir) = data();
    let fact = some_fact(at(1, 1));
    let mut log = Log::open(&dir).unwrap();
    log.append(std::slice::from_ref(&fact)).unwrap();
    assert!(!log.repair(&fact, false).unwrap());
    assert_eq!(log.mended(), 0);
    flip(&dir, 1);
    assert!(log.repair(&fact, true).unwrap());
    drop(log);
    let mut log = Log::open(&dir).unwrap();
    assert_eq!(log.mended(), 1);
    // Read wrongly once, and whole all the same: views that were made meanwhile lack it.
    assert!(!log.repair(&fact, true).unwrap());
    assert_eq!(log.mended(), 2);
}
