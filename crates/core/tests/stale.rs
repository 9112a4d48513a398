//! Transcripts of replicas that may lack what others have.

mod world;

use lastword_core::io::{Answer, Password, Refusal, Request};
use world::World;

#[test]
fn a_replica_that_starts_alone_is_stale_unless_it_was_the_last_one_up() {
    let stale = |world: &mut World, node| {
        let connection = world.connect(node);
        match world.call(connection, Request::Status) {
            Ok(Answer::Status { health, .. }) => health.stale,
            other => panic!("{other:?}"),
        }
    };
    let mut world = World::new(3);
    assert!(!stale(&mut world, 0));
    world.kill(0);
    world.kill(1);
    world.run(1000);
    world.kill(2);
    world.start(0);
    world.run(500);
    assert!(stale(&mut world, 0));
    world.kill(0);
    world.start(2);
    world.run(500);
    assert!(!stale(&mut world, 2), "it was the last one up");
}

/// What somebody has that is empty, or as far behind, does not make a replica sure that it knows all.
#[test]
fn stale_ends_with_one_that_is_not_stale_or_with_all() {
    let stale = |world: &World, node: usize| world.nodes[node].core.as_ref().expect("it is up").health().stale;
    let mut world = World::new(3);
    world.kill(0);
    world.kill(1);
    world.run(1000);
    world.kill(2);
    world.wipe(0);
    world.start(0);
    world.start(1);
    world.run(3000);
    assert!(stale(&world, 0) && stale(&world, 1), "neither was the last one up");
    // Left alone again, neither becomes it.
    world.kill(0);
    world.run(1000);
    world.kill(1);
    world.start(1);
    world.run(500);
    assert!(stale(&world, 1));
    world.start(0);
    world.start(2);
    world.run(3000);
    assert!((0..3).all(|node| !stale(&world, node)), "the last one up is there");
    // All at once, by a power cut: nobody was the last one. With all of them there, all is there.
    for node in 0..3 {
        world.kill(node);
    }
    world.start(0);
    world.start(1);
    world.run(3000);
    assert!(stale(&world, 0) && stale(&world, 1));
    world.start(2);
    world.run(3000);
    assert!((0..3).all(|node| !stale(&world, node)));
}

/// A replica that may lack an account, a session or a new password never says that they are wrong.
#[test]
fn an_empty_replica_does_not_say_that_a_login_is_wrong() {
    let mut world = World::new(3);
    let alice = world.connect(0);
    let Ok(Answer::Created { token, .. }) = world.create(alice, "alice") else { panic!("alice is not there") };
    for node in 0..3 {
        world.kill(node);
    }
    world.wipe(2);
    world.start(2);
    world.run(500);
    let resume = Request::Resume { token: token.hash(), seen: None };
    let login = |name: &str, password: &str| Request::Login { name: name.into(), password: Password(password.into()) };
    for request in [resume.clone(), login("alice", "secret"), login("nobody", "secret")] {
        let connection = world.connect(2);
        assert_eq!(world.call(connection, request), Err(Refusal::NotKnownHere));
    }
    world.start(0);
    world.start(1);
    world.run(3000);
    let connection = world.connect(2);
    assert!(world.call(connection, resume).is_ok());
    let connection = world.connect(2);
    assert_eq!(world.call(connection, login("nobody", "secret")), Err(Refusal::WrongLogin));
}
