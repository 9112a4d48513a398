//! Transcripts: how sessions end. A month is a minute here, and a day five seconds.

mod world;

use std::time::Duration;

use lastword_core::Settings;
use lastword_core::io::{Answer, CloseReason, ConnectionId, Password, Refusal, ReplicaId, Report, Request};
use lastword_facts::token::SessionToken;
use lastword_facts::{Body, Fact};
use world::World;

const MONTH_MS: u64 = 60_000;
const YEAR_US: i64 = 12 * 60_000_000;

fn settings() -> Settings {
    Settings {
        session_unused: Duration::from_millis(MONTH_MS),
        use_noted: Duration::from_secs(5),
        sweep_every: Duration::from_secs(2),
        clock_tolerance: Duration::from_secs(3),
        ..Settings::default()
    }
}

fn group() -> World {
    World::with(3, settings())
}

/// A session of a new account, and a connection that has it.
fn alice(world: &mut World, node: usize) -> (ConnectionId, SessionToken) {
    let alice = world.connect(node);
    let Ok(Answer::Created { token, .. }) = world.create(alice, "alice") else { panic!() };
    world.run(100);
    (alice, token)
}

fn resume(world: &mut World, node: usize, token: &SessionToken) -> (ConnectionId, Result<Answer, Refusal>) {
    let device = world.connect(node);
    let answer = world.call(device, Request::Resume { token: token.hash(), seen: None });
    (device, answer)
}

/// Somebody comes for a moment.
fn visit(world: &mut World, node: usize, token: &SessionToken) {
    let (device, answer) = resume(world, node, token);
    answer.expect("the session is good");
    world.hang_up(device);
}

fn count(world: &World, node: usize, counts: impl Fn(&Body) -> bool) -> usize {
    world.nodes[node].log.iter().filter(|fact: &&std::sync::Arc<Fact>| counts(&fact.body)).count()
}

fn ended(world: &World) -> Vec<usize> {
    (0..world.nodes.len()).map(|node| count(world, node, |body| matches!(body, Body::Logout(_)))).collect()
}

fn noted(world: &World) -> usize {
    count(world, 0, |body| matches!(body, Body::Used(_)))
}

fn assert_good(world: &mut World, token: &SessionToken) {
    for node in 0..world.nodes.len() {
        visit(world, node, token);
    }
}

fn assert_ended(world: &mut World, token: &SessionToken) {
    for node in 0..world.nodes.len() {
        assert_eq!(resume(world, node, token).1, Err(Refusal::WrongLogin), "at {node}");
    }
}

#[test]
fn a_session_that_nobody_uses_ends_on_every_replica() {
    let mut world = group();
    let (first, token) = alice(&mut world, 0);
    world.hang_up(first);
    world.run(MONTH_MS - 2000);
    assert_eq!(ended(&world), [0; 3]);
    world.run(5000);
    assert!((1..=3).contains(&ended(&world)[0]), "by one replica, or several at once: {:?}", ended(&world));
    assert_ended(&mut world, &token);
    // The same after a start on the log.
    world.kill(1);
    world.start(1);
    world.run(2000);
    assert_ended(&mut world, &token);
    assert_eq!(noted(&world), 0);
}

#[test]
fn a_session_that_is_used_now_and_then_goes_on() {
    let mut world = group();
    let (first, token) = alice(&mut world, 0);
    world.hang_up(first);
    for round in 0..6 {
        world.run(MONTH_MS - 5000);
        visit(&mut world, round % 3, &token);
        // Again and again on one day: noted once.
        visit(&mut world, round % 3, &token);
        world.run(100);
        visit(&mut world, (round + 1) % 3, &token);
    }
    assert_eq!((noted(&world), ended(&world)), (6, vec![0; 3]));
    world.run(MONTH_MS + 5000);
    assert_ended(&mut world, &token);
}

/// Who stays connected does not come again, and is not forgotten.
#[test]
fn a_session_with_a_connection_goes_on() {
    let mut world = group();
    let (first, token) = alice(&mut world, 2);
    for node in 0..2 {
        resume(&mut world, node, &token).1.unwrap();
    }
    world.run(3 * MONTH_MS);
    let days = 3 * MONTH_MS as usize / 5000;
    assert!((days / 2..=days).contains(&noted(&world)), "{} facts in {days} days", noted(&world));
    assert_eq!((ended(&world), world.closed.get(&first)), (vec![0; 3], None));
    assert_good(&mut world, &token);
}

