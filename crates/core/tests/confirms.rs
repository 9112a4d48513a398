//! Transcripts: what somebody has confirmed is never shown to them again, however soon they come back.

mod world;

use std::time::Duration;

use lastword_core::io::{Answer, ConnectionId, Event, Password, Request};
use lastword_facts::Body;
use lastword_facts::token::Pos;
use world::World;

/// How somebody leaves right behind a `delivered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Logout,
    Password,
    HangsUp,
    /// They stay, and listen once more.
    Stays,
}

const WAYS: [Leaves; 4] = [Leaves::Logout, Leaves::Password, Leaves::HangsUp, Leaves::Stays];

/// Bob has confirmed one message, and has just been shown a second one.
fn shown_a_second(world: &mut World, confirmed_ms: u64) -> (ConnectionId, ConnectionId, Request) {
    let (alice, bob) = (world.connect(0), world.connect(0));
    world.create(alice, "alice").expect("created");
    world.create(bob, "bob").expect("created");
    world.call(alice, Request::Listen).expect("listens");
    world.call(bob, Request::Listen).expect("listens");
    world.send_text(alice, "bob", "first");
    world.run(200);
    world.confirm_last(bob);
    world.send_text(alice, "bob", "second");
    world.run(confirmed_ms);
    let last = world.events[&bob].iter().rev().find_map(|event| match event {
        Event::Message(view) => Some(Pos { order: view.message.order, index: view.message.index }),
        _ => None,
    });
    (alice, bob, Request::Delivered { upto: last.expect("it was shown") })
}

/// What somebody is shown who listens, and how many were said to wait.
fn shown(world: &mut World, connection: ConnectionId) -> (Vec<String>, u64) {
    world.events.remove(&connection);
    let Ok(Answer::Listening { pending }) = world.call(connection, Request::Listen) else { panic!("does not listen") };
    world.run(300);
    (world.texts(connection), pending)
}

#[test]
fn what_was_confirmed_right_before_leaving_is_not_shown_again() {
    for leaves in WAYS {
        for (confirmed_ms, away_ms, sync_ms) in
            [0, 20, 90, 150].into_iter().flat_map(|ms| [(ms, 0, 1), (ms, 0, 40), (ms, 5, 40), (ms, 60, 40)])
        {
            let case = format!("{leaves:?}, {confirmed_ms} ms, away for {away_ms} ms, a sync of {sync_ms} ms");
            let mut world = World::new(3);
            let (_, bob, delivered) = shown_a_second(&mut world, confirmed_ms);
            world.nodes[0].sync = Duration::from_millis(sync_ms);
            world.ask(bob, delivered);
            let key = world.key();
            let back = match leaves {
                Leaves::Logout => {
                    world.ask(bob, Request::Logout { key });
                    world.run(away_ms);
                    let back = world.connect(0);
                    let answer = world.login(back, "bob");
                    assert!(matches!(answer, Ok(Answer::LoggedIn { pending: 0, .. })), "{case}: {answer:?}");
                    back
                }
                Leaves::Password | Leaves::HangsUp => {
                    if leaves == Leaves::Password {
                        let (old, new) = (Password("secret".into()), Password("secret".into()));
                        world.ask(bob, Request::Password { old, new, key });
                    } else {
                        world.hang_up(bob);
                    }
                    world.run(away_ms);
                    let back = world.connect(0);
                    world.resume(back, "bob");
                    back
                }
                Leaves::Stays => {
                    world.run(away_ms);
                    bob
                }
            };
            assert_eq!(shown(&mut world, back), (Vec::new(), 0), "{case}");
        }
    }
}

/// Whoever was told that their logout is stored is shown nothing twice at any replica.
#[test]
fn a_logout_takes_what_was_confirmed_to_the_other_replicas() {
    for node in 0..3 {
        let mut world = World::new(3);
        let (_, bob, delivered) = shown_a_second(&mut world, 0);
        world.ask(bob, delivered);
        let key = world.key();
        world.call(bob, Request::Logout { key }).expect("logged out");
        let back = world.connect(node);
        world.login(back, "bob").expect("logged in");
        assert_eq!(shown(&mut world, back), (Vec::new(), 0), "at {node}");
    }
}

/// Its sender is told so, although its reader is gone.
#[test]
fn a_deletion_comes_after_what_was_confirmed() {
    let mut world = World::new(3);
    let (alice, bob, delivered) = shown_a_second(&mut world, 0);
    world.ask(bob, delivered);
    let key = world.key();
    world.call(bob, Request::Delete { key }).expect("deleted");
    let receipts = world.events[&alice].iter().filter(|event| matches!(event, Event::Receipt { .. }));
    assert_eq!(receipts.count(), 2);
}

/// Confirms are still gathered: those of a moment are one fact.
#[test]
fn confirms_of_one_moment_are_gathered() {
    let mut world = World::new(3);
    let (alice, bob, delivered) = shown_a_second(&mut world, 0);
    world.ask(bob, delivered);
    for n in 0..5 {
        world.send_text(alice, "bob", &n.to_string());
        let last = world.events[&bob].iter().rev().find_map(|event| match event {
            Event::Message(view) => Some(Pos { order: view.message.order, index: view.message.index }),
            _ => None,
        });
        world.ask(bob, Request::Delivered { upto: last.expect("it was shown") });
    }
    world.run(300);
    let facts = world.nodes[0].log.iter().filter(|fact| matches!(fact.body, Body::Delivered(_)));
    assert_eq!(facts.count(), 2, "the first at once, and all others together");
}
