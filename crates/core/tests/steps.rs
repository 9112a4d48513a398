//! What concerns many is done in steps: no single input keeps the core at it for long, and all are told in the end.
//!
//! Counted is what comes out of one call, with the defaults of [`Settings`]: that is the same on every machine.

mod world;

use lastword_core::io::{Answer, CloseReason, ConnectionId, Event, Password, Refusal, Request};
use lastword_core::{Input, Settings};
use lastword_facts::LogIndex;
use lastword_facts::token::Pos;
use world::{World, send};

fn listen(world: &mut World, connection: ConnectionId) {
    world.call(connection, Request::Listen).expect("listens");
}

/// So many connections of an account that was made.
fn devices(world: &mut World, name: &str, count: usize) -> Vec<ConnectionId> {
    let devices = (0..count).map(|_| {
        let device = world.connect(0);
        // One session will do.
        world.resume(device, name);
        device
    });
    devices.collect()
}

#[test]
fn few_connections_of_an_account_listen_at_a_replica() {
    let mut world = World::new(2);
    let alice = world.connect(0);
    world.create(alice, "alice").unwrap();
    let devices = devices(&mut world, "alice", 20);
    for &device in &devices[..16] {
        listen(&mut world, device);
    }
    let refused = Err(Refusal::TooManyListeners { most: 16, retry_ms: 5000 });
    assert_eq!(world.call(devices[16], Request::Listen), refused);
    assert_eq!(world.call(devices[3], Request::Listen), Ok(Answer::Listening { pending: 0 }), "it listens already");
    assert!(world.closed.is_empty(), "nobody was ended for it");
    world.hang_up(devices[0]);
    listen(&mut world, devices[16]);
    // Each replica has as many.
    world.run(100);
    let elsewhere = world.connect(1);
    world.login(elsewhere, "alice").unwrap();
    listen(&mut world, elsewhere);
    world.send_text(alice, "alice", "to all of me");
    world.run(100);
    for listener in devices[1..=16].iter().chain([&elsewhere]) {
        assert_eq!(world.texts(*listener), ["to all of me"]);
    }
}

#[test]
fn the_same_message_is_one_for_all_who_are_shown_it() {
    let mut world = World::new(1);
    let alice = world.connect(0);
    world.create(alice, "alice").unwrap();
    for device in devices(&mut world, "alice", 5) {
        listen(&mut world, device);
    }
    world.shared_events = 0;
    world.send_text(alice, "alice", "x");
    world.run(100);
    assert_eq!(world.shared_events, 4, "the first one, and four times the same");
}

/// 2,000 devices of an account that is deleted, some of which are at it just then.
#[test]
fn the_devices_of_a_deleted_account_are_ended_in_steps() {
    let mut world = World::new(1);
    let (alice, bob) = (world.connect(0), world.connect(0));
    world.create(alice, "alice").unwrap();
    world.create(bob, "bob").unwrap();
    let devices = devices(&mut world, "alice", 2000);
    listen(&mut world, devices[1999]);
    world.most_outputs = 0;
    world.nodes[0].sync = std::time::Duration::from_millis(50);
    let key = world.key();
    world.ask(alice, Request::Delete { key });
    // One step, and nothing after it yet.
    world.input(0, Input::Stored(LogIndex(world.nodes[0].log.len() as u64 + 1)));
    assert!(world.closed.contains_key(&devices[1999]), "who listens is ended at once");
    // One whose turn has not come can't do anything any more either.
    let late = *devices.iter().find(|device| !world.closed.contains_key(device)).expect("not all in one step");
    let key = world.key();
    assert_eq!(world.call(late, send("bob", "after the end", key)), Err(Refusal::NotLoggedIn));
    world.run(100);
    let ended = devices.iter().filter(|device| world.closed.get(device) == Some(&CloseReason::Deleted)).count();
    assert_eq!(ended, 2000);
    assert!(world.most_outputs <= 600, "{}", world.most_outputs);
}