#[test]
fn a_wild_clock_ends_nothing() {
    for (node, years) in [(0, 10), (1, 10), (2, -10)] {
        let mut world = group();
        let (first, token) = alice(&mut world, 0);
        world.hang_up(first);
        world.run(1000);
        world.nodes[node].clock_offset_us = years * YEAR_US;
        world.run(20_000);
        assert_eq!(ended(&world), [0; 3]);
        let says = |node: usize, of: u8| world.nodes[node].reports.contains(&Report::ClocksDiffer(ReplicaId(of)));
        let other = (node + 1) % 3;
        assert!(says(other, node as u8) && says(node, if node == 0 { 1 } else { 0 }));
        let told = world.nodes[other].reports.iter().filter(|report| matches!(report, Report::ClocksDiffer(_)));
        assert!(told.count() <= 10, "once for each time");
        // It goes on from the time that is right.
        world.nodes[node].clock_offset_us = 0;
        world.run(10_000);
        assert_eq!(ended(&world), [0; 3]);
        assert_good(&mut world, &token);
        world.run(MONTH_MS + 5000);
        assert_ended(&mut world, &token);
    }
}

/// Also where nobody is connected who could say so.
#[test]
fn a_session_opened_by_a_clock_that_is_behind_is_not_old() {
    let mut world = group();
    world.cut(0, 1);
    world.cut(0, 2);
    world.run(3000);
    world.nodes[0].clock_offset_us = -10 * YEAR_US;
    let (first, token) = alice(&mut world, 0);
    visit(&mut world, 0, &token);
    world.hang_up(first);
    world.nodes[0].clock_offset_us = 0;
    world.heal();
    world.run(20_000);
    assert_eq!(ended(&world), [0; 3]);
    assert!((1..=3).contains(&noted(&world)), "its use is known from then on");
    world.run(MONTH_MS - 5000);
    assert_ended(&mut world, &token);
}

/// While a clock was wrong nothing was ended; when it is right again, what was used meanwhile is not old.
#[test]
fn what_was_used_at_a_wild_clock_is_not_old_when_it_is_right_again() {
    for years in [10, -10] {
        let mut world = group();
        let (first, token) = alice(&mut world, 1);
        world.nodes[1].clock_offset_us = years * YEAR_US;
        world.run(2 * MONTH_MS);
        world.hang_up(first);
        world.nodes[1].clock_offset_us = 0;
        world.run(10_000);
        assert_eq!(ended(&world), [0; 3], "{years} years");
        assert_good(&mut world, &token);
        world.run(MONTH_MS + 5000);
        assert_ended(&mut world, &token);
    }
}

/// Somebody may have been where nobody else sees it.
#[test]
fn nothing_ends_while_a_replica_is_away() {
    let mut world = group();
    let (first, token) = alice(&mut world, 0);
    world.hang_up(first);
    world.cut(1, 2);
    world.cut(0, 2);
    for _ in 0..3 {
        world.run(MONTH_MS / 2);
        visit(&mut world, 2, &token);
    }
    assert_eq!(ended(&world), [0; 3]);
    world.heal();
    world.run(10_000);
    assert_eq!(ended(&world), [0; 3]);
    assert_good(&mut world, &token);
    world.kill(1);
    world.run(2 * MONTH_MS);
    assert_eq!(ended(&world), [0; 3]);
    world.start(1);
    world.run(10_000);
    assert_ended(&mut world, &token);
}

/// A replica that comes back has nothing to confirm, and so is in sync with all; but not they with it.
#[test]
fn who_comes_back_ends_nothing_before_it_has_what_the_others_had() {
    let mut world = World::with(3, Settings { sweep_every: Duration::from_millis(100), ..settings() });
    let (first, token) = alice(&mut world, 1);
    world.cut(2, 0);
    world.cut(2, 1);
    world.run(MONTH_MS + 5000);
    // Of an incarnation that writes no more: it has to be asked for.
    world.kill(1);
    world.start(1);
    world.reading = Duration::from_secs(2);
    world.heal();
    world.run(10_000);
    assert_eq!((ended(&world), world.closed.get(&first)), (vec![0; 3], None));
    assert_good(&mut world, &token);
}

