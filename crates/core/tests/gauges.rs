//! The numbers that an operator is told, at moments of a group's life.

mod world;

use std::time::Duration;

use lastword_core::Now;
use lastword_core::gauges::{Gauges, LinkGauges};
use lastword_core::io::{Copies, Request};
use world::{World, send};

fn gauges(world: &World, node: usize) -> Gauges {
    let now = Now { mono: world.now, wall_us: 0 };
    world.nodes[node].core.as_ref().expect("it is up").gauges(now)
}

/// How the first replica sees the one at this place among the others.
fn link(gauges: &Gauges, peer: usize) -> &LinkGauges {
    gauges.peers[peer].link.as_ref().expect("it is connected")
}

#[test]
fn a_slow_disk_shows_in_what_waits_and_in_the_lag_of_its_replica() {
    let mut world = World::new(3);
    let alice = world.connect(0);
    world.create(alice, "alice").unwrap();
    world.send_text(alice, "alice", "first");
    world.run(200);
    let quiet = gauges(&world, 0);
    assert_eq!((quiet.unanswered, quiet.oldest_unanswered), (0, None));
    assert_eq!(quiet.last_copies, Some(Copies { stored: 3, of: 3 }));
    assert!(quiet.acknowledged[2] >= 1 && quiet.acknowledged[..2] == [0, 0], "{:?}", quiet.acknowledged);
    for peer in 0..2 {
        assert_eq!((link(&quiet, peer).behind, link(&quiet, peer).behind_for), (0, Duration::ZERO));
        assert!(link(&quiet, peer).round_trip >= Duration::from_millis(2));
    }
    assert_eq!((quiet.facts, quiet.facts_wanted), (quiet.facts_on_disk, 0));

    world.nodes[2].sync = Duration::from_millis(700);
    for _ in 0..2 {
        let key = world.key();
        world.ask(alice, send("alice", "slow", key));
    }
    world.run(500);
    let slow = gauges(&world, 0);
    assert_eq!(slow.unanswered, 2);
    assert_eq!(slow.oldest_unanswered, Some(Duration::from_millis(500)));
    assert_eq!((link(&slow, 0).behind, link(&slow, 1).behind), (0, 2));
    let behind_for = link(&slow, 1).behind_for.as_millis();
    assert!((400..=500).contains(&behind_for), "{behind_for} ms");
    assert!(link(&slow, 1).in_flight_bytes > 0 && link(&slow, 1).in_sync);

    // It is given up for a while, and the answers say so.
    world.nodes[2].sync = Duration::from_secs(5);
    let copies = world.send_text(alice, "alice", "without it");
    assert_eq!(copies.stored, 2);
    let without = gauges(&world, 0);
    assert_eq!(without.last_copies, Some(copies));
    assert_eq!(without.acknowledged[1], 1);
    assert!(!link(&without, 1).in_sync);

    world.kill(2);
    world.run(100);
    assert_eq!(gauges(&world, 0).peers[1].link, None);
}

#[test]
fn connections_are_counted_through_logins_and_ends() {
    let mut world = World::new(1);
    let counts = |world: &World| {
        let gauges = gauges(world, 0);
        (gauges.connections, gauges.logged_in, gauges.listening)
    };
    let alice = world.connect(0);
    let other = world.connect(0);
    assert_eq!(counts(&world), (2, 0, 0));
    world.create(alice, "alice").unwrap();
    world.login(other, "alice").unwrap();
    world.login(other, "alice").unwrap();
    assert_eq!(counts(&world), (2, 2, 0));
    for _ in 0..2 {
        world.call(alice, Request::Listen).unwrap();
    }
    assert_eq!(counts(&world), (2, 2, 1));
    let key = world.key();
    world.call(alice, Request::Logout { key }).unwrap();
    assert_eq!(counts(&world), (2, 1, 0));
    world.input(0, lastword_core::Input::Closed(other));
    world.input(0, lastword_core::Input::Closed(alice));
    assert_eq!(counts(&world), (0, 0, 0));
    assert_eq!(gauges(&world, 0).accounts, 1);
}
