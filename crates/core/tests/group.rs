//! Transcripts of a group: what it does when replicas come and go.

mod world;

use lastword_core::io::{
    Answer, CloseReason, ConnectionId, Copies, Event, Leave, Refusal, ReplicaId, Report, Request, Standing,
};
use lastword_core::pattern::Pattern;
use world::{World, create, send};

const ALL: Copies = Copies { stored: 3, of: 3 };

/// Alice at the first replica, bob listening at the given one.
fn alice_and_bob(world: &mut World, home_of_bob: usize) -> (ConnectionId, ConnectionId) {
    let alice = world.connect(0);
    world.create(alice, "alice").unwrap();
    let bob = world.connect(home_of_bob);
    world.create(bob, "bob").unwrap();
    world.call(bob, Request::Listen).unwrap();
    (alice, bob)
}

#[test]
fn a_message_is_on_three_disks_before_it_is_called_sent() {
    let mut world = World::new(3);
    let (alice, bob) = alice_and_bob(&mut world, 1);
    world.nodes[2].sync = std::time::Duration::from_millis(300);
    let began = world.now;
    assert_eq!(world.send_text(alice, "bob", "hi"), ALL);
    assert!(world.now.since(began).as_millis() >= 300, "the slowest disk is waited for");
    assert_eq!(world.texts(bob), ["hi"]);
    world.run(1000);
    for node in 1..3 {
        assert_eq!(world.vector(node), world.vector(0));
    }
}

#[test]
fn two_of_three_die_and_the_last_goes_on() {
    let mut world = World::new(3);
    let (alice, bob) = alice_and_bob(&mut world, 2);
    world.kill(0);
    let alice_2 = world.connect(1);
    world.login(alice_2, "alice").unwrap();
    assert_eq!(world.send_text(alice_2, "bob", "one is gone"), Copies { stored: 2, of: 3 });
    world.kill(1);
    let alice_3 = world.connect(2);
    world.login(alice_3, "alice").unwrap();
    assert_eq!(world.send_text(alice_3, "bob", "two are gone"), Copies { stored: 1, of: 3 });
    assert_eq!(world.texts(bob), ["one is gone", "two are gone"]);
    let _ = alice;

    // They come back, in sync, and can serve alone.
    world.start(0);
    world.start(1);
    world.run(2000);
    assert_eq!(world.standing(0), [Standing::Own, Standing::InSync, Standing::InSync]);
    world.kill(2);
    world.kill(1);
    let bob_1 = world.connect(0);
    world.login(bob_1, "bob").unwrap();
    assert_eq!(world.history(bob_1, "alice"), ["one is gone", "two are gone"]);
}

#[test]
fn a_wiped_replica_refills() {
    let mut world = World::new(3);
    let (alice, _) = alice_and_bob(&mut world, 1);
    for n in 0..300 {
        world.send_text(alice, "bob", &n.to_string());
    }
    world.kill(2);
    world.wipe(2);
    world.start(2);
    world.run(3000);
    assert_eq!(world.vector(2), world.vector(0));
    world.kill(0);
    world.kill(1);
    let bob = world.connect(2);
    world.login(bob, "bob").unwrap();
    assert_eq!(world.call(bob, Request::Listen), Ok(Answer::Listening { pending: 300 }));
    world.run(1000);
    let expected: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    assert_eq!(world.texts(bob), expected, "over several pages, in order");
}

#[test]
fn a_retry_anywhere_is_one_message() {
    let mut world = World::new(3);
    let (alice, bob) = alice_and_bob(&mut world, 1);
    let key = world.key();
    let first = world.call(alice, send("bob", "once", key)).unwrap();
    let again = world.call(alice, send("bob", "with another text", key)).unwrap();
    let told = |answer: Answer| match answer {
        Answer::Sent { key, to, at_ms, copies, .. } => (key, to, at_ms, copies),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(first), told(again));
    world.kill(0);
    let alice_2 = world.connect(1);
    world.login(alice_2, "alice").unwrap();
    let Ok(Answer::Sent { copies, .. }) = world.call(alice_2, send("bob", "once", key)) else { panic!() };
    assert_eq!(copies, Copies { stored: 2, of: 3 });
    assert_eq!(world.texts(bob), ["once"]);
    assert_eq!(world.history(bob, "alice"), ["once"]);
}

