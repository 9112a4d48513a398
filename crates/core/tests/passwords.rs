//! Transcripts: passwords, and what they are hashed with.

mod world;

use lastword_core::io::{Answer, ConnectionId, Password, Refusal, Request};
use lastword_facts::token::SessionToken;
use lastword_facts::{Body, Fact};
use world::World;

/// What each replica checks alice's password against.
fn hashes(world: &World) -> Vec<String> {
    let of = |node: &world::Node| node.core.as_ref().unwrap().accounts().next().unwrap().2.to_owned();
    world.nodes.iter().map(of).collect()
}

/// Passwords hashed anew, in the log of a replica.
fn rehashes(world: &World, node: usize) -> usize {
    world.nodes[node].log.iter().filter(|fact| matches!(fact.body, Body::Rehash(_))).count()
}

fn alice(world: &mut World) -> (ConnectionId, SessionToken) {
    let alice = world.connect(0);
    let Ok(Answer::Created { token, .. }) = world.create(alice, "alice") else { panic!() };
    world.run(100);
    (alice, token)
}

fn log_in(world: &mut World, node: usize) -> Result<Answer, Refusal> {
    let device = world.connect(node);
    world.login(device, "alice")
}

fn change_password(world: &mut World, connection: ConnectionId, old: &str, new: &str) {
    let key = world.key();
    let (old, new) = (Password(old.into()), Password(new.into()));
    world.call(connection, Request::Password { old, new, key }).unwrap();
}

#[test]
fn a_login_hashes_anew_when_the_parameters_have_changed() {
    let mut world = World::new(3);
    let (_, token) = alice(&mut world);
    log_in(&mut world, 1).unwrap();
    world.run(100);
    assert_eq!((rehashes(&world, 0), hashes(&world)), (0, vec!["hash of secret v1".to_owned(); 3]));

    (0..3).for_each(|node| world.nodes[node].hash_version = 2);
    let device = world.connect(1);
    let wrong = Request::Login { name: "alice".into(), password: Password("Secret".into()) };
    assert_eq!(world.call(device, wrong), Err(Refusal::WrongLogin));
    assert_eq!(rehashes(&world, 1), 0);
    log_in(&mut world, 1).unwrap();
    world.run(100);
    assert_eq!(hashes(&world), vec!["hash of secret v2"; 3]);
    for node in 0..3 {
        log_in(&mut world, node).unwrap();
        world.run(100);
        assert_eq!(rehashes(&world, node), 1, "once is enough");
        // Whoever came in before is still in.
        let device = world.connect(node);
        world.call(device, Request::Resume { token: token.hash(), seen: None }).unwrap();
    }
    assert!(world.closed.is_empty());

    // It stands in the log, for who starts anew on it.
    world.kill(2);
    world.start(2);
    world.run(1000);
    assert_eq!(hashes(&world), vec!["hash of secret v2"; 3]);
}

/// Many come at once, on the first morning with new parameters.
#[test]
fn several_logins_at_once_hash_anew_once() {
    let mut world = World::new(3);
    alice(&mut world);
    world.nodes[1].hash_version = 2;
    for _ in 0..5 {
        let device = world.connect(1);
        world.ask(device, Request::Login { name: "alice".into(), password: Password("secret".into()) });
    }
    world.run(100);
    assert_eq!(rehashes(&world, 1), 1);
}

#[test]
fn two_halves_hash_anew_and_agree_when_they_meet() {
    let mut world = World::new(3);
    alice(&mut world);
    world.cut(0, 1);
    world.cut(0, 2);
    world.run(1000);
    (world.nodes[0].hash_version, world.nodes[1].hash_version) = (2, 3);
    log_in(&mut world, 1).unwrap();
    world.run(10);
    log_in(&mut world, 0).unwrap();
    assert_eq!(hashes(&world), ["hash of secret v2", "hash of secret v3", "hash of secret v3"]);
    world.heal();
    world.run(2000);
    assert_eq!(hashes(&world), vec!["hash of secret v2"; 3], "the later one, everywhere");
}

#[test]
fn a_new_password_is_not_undone_by_an_old_one_hashed_anew() {
    let mut world = World::new(3);
    let (alice, _) = alice(&mut world);
    world.cut(0, 1);
    world.cut(0, 2);
    world.run(1000);
    world.nodes[1].hash_version = 2;
    change_password(&mut world, alice, "secret", "secret 2");
    world.run(10);
    log_in(&mut world, 1).unwrap();
    world.heal();
    world.run(2000);
    assert_eq!(rehashes(&world, 0), 1);
    assert_eq!(hashes(&world), vec!["hash of secret 2 v1"; 3]);
    assert_eq!(log_in(&mut world, 1), Err(Refusal::WrongLogin));
    // Nor by one that is in a log in another order.
    for node in 0..3 {
        world.kill(node);
        world.start(node);
        world.run(1000);
    }
    assert_eq!(hashes(&world), vec!["hash of secret 2 v1"; 3]);
}

/// A group is upgraded one by one: who does not know of it goes on with the hash from before.
#[test]
fn an_older_replica_passes_it_on_and_goes_on_with_the_older_hash() {
    let mut world = World::new(3);
    alice(&mut world);
    world.nodes[2].older = true;
    world.nodes[1].hash_version = 2;
    log_in(&mut world, 1).unwrap();
    world.run(100);
    assert_eq!(hashes(&world), ["hash of secret v2", "hash of secret v2", "hash of secret v1"]);
    let device = world.connect(2);
    let Ok(Answer::LoggedIn { token: Some(token), .. }) = world.login(device, "alice") else { panic!() };
    world.run(100);
    for node in 0..2 {
        let device = world.connect(node);
        world.call(device, Request::Resume { token: token.hash(), seen: None }).unwrap();
    }
    world.kill(2);
    world.nodes[2].older = false;
    let whole = |fact: &std::sync::Arc<Fact>| std::sync::Arc::new(Fact::decode(fact.bytes().clone()).unwrap());
    world.nodes[2].log = world.nodes[2].log.iter().map(whole).collect();
    world.start(2);
    world.run(1000);
    assert_eq!(hashes(&world), vec!["hash of secret v2"; 3]);
}
