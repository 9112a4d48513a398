//! Facts to bytes and back; lines of JSON to requests, and events to lines.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lastword_facts::Fact;
use lastword_micro::{TEXT, message};
use lastword_protocol::answer::Message;
use lastword_protocol::event::Event;
use lastword_protocol::{Request, ServerLine};

fn codecs(criterion: &mut Criterion) {
    let fact = message(1, 1000);
    let Fact { position, stamp, author, key, .. } = *fact;
    criterion.bench_function("a fact is made and encoded", |bencher| {
        bencher.iter(|| Fact::new(position, Vec::new(), stamp, author, key, black_box(fact.body.clone())));
    });
    criterion.bench_function("a fact is decoded", |bencher| {
        bencher.iter(|| Fact::decode(black_box(fact.bytes().clone())));
    });
    let line =
        format!(r#"{{"id":17,"op":"send","to":"bob","text":"{TEXT}","key":"018bcfe5-6800-7000-8000-000000000011"}}"#);
    criterion.bench_function("a request is read", |bencher| {
        bencher.iter(|| Request::from_json(black_box(line.as_bytes())));
    });
    let event = Event::Message(Message {
        message: "018bcfe5-6800-7000-8000-000000000011".into(),
        from: "alice".into(),
        from_account: "0123456789abcdef0123456789abcdef".into(),
        to: "bob".into(),
        to_account: "0123456789abcdef0123456789abcdee".into(),
        text: TEXT.into(),
        at: 1_700_000_000_000,
        pos: "0123456789abcdef0123456789abcdef".into(),
        seen: "0123456789abcdef0123456789abcdef".into(),
    });
    criterion.bench_function("an event is written", |bencher| {
        bencher.iter(|| serde_json::to_vec(black_box(&event)));
    });
    let line = serde_json::to_vec(&event).expect("it can be written");
    criterion.bench_function("an event is read", |bencher| {
        bencher.iter(|| ServerLine::from_json(black_box(&line)));
    });
}

criterion_group!(benches, codecs);
criterion_main!(benches);