/// Only the first replica sees both others here: it alone could end a session.
#[test]
fn nothing_ends_while_a_replica_is_not_in_sync() {
    let mut world = group();
    let (first, _) = alice(&mut world, 0);
    world.cut(1, 2);
    world.nodes[2].sync = Duration::from_millis(3 * MONTH_MS);
    world.send_text(first, "alice", "not on the third disk");
    world.hang_up(first);
    world.run(2 * MONTH_MS);
    assert_eq!(ended(&world), [0; 3]);
}

/// Who is of an older version notes no uses, and tells no clock.
#[test]
fn nothing_ends_while_a_replica_is_of_an_older_version() {
    let mut world = group();
    world.kill(2);
    world.cut(1, 2);
    world.nodes[2].older = true;
    world.start(2);
    world.run(1000);
    let (first, _) = alice(&mut world, 0);
    world.hang_up(first);
    world.run(2 * MONTH_MS);
    assert_eq!(ended(&world), [0; 3]);
}

/// What can't be read may have been the last use.
#[test]
fn a_replica_ends_nothing_while_records_of_its_log_are_damaged() {
    let mut world = group();
    let (first, token) = alice(&mut world, 0);
    world.hang_up(first);
    world.run(MONTH_MS - 10_000);
    visit(&mut world, 1, &token);
    world.run(12_000);
    world.kill(2);
    let uses = world.nodes[2].log.iter().filter(|fact| matches!(fact.body, Body::Used(_)));
    world.nodes[2].damaged = uses.map(|fact| fact.position).collect();
    assert_eq!(world.nodes[2].damaged.len(), 1);
    world.start(2);
    world.run(10_000);
    assert_eq!(ended(&world), [0; 3]);
}

/// On waking, a replica has not heard yet what the others did.
#[test]
fn a_replica_that_was_frozen_ends_nothing_by_what_it_knew() {
    let mut world = group();
    let (first, token) = alice(&mut world, 1);
    world.run(1000);
    world.freeze(0);
    world.run(3 * MONTH_MS);
    world.wake(0);
    world.run(100);
    for other in 1..3 {
        world.cut(0, other);
    }
    world.heal();
    world.run(10_000);
    assert_eq!((ended(&world), world.closed.get(&first)), (vec![0; 3], None));
    assert_good(&mut world, &token);
}

/// With nobody to compare with, a clock that was set is not believed before the next start.
#[test]
fn alone_in_its_group_a_replica_ends_nothing_after_its_clock_was_set() {
    let mut world = World::of_group(1, 1, settings());
    let (first, token) = alice(&mut world, 0);
    world.hang_up(first);
    world.nodes[0].clock_offset_us = YEAR_US;
    world.run(20_000);
    assert_eq!(ended(&world), [0]);
    assert!(world.nodes[0].reports.contains(&Report::ClockWasSet));
    world.nodes[0].clock_offset_us = 0;
    world.run(MONTH_MS - 25_000);
    assert_eq!(ended(&world), [0]);
    visit(&mut world, 0, &token);
    world.run(MONTH_MS + 5000);
    assert_ended(&mut world, &token);
}

/// A machine whose clock begins in 1970 at each start: what it did before shows that it was later.
#[test]
fn alone_in_its_group_a_clock_behind_what_was_done_is_not_believed() {
    let mut world = World::of_group(1, 1, settings());
    let (first, _) = alice(&mut world, 0);
    world.hang_up(first);
    world.kill(0);
    world.nodes[0].clock_offset_us = -10 * YEAR_US;
    world.start(0);
    world.run(1000);
    let device = world.connect(0);
    let Ok(Answer::LoggedIn { token: Some(token), .. }) = world.login(device, "alice") else { panic!() };
    world.hang_up(device);
    world.kill(0);
    world.nodes[0].clock_offset_us = 0;
    world.start(0);
    world.run(10_000);
    assert_eq!(ended(&world), [0]);
    assert_good(&mut world, &token);
}