/// What a disk has not taken yet is in memory: a year of messages would be too much.
#[test]
fn a_replica_asks_for_no_more_than_its_disk_can_take() {
    let settings = lastword_core::Settings { unsaved_bytes: 20_000, push_bytes: 20_000, ..Default::default() };
    let mut world = World::with(3, settings);
    let (alice, _) = alice_and_bob(&mut world, 1);
    world.kill(2);
    for n in 0..20_000 {
        let key = world.key();
        world.ask(alice, send("bob", &format!("{n}: {}", "and so on ".repeat(10)), key));
    }
    world.run(2000);
    // What its replica wrote before it started again nobody pushes any more.
    world.kill(0);
    world.start(0);
    world.run(2000);
    world.nodes[2].sync = std::time::Duration::from_millis(500);
    world.start(2);
    let mut most = 0;
    for _ in 0..60_000 {
        world.run(1);
        most = most.max(world.unsaved_bytes(2));
        if world.nodes[2].log.len() == world.nodes[0].log.len() {
            break;
        }
    }
    assert_eq!(world.vector(2), world.vector(0));
    // What was asked for before it was too much still comes: 16 pieces of up to 64 KiB, less what these facts fill.
    assert!((20_000..1_000_000).contains(&most), "{most} bytes of 3.2 million");
}

/// The same key at two replicas that do not see each other: two positions, one message.
#[test]
fn one_message_at_two_positions() {
    let mut world = World::new(3);
    let (alice, bob) = alice_and_bob(&mut world, 2);
    world.cut(0, 1);
    world.cut(0, 2);
    world.run(500);
    let key = world.key();
    world.call(alice, send("bob", "twice", key)).unwrap();
    let alice_2 = world.connect(1);
    world.login(alice_2, "alice").unwrap();
    world.call(alice_2, send("bob", "twice", key)).unwrap();
    world.heal();
    world.run(2000);
    assert_eq!(world.texts(bob), ["twice"]);
    assert_eq!(world.history(bob, "alice"), ["twice"]);
    world.confirm_last(bob);
    world.run(500);
    for node in 0..3 {
        let device = world.connect(node);
        world.login(device, "bob").unwrap();
        assert_eq!(world.call(device, Request::Listen), Ok(Answer::Listening { pending: 0 }), "at {node}");
    }
}

#[test]
fn what_was_delivered_is_not_shown_again_anywhere_and_its_sender_knows() {
    let mut world = World::new(3);
    let (alice, bob) = alice_and_bob(&mut world, 1);
    world.call(alice, Request::Listen).unwrap();
    world.send_text(alice, "bob", "a");
    world.send_text(alice, "bob", "b");
    world.confirm_last(bob);
    world.run(300);
    let receipts = world.events[&alice].iter().filter(|event| matches!(event, Event::Receipt { .. })).count();
    assert_eq!(receipts, 2);
    world.send_text(alice, "bob", "c");
    world.kill(1);
    let bob_2 = world.connect(2);
    world.login(bob_2, "bob").unwrap();
    world.call(bob_2, Request::Listen).unwrap();
    world.run(100);
    assert_eq!(world.texts(bob_2), ["c"]);
}

/// Alice is told whether bob is there, wherever he is.
#[test]
fn presence_is_known_across_replicas() {
    let mut world = World::new(3);
    let (alice, bob) = alice_and_bob(&mut world, 2);
    let online = |world: &mut World| {
        let key = world.key();
        let Ok(Answer::Sent { online, .. }) = world.call(alice, send("bob", "there?", key)) else { panic!() };
        online
    };
    assert!(online(&mut world));
    let key = world.key();
    world.call(bob, Request::Logout { key }).unwrap();
    world.run(10);
    assert!(!online(&mut world));
    world.login(bob, "bob").unwrap();
    world.call(bob, Request::Listen).unwrap();
    world.run(10);
    assert!(online(&mut world));
    world.kill(2);
    world.run(100);
    assert!(!online(&mut world));
    world.start(2);
    world.run(1000);
    assert!(!online(&mut world), "his connection went with the replica");
}

#[test]
fn facts_find_their_way_round_a_cut() {
    let mut world = World::new(3);
    let (alice, bob) = alice_and_bob(&mut world, 2);
    world.cut(0, 2);
    world.run(1000);
    assert_eq!(world.standing(0), [Standing::Own, Standing::InSync, Standing::Down]);
    let copies = world.send_text(alice, "bob", "round");
    assert_eq!(copies, Copies { stored: 2, of: 3 }, "only direct confirms count");
    world.run(1000);
    assert_eq!(world.texts(bob), ["round"]);
}

