//! Transcripts: an account with as many sessions as it may have.

mod world;

use lastword_core::io::{Answer, ConnectionId, Refusal, Request};
use lastword_facts::token::SessionToken;
use world::World;

/// A session of a new account, and a connection that has it.
fn alice(world: &mut World, node: usize) -> (ConnectionId, SessionToken) {
    let alice = world.connect(node);
    let Ok(Answer::Created { token, .. }) = world.create(alice, "alice") else { panic!() };
    world.run(100);
    (alice, token)
}

fn login(world: &mut World, node: usize) -> (ConnectionId, Result<SessionToken, Refusal>) {
    let device = world.connect(node);
    let answer = world.login(device, "alice");
    let token = answer.map(|answer| match answer {
        Answer::LoggedIn { token: Some(token), .. } => token,
        other => panic!("{other:?}"),
    });
    (device, token)
}

/// Logs in so many times, as a script does that goes without a word.
fn script(world: &mut World, node: usize, times: usize) -> Vec<SessionToken> {
    let visit = |_| {
        let (device, token) = login(world, node);
        world.hang_up(device);
        token.unwrap()
    };
    (0..times).map(visit).collect()
}

fn is_good(world: &mut World, node: usize, token: &SessionToken) -> bool {
    let device = world.connect(node);
    let answer = world.call(device, Request::Resume { token: token.hash(), seen: None });
    world.hang_up(device);
    answer.is_ok()
}

fn count_good(world: &mut World, node: usize, tokens: &[SessionToken]) -> usize {
    tokens.iter().filter(|token| is_good(world, node, token)).count()
}

#[test]
fn a_script_that_logs_out_takes_nobodys_place() {
    let mut world = World::new(3);
    let (person, token) = alice(&mut world, 0);
    let others = script(&mut world, 0, 62);
    for _ in 0..200 {
        let (device, entered) = login(&mut world, 1);
        entered.unwrap();
        let key = world.key();
        world.call(device, Request::Logout { key }).unwrap();
    }
    world.run(100);
    assert!(!world.closed.contains_key(&person) && is_good(&mut world, 2, &token));
    assert_eq!(count_good(&mut world, 2, &others), 62);
}

/// At the replica where the person is, and elsewhere.
#[test]
fn a_script_that_leaves_its_sessions_behind_ends_those_that_nobody_uses() {
    for node in 0..2 {
        let mut world = World::new(3);
        let (person, token) = alice(&mut world, 0);
        let left = script(&mut world, node, 200);
        world.run(200);
        assert!(!world.closed.contains_key(&person), "script at {node}");
        assert!(is_good(&mut world, 2, &token), "script at {node}");
        // The last ones, with that of the person.
        assert_eq!(count_good(&mut world, 2, &left), 63);
        assert_eq!(count_good(&mut world, 2, &left[137..]), 63);
        world.kill(2);
        world.start(2);
        world.run(1000);
        assert_eq!(count_good(&mut world, 2, &left[137..]), 63, "after a start on the log");
    }
}

#[test]
fn where_all_are_in_use_a_login_is_refused() {
    let mut world = World::new(3);
    let (person, _) = alice(&mut world, 0);
    let mut devices: Vec<ConnectionId> = (0..63).map(|_| login(&mut world, 0).0).collect();
    let (_, refused) = login(&mut world, 0);
    assert_eq!(refused, Err(Refusal::TooMany { retry_ms: 1000 }));
    assert!(!world.closed.contains_key(&person));
    world.hang_up(devices.remove(5));
    login(&mut world, 0).1.unwrap();
    world.run(100);
    assert!(!world.closed.contains_key(&person) && devices.iter().all(|device| !world.closed.contains_key(device)));
}

/// Each side has as many as it may have. Together they are too many, until somebody logs in.
#[test]
fn after_a_split_there_may_be_more_until_the_next_login() {
    let mut world = World::new(3);
    let (person, token) = alice(&mut world, 0);
    world.cut(0, 2);
    world.cut(1, 2);
    world.run(1000);
    let (here, there) = (script(&mut world, 0, 63), script(&mut world, 2, 63));
    world.heal();
    world.run(2000);
    let all = [here, there].concat();
    for node in 0..3 {
        assert_eq!(count_good(&mut world, node, &all), 126);
    }
    let (_, entered) = login(&mut world, 0);
    entered.unwrap();
    world.run(100);
    for node in 0..3 {
        assert_eq!(count_good(&mut world, node, &all), 62, "with the person's, and the last one");
        assert!(is_good(&mut world, node, &token));
    }
    assert!(!world.closed.contains_key(&person));
}