/// Older versions tell no time, neither in a session nor on a link.
#[test]
fn a_session_of_before_counts_from_when_it_was_first_looked_at() {
    let mut world = group();
    world.nodes.iter_mut().for_each(|node| node.older = true);
    for node in 0..3 {
        world.kill(node);
    }
    (0..3).for_each(|node| world.start(node));
    world.run(1000);
    let (first, token) = alice(&mut world, 0);
    world.hang_up(first);
    world.run(2 * MONTH_MS);
    assert_eq!((noted(&world), ended(&world)), (0, vec![0; 3]), "their clocks are not known");
    world.nodes.iter_mut().for_each(|node| node.older = false);
    world.run(10_000);
    assert_eq!(ended(&world), [0; 3]);
    assert!((1..=3).contains(&noted(&world)));
    world.run(MONTH_MS);
    assert_ended(&mut world, &token);
}

// Sessions that their owner ends.

/// Connections at every replica with one session, and one with another.
fn everywhere(world: &mut World) -> (Vec<ConnectionId>, SessionToken, SessionToken) {
    let (first, token) = alice(world, 0);
    let mut connections = vec![first];
    for node in 1..3 {
        let (device, answer) = resume(world, node, &token);
        answer.unwrap();
        connections.push(device);
    }
    let other = world.connect(1);
    let Ok(Answer::LoggedIn { token: Some(another), .. }) = world.login(other, "alice") else { panic!() };
    connections.push(other);
    (connections, token, another)
}

fn closed(world: &World, connections: &[ConnectionId]) -> Vec<Option<CloseReason>> {
    connections.iter().map(|connection| world.closed.get(connection).copied()).collect()
}

#[test]
fn a_logout_ends_its_session_on_every_replica_and_no_other() {
    let mut world = World::new(3);
    let (connections, token, another) = everywhere(&mut world);
    let key = world.key();
    world.call(connections[1], Request::Logout { key }).unwrap();
    world.run(100);
    let out = Some(CloseReason::LoggedOut);
    assert_eq!(closed(&world, &connections), [out, None, out, None]);
    assert_ended(&mut world, &token);
    assert_good(&mut world, &another);
}

#[test]
fn a_new_password_ends_all_other_sessions_on_every_replica() {
    let mut world = World::new(3);
    let (connections, token, another) = everywhere(&mut world);
    let (old, new) = (Password("secret".into()), Password("secret 2".into()));
    let key = world.key();
    world.call(connections[3], Request::Password { old, new, key }).unwrap();
    world.run(100);
    let out = Some(CloseReason::LoggedOut);
    assert_eq!(closed(&world, &connections), [out, out, out, None]);
    assert_ended(&mut world, &token);
    assert_good(&mut world, &another);
    for node in 0..3 {
        let device = world.connect(node);
        assert_eq!(world.login(device, "alice"), Err(Refusal::WrongLogin), "by the old one, at {node}");
    }
}

#[test]
fn a_deletion_ends_all_sessions_on_every_replica() {
    let mut world = World::new(3);
    let (connections, token, another) = everywhere(&mut world);
    let key = world.key();
    world.call(connections[2], Request::Delete { key }).unwrap();
    world.run(100);
    let gone = Some(CloseReason::Deleted);
    assert_eq!(closed(&world, &connections), [gone, gone, None, gone]);
    assert_ended(&mut world, &token);
    assert_ended(&mut world, &another);
}

/// What a replica missed while it was away holds there as soon as it is back, and for those who are connected to it.
#[test]
fn sessions_that_ended_elsewhere_end_where_somebody_was_away() {
    for how in 0..3 {
        let mut world = World::new(3);
        let (connections, token, _) = everywhere(&mut world);
        world.cut(0, 2);
        world.cut(1, 2);
        world.run(100);
        let key = world.key();
        let (old, new) = (Password("secret".into()), Password("secret 2".into()));
        let (by, request) = [
            (connections[0], Request::Logout { key }),
            (connections[3], Request::Password { old, new, key }),
            (connections[0], Request::Delete { key }),
        ]
        .into_iter()
        .nth(how)
        .unwrap();
        world.call(by, request).unwrap();
        assert_eq!(world.closed.get(&connections[2]), None);
        world.heal();
        world.run(2000);
        assert!(world.closed.contains_key(&connections[2]), "by {how}");
        assert_ended(&mut world, &token);
    }
}