/// An account comes and goes while 5,000 watch it; and the health of the group changes, which all who listen are told.
#[test]
fn who_watches_and_who_listens_is_told_in_steps() {
    let mut world = World::new(2);
    let bob = world.connect(0);
    world.create(bob, "bob").unwrap();
    let mut watchers = Vec::new();
    for n in 0..320 {
        let (one, name) = (world.connect(0), format!("watcher{n}"));
        world.create(one, &name).unwrap();
        world.send_text(one, "bob", "hello");
        let mut connections = devices(&mut world, &name, 15);
        connections.push(one);
        for &connection in &connections {
            listen(&mut world, connection);
            world.call(connection, Request::Conversations { limit: 100, before: None }).unwrap();
        }
        watchers.extend(connections);
    }
    let told = |world: &World, wanted: fn(&Event) -> bool| {
        let heard = |connection: &&ConnectionId| world.events.get(connection).into_iter().flatten().any(wanted);
        watchers.iter().filter(heard).count()
    };
    world.most_outputs = 0;
    listen(&mut world, bob);
    world.run(2000);
    assert_eq!(told(&world, |event| matches!(event, Event::Presence(person) if person.online)), watchers.len());
    world.hang_up(bob);
    world.run(2000);
    assert_eq!(told(&world, |event| matches!(event, Event::Presence(person) if !person.online)), watchers.len());
    world.events.clear();
    world.kill(1);
    world.run(5000);
    assert_eq!(told(&world, |event| matches!(event, Event::Health(_))), watchers.len());
    assert!(world.most_outputs <= 600, "{}", world.most_outputs);
}

/// One `delivered` covers thousands of messages, and their sender is told of each.
#[test]
fn receipts_of_thousands_come_in_steps() {
    let mut world = World::new(1);
    let (alice, bob) = (world.connect(0), world.connect(0));
    world.create(alice, "alice").unwrap();
    world.create(bob, "bob").unwrap();
    listen(&mut world, alice);
    for _ in 0..5000 {
        let key = world.key();
        world.ask(alice, send("bob", "x", key));
    }
    world.run(500);
    listen(&mut world, bob);
    world.run(1000);
    assert_eq!(world.texts(bob).len(), 5000);
    world.most_outputs = 0;
    world.confirm_last(bob);
    world.run(1000);
    let receipts = world.events[&alice].iter().filter(|event| matches!(event, Event::Receipt { .. })).count();
    assert_eq!(receipts, 5000);
    assert!(world.most_outputs <= 600, "{}", world.most_outputs);
}

/// How often the core asks for its next turn at once.
fn turns(world: &mut World) -> usize {
    let mut turns = 0;
    while world.nodes[0].core.as_ref().and_then(|core| core.poll_timeout()) <= Some(world.now) {
        world.input(0, Input::Timer);
        turns += 1;
    }
    turns
}

/// Hundreds confirm one message each, and all of that is stored at once: it does not take a turn for each.
#[test]
fn many_small_confirms_are_told_together() {
    let mut world = World::new(1);
    let alice = world.connect(0);
    world.create(alice, "alice").unwrap();
    listen(&mut world, alice);
    let readers: Vec<_> = (0..200)
        .map(|n| {
            let (reader, name) = (world.connect(0), format!("reader{n}"));
            world.create(reader, &name).unwrap();
            listen(&mut world, reader);
            world.send_text(alice, &name, "x");
            reader
        })
        .collect();
    world.run(1000);
    world.nodes[0].sync = std::time::Duration::from_millis(50);
    for reader in readers {
        let upto = world.events[&reader].iter().find_map(|event| match event {
            Event::Message(view) => Some(Pos { order: view.message.order, index: view.message.index }),
            _ => None,
        });
        world.ask(reader, Request::Delivered { upto: upto.expect("a message") });
    }
    world.run(40);
    world.input(0, Input::Stored(LogIndex(world.nodes[0].log.len() as u64 + 200)));
    let turns = turns(&mut world);
    let receipts = world.events[&alice].iter().filter(|event| matches!(event, Event::Receipt { .. })).count();
    assert_eq!(receipts, 200);
    assert!(turns <= 3, "{turns} turns");
}