#[test]
fn a_partition_merges() {
    let mut world = World::new(3);
    let (alice, bob) = alice_and_bob(&mut world, 2);
    world.cut(0, 1);
    world.cut(0, 2);
    world.run(1000);
    world.send_text(alice, "bob", "from the one side");
    world.send_text(bob, "alice", "from the other");
    world.heal();
    world.run(2000);
    assert_eq!(world.history(alice, "bob"), world.history(bob, "alice"));
    assert_eq!(world.history(alice, "bob").len(), 2);
    assert_eq!(world.vector(0), world.vector(2));
}

#[test]
fn a_slow_peer_is_waited_for_one_second_only_and_comes_back() {
    let mut world = World::new(3);
    let (alice, _) = alice_and_bob(&mut world, 1);
    world.nodes[2].sync = std::time::Duration::from_secs(5);
    let began = world.now;
    assert_eq!(world.send_text(alice, "bob", "slow"), Copies { stored: 2, of: 3 });
    let waited = world.now.since(began).as_millis();
    assert!((1000..1200).contains(&waited), "{waited} ms");
    world.nodes[2].sync = std::time::Duration::from_millis(1);
    world.run(10_000);
    assert_eq!(world.standing(0)[2], Standing::InSync);
    assert_eq!(world.send_text(alice, "bob", "fast again"), ALL);
}

#[test]
fn a_frozen_peer_is_dropped_and_merges_when_it_wakes() {
    let mut world = World::new(3);
    let (alice, _) = alice_and_bob(&mut world, 1);
    world.freeze(2);
    world.run(3000);
    assert_eq!(world.standing(0)[2], Standing::Down);
    assert_eq!(world.send_text(alice, "bob", "without it"), Copies { stored: 2, of: 3 });
    world.wake(2);
    world.run(100);
    world.cut(0, 2);
    world.cut(1, 2);
    world.heal();
    world.run(2000);
    assert_eq!(world.vector(2), world.vector(0));
}

/// A client that has waited a second for a frozen replica comes to the next one: that one has not heard of it for
/// as long, and does not wait another second.
#[test]
fn who_was_silent_for_a_second_is_not_waited_for_another_one() {
    let mut world = World::new(3);
    let (alice, _) = alice_and_bob(&mut world, 1);
    world.freeze(2);
    world.run(1100);
    assert_eq!(world.standing(0)[2], Standing::InSync, "nothing waited for it");
    let began = world.now;
    assert_eq!(world.send_text(alice, "bob", "without it"), Copies { stored: 2, of: 3 });
    let waited = world.now.since(began).as_millis();
    assert!(waited < 100, "{waited} ms");
    world.wake(2);
    world.run(4000);
    assert_eq!(world.send_text(alice, "bob", "with it again"), ALL);
}

/// Two replicas that dial each other at one moment have two links for a moment, and keep one.
#[test]
fn a_link_in_whose_place_there_is_another_is_no_loss() {
    let mut world = World::new(3);
    let (alice, _) = alice_and_bob(&mut world, 1);
    world.run(2000);
    let before = [0, 1].map(|node| world.nodes[node].reports.len());
    world.replace_link(0, 1);
    world.run(2000);
    for (node, peer) in [(0, 1), (1, 0)] {
        let peer = ReplicaId(peer);
        let reports = &world.nodes[node].reports[before[node]..];
        assert_eq!(reports, [Report::OutOfSync(peer, Leave::Replaced), Report::InSync(peer)], "at {node}");
    }
    assert_eq!(world.send_text(alice, "bob", "all of them have it"), ALL);
    world.cut(0, 1);
    world.run(2000);
    assert_eq!(world.nodes[0].reports.last(), Some(&Report::OutOfSync(ReplicaId(1), Leave::Disconnected)));
}

/// A process that is being killed loses its links first: it must not promise with its last breath.
#[test]
fn nothing_is_answered_in_the_moment_of_dying() {
    let mut world = World::new(3);
    let (alice, _) = alice_and_bob(&mut world, 1);
    world.cut(0, 1);
    world.cut(0, 2);
    let key = world.key();
    let tag = world.ask(alice, send("bob", "last words", key));
    world.run(150);
    assert_eq!(world.answer(alice, tag), None);
    world.run(200);
    assert!(matches!(world.answer(alice, tag), Some(Ok(Answer::Sent { copies: Copies { stored: 1, .. }, .. }))));
}

