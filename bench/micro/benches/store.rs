//! The log and the views, a batch at a time.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lastword_facts::ids::{AccountId, LogIndex};
use lastword_facts::views::{Applied, Change, Query};
use lastword_micro::{account, message};
use lastword_store::{DataDir, Log, Views};

const PEOPLE: u64 = 1000;

fn applied(n: u64) -> Applied {
    let fact = message(n, PEOPLE);
    Applied { index: LogIndex(n), position: fact.position, stamp: fact.stamp, change: Change::Message(fact) }
}

fn log(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("appended and synced, at a time");
    for batch in [1_u64, 64, 1024] {
        let parent = tempfile::tempdir_in(".").expect("a folder");
        let dir = DataDir::open(parent.path().join("data")).expect("a data directory");
        let mut log = Log::open(&dir).expect("a log");
        group.throughput(Throughput::Elements(batch));
        let mut n = 0;
        group.bench_function(batch.to_string(), |bencher| {
            bencher.iter_batched(
                || {
                    let first = n + 1;
                    n += batch;
                    (first..=n).map(|n| message(n, PEOPLE)).collect::<Vec<_>>()
                },
                |facts| log.append(&facts).expect("room"),
                BatchSize::PerIteration,
            );
        });
    }
}

fn views(criterion: &mut Criterion) {
    let parent = tempfile::tempdir_in(".").expect("a folder");
    let dir = DataDir::open(parent.path().join("data")).expect("a data directory");
    let mut log = Log::open(&dir).expect("a log");
    let mut views = Views::open(&dir, LogIndex(u64::MAX), 0).expect("views");
    let mut n = 0;
    let mut group = criterion.benchmark_group("views");
    group.throughput(Throughput::Elements(10_000));
    group.sample_size(20);
    group.bench_function("10,000 messages to people who are away", |bencher| {
        bencher.iter_batched(
            || {
                let first = n + 1;
                n += 10_000;
                // A page is read from there.
                log.append(&(first..=n).map(|n| message(n, PEOPLE)).collect::<Vec<_>>()).expect("room");
                (first..=n).map(applied).collect::<Vec<_>>()
            },
            |changes| {
                views.apply(&changes).expect("the next ones");
                views.commit().expect("room");
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
    let drawn = |n: u64| -> AccountId { account(n % PEOPLE) };
    let mut asked = 0;
    criterion.bench_function("a page of 50 of a conversation", |bencher| {
        bencher.iter(|| {
            asked += 1;
            let (one, other) = (drawn(asked), drawn(asked * 7919));
            views.query(&Query::History { one, other, before: None, limit: 50, bytes: u32::MAX }).expect("a page")
        });
    });
}

criterion_group!(benches, log, views);
criterion_main!(benches);