/// Each login looks at what else is logged in. Many at once don't make more of that than there are connections.
#[test]
fn connections_are_looked_at_once_however_many_sessions_open() {
    let mut world = World::new(1);
    let alice = world.connect(0);
    world.create(alice, "alice").unwrap();
    devices(&mut world, "alice", 300);
    let others: Vec<_> = (0..20).map(|_| world.connect(0)).collect();
    world.nodes[0].sync = std::time::Duration::from_millis(50);
    for other in others {
        world.ask(other, Request::Login { name: "alice".into(), password: Password("secret".into()) });
    }
    world.run(40);
    world.input(0, Input::Stored(LogIndex(world.nodes[0].log.len() as u64 + 20)));
    let turns = turns(&mut world);
    assert!((1..=3).contains(&turns), "{turns} turns");
    assert!(world.closed.is_empty());
}

/// Thousands of messages are stored with one sync, for an account with as many listeners as there may be.
#[test]
fn what_was_stored_together_is_shown_in_steps() {
    let mut world = World::new(1);
    let alice = world.connect(0);
    world.create(alice, "alice").unwrap();
    let devices = devices(&mut world, "alice", 16);
    for &device in &devices {
        listen(&mut world, device);
    }
    world.nodes[0].sync = std::time::Duration::from_millis(500);
    for _ in 0..3000 {
        let key = world.key();
        world.ask(alice, send("alice", "x", key));
    }
    world.most_outputs = 0;
    world.run(2000);
    assert!(devices.iter().all(|&device| world.texts(device).len() == 3000));
    let most = 4 * Settings::default().step + 100;
    assert!(world.most_outputs <= most, "{}", world.most_outputs);
}

/// What waits behind a lookup on one connection is bounded in bytes, too.
#[test]
fn what_waits_behind_a_lookup_is_bounded_in_bytes() {
    let mut world = World::new(1);
    let alice = world.connect(0);
    world.create(alice, "alice").unwrap();
    let device = world.connect(0);
    world.ask(device, Request::Login { name: "alice".to_owned(), password: Password("secret".to_owned()) });
    let text = "x".repeat(16 * 1024);
    let tags: Vec<_> = (0..100)
        .map(|_| {
            let key = world.key();
            world.ask(device, send("alice", &text, key))
        })
        .collect();
    let refused = |world: &World| {
        let answers = tags.iter().filter_map(|&tag| world.answer(device, tag));
        answers.filter(|answer| **answer == Err(Refusal::TooMany { retry_ms: 100 })).count()
    };
    assert!((34..40).contains(&refused(&world)), "64 of 16 KiB fit: {}", refused(&world));
    world.input(0, Input::Timer);
    world.run(100);
    assert!(tags.iter().all(|&tag| world.answer(device, tag).is_some()));
}

#[test]
fn what_is_queued_behind_a_login_is_carried_out_in_steps_and_in_order() {
    let mut world = World::new(1);
    let (alice, bob) = (world.connect(0), world.connect(0));
    world.create(alice, "alice").unwrap();
    world.create(bob, "bob").unwrap();
    listen(&mut world, bob);
    world.hang_up(alice);
    let again = world.connect(0);
    world.most_outputs = 0;
    let login = world.ask(again, Request::Login { name: "alice".into(), password: Password("secret".into()) });
    let sends: Vec<_> = (0..1000)
        .map(|n| {
            let key = world.key();
            world.ask(again, send("bob", &n.to_string(), key))
        })
        .collect();
    world.run(100);
    assert!(world.answer(again, login).is_some_and(Result::is_ok));
    assert!(sends.iter().all(|&tag| world.answer(again, tag).is_some_and(Result::is_ok)));
    assert_eq!(world.texts(bob), (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
    // 16 requests at a time, and what they were stored with is told in the same step.
    assert!(world.most_outputs <= 200, "{}", world.most_outputs);
}
