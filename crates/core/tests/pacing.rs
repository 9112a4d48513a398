//! How fast a replica that comes back is pushed what it has missed.

mod world;

use std::time::Duration;

use lastword_core::Settings;
use lastword_core::io::{ConnectionId, Standing};
use world::{World, create, send};

/// Two replicas that have written so many messages of so many bytes while the third was away; alice at the first.
fn missed(messages: usize, bytes: usize) -> (World, ConnectionId, String) {
    let settings =
        Settings { mailbox: 1_000_000, in_flight: 1_000_000, in_flight_bytes: 1 << 40, ..Settings::default() };
    let mut world = World::with(3, settings);
    let alice = world.connect(0);
    for name in ["alice", "bob"] {
        let (key, connection) = (world.key(), if name == "alice" { alice } else { world.connect(1) });
        assert!(world.call(connection, create(name, key)).is_ok());
    }
    world.run(1000);
    world.kill(2);
    let text = "x".repeat(bytes);
    for _ in 0..messages {
        let key = world.key();
        world.ask(alice, send("bob", &text, key));
    }
    world.run(3000);
    assert!(world.nodes[0].log.len() > messages);
    (world, alice, text)
}

/// Starts the third, and sends so many messages each millisecond until it is in sync. How many facts it had 20 ms after
/// the first ones, and after how long it was in sync.
fn comes_back(world: &mut World, alice: ConnectionId, text: &str, messages_a_ms: usize) -> (usize, Duration) {
    let (had, started) = (world.nodes[2].log.len(), world.now);
    world.start(2);
    let (mut soon, mut first) = (0, None);
    for ms in 0..5000 {
        for _ in 0..messages_a_ms {
            let key = world.key();
            world.ask(alice, send("bob", text, key));
        }
        world.run(1);
        let came = world.nodes[2].log.len() - had;
        if came > 0 && world.now.since(*first.get_or_insert(world.now)) <= Duration::from_millis(20) {
            soon = came;
        }
        if ms % 10 == 0 && world.standing(0)[2] == Standing::InSync {
            return (soon, world.now.since(started));
        }
    }
    panic!("it does not come in sync");
}

/// 26 MiB a second, and what is written meanwhile.
#[test]
fn while_people_write_it_is_pushed_at_a_pace() {
    let (mut world, alice, text) = missed(30_000, 140);
    let bytes: usize = world.nodes[0].log.iter().map(|fact| fact.bytes().len()).sum();
    let (soon, took) = comes_back(&mut world, alice, &text, 1);
    assert!((1_000..8_000).contains(&soon), "{soon} facts in 20 ms");
    let least = Duration::from_secs_f64(bytes as f64 / (26.0 * 1024.0 * 1024.0));
    assert!((least..least * 2 + Duration::from_millis(500)).contains(&took), "{took:?}, not {least:?}");
}

#[test]
fn while_nobody_writes_it_is_pushed_all_there_is() {
    let (mut world, alice, text) = missed(30_000, 140);
    let (soon, _) = comes_back(&mut world, alice, &text, 0);
    assert!(soon > 25_000, "{soon} facts in 20 ms");
}

/// It must come nearer also where more is written than it is pushed otherwise.
#[test]
fn under_more_load_than_the_pace_it_comes_in_sync_all_the_same() {
    let (mut world, alice, text) = missed(2_000, 4_000);
    // 40 MB a second.
    let (_, took) = comes_back(&mut world, alice, &text, 10);
    assert!(took < Duration::from_secs(2), "{took:?}");
}
