//! Transcripts: creates that meet each other, and what a replica that is behind says of names.

mod world;

use std::time::Duration;

use lastword_core::io::{Answer, Password, Refusal, Request};
use lastword_facts::Key;
use world::World;

fn create(password: &str, key: Key) -> Request {
    Request::Create { name: "alice".into(), password: Password(password.into()), key }
}

/// The answers to two creates with one key, asked at once.
fn at_once(world: &mut World, nodes: [usize; 2], passwords: [&str; 2]) -> Vec<Result<Answer, Refusal>> {
    let key = world.key();
    let asked: Vec<_> = nodes
        .into_iter()
        .zip(passwords)
        .map(|(node, password)| {
            let connection = world.connect(node);
            (connection, world.ask(connection, create(password, key)))
        })
        .collect();
    world.run(1000);
    asked.into_iter().map(|(connection, tag)| world.answer(connection, tag).cloned().expect("answered")).collect()
}

#[test]
fn two_creates_with_two_passwords_don_t_both_get_in() {
    let mut world = World::new(3);
    let answers = at_once(&mut world, [0, 0], ["secret", "another"]);
    assert!(matches!(answers[0], Ok(Answer::Created { .. })), "{answers:?}");
    assert_eq!(answers[1], Err(Refusal::NameTaken));

    // At two replicas neither can say yet, and the next try is checked.
    let mut world = World::new(3);
    let answers = at_once(&mut world, [0, 1], ["secret", "another"]);
    let in_at_once = answers.iter().filter(|answer| answer.is_ok()).count();
    let unavailable = answers.iter().filter(|answer| matches!(answer, Err(Refusal::Unavailable(_)))).count();
    assert!(in_at_once <= 1 && in_at_once + unavailable == 2, "{answers:?}");
}

/// A client that got no answer sends it once more.
#[test]
fn two_creates_with_one_password_are_one() {
    let mut world = World::new(3);
    let answers = at_once(&mut world, [0, 0], ["secret", "secret"]);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Answer::Created { .. }))), "{answers:?}");
    let mut world = World::new(3);
    at_once(&mut world, [0, 1], ["secret", "secret"]);
    for node in 0..3 {
        let device = world.connect(node);
        let key = world.nodes[0].log.iter().map(|fact| fact.key).find(|key| key.time_ms().is_some()).unwrap();
        let answer = world.call(device, create("secret", key));
        assert!(matches!(answer, Ok(Answer::Created { .. })), "{answer:?}");
    }
}

/// Its owner has deleted the account that had the name, and wants another one.
#[test]
fn who_is_behind_does_not_say_that_a_name_is_taken() {
    let mut world = World::new(3);
    let (alice, bob) = (world.connect(0), world.connect(1));
    world.create(alice, "alice").unwrap();
    world.create(bob, "bob").unwrap();
    world.run(100);
    world.kill(2);
    for n in 0..2000 {
        world.send_text(bob, "bob", &n.to_string());
    }
    let key = world.key();
    world.call(alice, Request::Delete { key }).unwrap();
    world.nodes[0].sync = Duration::from_millis(20);
    world.reading = Duration::from_millis(200);
    world.start(2);
    let mut refused = 0;
    loop {
        let device = world.connect(2);
        match world.create(device, "alice") {
            Ok(_) => break,
            Err(Refusal::Unavailable(_)) => refused += 1,
            other => panic!("after {refused}: {other:?}"),
        }
        world.run(10);
    }
    assert!(refused > 0);
    // What is known for sure is still said.
    let device = world.connect(2);
    assert_eq!(world.create(device, "alice"), Err(Refusal::NameTaken));
}