#[test]
fn a_name_has_one_owner_among_those_who_are_connected() {
    let mut world = World::new(3);
    for round in 0..50 {
        let name = format!("name{round}");
        let tries: Vec<_> = (0..3)
            .map(|node| {
                let connection = world.connect(node);
                let key = world.key();
                (connection, world.ask(connection, create(&name, key)))
            })
            .collect();
        world.run(500);
        let won = tries.iter().filter(|&&(connection, tag)| match world.answer(connection, tag).expect("answered") {
            Ok(_) => true,
            Err(refusal) => {
                assert_eq!(*refusal, Refusal::NameTaken);
                false
            }
        });
        assert_eq!(won.count(), 1, "{name}");
    }
}

#[test]
fn two_owners_of_a_name_after_a_partition() {
    let mut world = World::new(3);
    world.cut(0, 1);
    world.cut(0, 2);
    world.run(1000);
    let (one, other) = (world.connect(0), world.connect(1));
    world.create(one, "Sam").unwrap();
    world.run(10);
    world.create(other, "sam").unwrap();
    world.heal();
    world.run(2000);
    let pattern = || Pattern::Text("(?i)sam".to_owned());
    for node in 0..3 {
        let asker = world.connect(node);
        let request = || Request::List { pattern: pattern(), limit: 10, after: None };
        assert_eq!(world.call(asker, request()), Err(Refusal::NotLoggedIn));
        world.login(asker, "Sam").unwrap();
        let Ok(Answer::Names { names, .. }) = world.call(asker, request()) else { panic!() };
        assert_eq!(names.len(), 2);
        assert!(names.contains(&"Sam".to_owned()), "the earlier claim keeps the name: {names:?}");
        assert!(names.iter().any(|name| name.starts_with("sam~")), "{names:?}");
    }
    // Its old name and its own password still open the other one, and it is told.
    let key = world.key();
    world
        .call(
            other,
            Request::Password {
                old: lastword_core::io::Password("secret".into()),
                new: lastword_core::io::Password("secret 2".into()),
                key,
            },
        )
        .unwrap();
    let again = world.connect(2);
    let login = Request::Login { name: "sam".into(), password: lastword_core::io::Password("secret 2".into()) };
    let Ok(Answer::LoggedIn { name, notice, .. }) = world.call(again, login) else { panic!() };
    assert!(name.starts_with("sam~") && notice.is_some());
}

#[test]
fn a_deleted_account_takes_what_was_undelivered_with_it() {
    let mut world = World::new(3);
    let (alice, bob) = alice_and_bob(&mut world, 1);
    let carol = world.connect(2);
    world.create(carol, "carol").unwrap();
    world.send_text(alice, "carol", "from alice");
    let key = world.key();
    world.call(alice, Request::Delete { key }).unwrap();
    assert_eq!(world.call(carol, Request::Listen), Ok(Answer::Listening { pending: 0 }));
    let key = world.key();
    assert!(matches!(world.call(bob, send("alice", "gone?", key)), Err(Refusal::NoSuchUser(_))));
    // The name is free, for a new account.
    let new = world.connect(0);
    world.create(new, "alice").unwrap();
    assert!(world.history(new, "bob").is_empty());
}

#[test]
fn a_session_ends_everywhere() {
    let mut world = World::new(3);
    let first = world.connect(0);
    let Ok(Answer::Created { token, .. }) = world.create(first, "alice") else { panic!() };
    let second = world.connect(1);
    let resume = Request::Resume { token: token.hash(), seen: None };
    world.call(second, resume.clone()).unwrap();
    let key = world.key();
    world.call(first, Request::Logout { key }).unwrap();
    world.run(100);
    assert_eq!(world.closed.get(&second), Some(&CloseReason::LoggedOut));
    assert_eq!(world.closed.get(&first), None, "the one that asked goes on");
    let third = world.connect(2);
    assert_eq!(world.call(third, resume), Err(Refusal::WrongLogin));
}

#[test]
fn clocks_that_are_years_off_do_not_turn_the_order() {
    let mut world = World::new(3);
    world.nodes[0].clock_offset_us = 50 * 365 * 86_400 * 1_000_000;
    world.nodes[2].clock_offset_us = -1_600_000_000_000_000;
    let (alice, bob) = alice_and_bob(&mut world, 2);
    world.send_text(alice, "bob", "question");
    world.run(50);
    world.send_text(bob, "alice", "answer");
    world.run(50);
    assert_eq!(world.history(alice, "bob"), ["question", "answer"]);
    assert_eq!(world.history(bob, "alice"), ["question", "answer"]);
}
