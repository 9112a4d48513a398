//! Who writes or reads much waits for those who write or read little, and nobody waits for them.

mod world;

use lastword_core::Settings;
use lastword_core::io::{Answer, ConnectionId, Receiver, Request, Tag};
use world::{World, send};

/// A few facts in flight are enough for this.
fn settings() -> Settings {
    Settings { fair_bytes: 2000, ..Settings::default() }
}

fn people(settings: Settings) -> (World, ConnectionId, ConnectionId) {
    let mut world = World::with(1, settings);
    let (alice, bob) = (world.connect(0), world.connect(0));
    world.create(alice, "alice").unwrap();
    world.create(bob, "bob").unwrap();
    (world, alice, bob)
}

fn ask(world: &mut World, from: ConnectionId, text: &str) -> Tag {
    let key = world.key();
    world.ask(from, send("alice", text, key))
}

fn answered(world: &World, from: ConnectionId, all: &[Tag]) -> usize {
    all.iter().filter(|&&tag| matches!(world.answer(from, tag), Some(Ok(_)))).count()
}

#[test]
fn whoever_writes_little_does_not_wait_for_who_writes_much() {
    let (mut world, alice, bob) = people(settings());
    world.send_text(bob, "alice", "before");
    let flood: Vec<Tag> = (0..500).map(|n| ask(&mut world, alice, &n.to_string())).collect();
    let one = ask(&mut world, bob, "one");
    // As long as one batch takes.
    while world.answer(bob, one).is_none() {
        world.run(1);
    }
    let before = answered(&world, alice, &flood);
    assert!(before <= 40, "{before} of the flood were answered first");
    world.run(5000);
    assert_eq!(answered(&world, alice, &flood), 500, "and all of the flood is taken in");
    let mut texts = world.history(alice, "alice");
    texts.retain(|text| text.parse::<u32>().is_ok());
    assert!(texts.iter().map(|text| text.parse::<u32>().unwrap()).is_sorted(), "in its order: {texts:?}");
}

#[test]
fn who_writes_alone_waits_for_nobody() {
    let (mut world, alice, _) = people(settings());
    world.run(2000);
    let flood: Vec<Tag> = (0..500).map(|n| ask(&mut world, alice, &n.to_string())).collect();
    world.run(20);
    assert_eq!(answered(&world, alice, &flood), 500);
}

#[test]
fn connections_of_one_account_have_no_more_turns_than_one() {
    let (mut world, alice, bob) = people(settings());
    world.send_text(bob, "alice", "before");
    world.send_text(alice, "alice", "before");
    let many: Vec<ConnectionId> = (0..20)
        .map(|_| {
            let connection = world.connect(0);
            world.resume(connection, "alice");
            connection
        })
        .collect();
    let flood: Vec<(ConnectionId, Tag)> =
        (0..400).map(|n| many[n % 20]).map(|from| (from, ask(&mut world, from, "much"))).collect();
    let few: Vec<Tag> = (0..100).map(|_| ask(&mut world, bob, "less")).collect();
    while answered(&world, bob, &few) < 100 {
        world.run(1);
    }
    let of_many = flood.iter().filter(|&&(from, tag)| matches!(world.answer(from, tag), Some(Ok(_)))).count();
    assert!(of_many <= 200, "{of_many} of one account, and 100 of the other");
}

#[test]
fn pages_go_to_who_was_given_least() {
    let (mut world, alice, bob) = people(Settings::default());
    for _ in 0..4 {
        let text = "x".repeat(16_000);
        world.send_text(alice, "bob", &text);
    }
    let history =
        |with: &str| Request::History { with: Receiver::Name(with.into()), limit: 500, before: None, bytes: 64 * 1024 };
    let many: Vec<Tag> = (0..200).map(|_| world.ask(alice, history("bob"))).collect();
    world.run(20);
    let one = world.ask(bob, history("alice"));
    let before = world.time(0).mono;
    while world.answer(bob, one).is_none() {
        world.run(1);
    }
    let waited = world.time(0).mono.since(before);
    assert!(waited.as_millis() < 50, "{waited:?}");
    let pages = |world: &World| {
        many.iter().filter(|&&tag| matches!(world.answer(alice, tag), Some(Ok(Answer::History { .. })))).count()
    };
    // 64 KiB each, of 32 MiB a second.
    let at_once = pages(&world);
    assert!(at_once < 50, "{at_once}");
    world.run(1000);
    assert_eq!(pages(&world), 200);
}

#[test]
fn listening_again_and_again_looks_one_page_up_at_a_time() {
    let (mut world, alice, bob) = people(Settings { inbox_page: 5, ..Settings::default() });
    for n in 0..20 {
        world.send_text(alice, "bob", &n.to_string());
    }
    for _ in 0..50 {
        world.ask(bob, Request::Listen);
        world.run(1);
        assert!(world.looked_up_at_once(0) <= 2, "{}", world.looked_up_at_once(0));
    }
    world.run(200);
    let texts = world.texts(bob);
    let last = texts.len() - 20;
    assert_eq!(texts[last..], (0..20).map(|n| n.to_string()).collect::<Vec<_>>(), "the last one shows all, in order");
}
