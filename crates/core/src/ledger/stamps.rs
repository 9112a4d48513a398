//! Whatever stamps come, what is made later has an order.

use lastword_facts::Body;

use super::*;

fn now(wall_us: u64) -> Now {
    Now { mono: Mono::default(), wall_us }
}

fn ledger(incarnation: u64) -> Ledger {
    Ledger::new(Incarnation(incarnation), VersionVector::new(), LogIndex::NONE, Stamp::default())
}

/// A fact of another replica.
fn foreign(stamp: Stamp) -> Arc<Fact> {
    let position = Position { incarnation: Incarnation(9), seq: Seq(1) };
    Arc::new(Fact::new(position, vec![], stamp, AccountId(1), Key(1), Body::Delete))
}

fn made(ledger: &mut Ledger, wall_us: u64) -> Arc<Fact> {
    let fact = ledger.make(now(wall_us), AccountId(1), None, Body::Delete);
    assert_eq!(fact.impossible(), None);
    ledger.admit(&fact);
    fact
}

#[test]
fn a_stamp_that_nothing_can_come_after_is_not_believed() {
    for wild in [Stamp(u64::MAX), Stamp::MAX, Stamp(Stamp::MAX.0 - 1), Stamp(Stamp::HORIZON.0 + Stamp::STEP + 1)] {
        let mut ledger = ledger(1);
        ledger.observe(wild);
        let fact = foreign(wild);
        ledger.admit(&fact);
        let (one, two) = (made(&mut ledger, 1000), made(&mut ledger, 1000));
        assert_eq!((one.stamp, two.stamp), (Stamp(1001), Stamp(1002)), "{wild:?}");
        // Nor after a restart, and no client is told that it was seen.
        assert_eq!((ledger.counted(&fact), ledger.counted(&one)), (Stamp::default(), one.stamp));
        assert_eq!(ledger.seen_with(wild), two.stamp);
    }
}

#[test]
fn beyond_all_clocks_replicas_still_count_on_after_each_other() {
    let (mut one, mut other) = (ledger(1), ledger(2));
    one.observe(Stamp::HORIZON);
    let mut last = made(&mut one, u64::MAX);
    for _ in 0..10 {
        other.admit(&last);
        let answer = made(&mut other, 1000);
        assert!(answer.order() > last.order());
        one.admit(&answer);
        last = made(&mut one, u64::MAX);
        assert!(last.order() > answer.order());
    }
}
