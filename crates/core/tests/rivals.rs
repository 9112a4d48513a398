//! Transcripts: somebody who knows an old password changes it, too.

mod world;

use lastword_core::io::{Answer, CloseReason, ConnectionId, Notice, Password, Refusal, Request, Tag};
use lastword_facts::Body;
use world::World;

fn password(old: &str, new: &str, world: &mut World) -> Request {
    Request::Password { old: Password(old.into()), new: Password(new.into()), key: world.key() }
}

fn change(world: &mut World, connection: ConnectionId, old: &str, new: &str) -> Result<Answer, Refusal> {
    let request = password(old, new, world);
    world.call(connection, request)
}

fn login(world: &mut World, node: usize, password: &str) -> (ConnectionId, Result<Answer, Refusal>) {
    let device = world.connect(node);
    let answer = world.call(device, Request::Login { name: "alice".into(), password: Password(password.into()) });
    (device, answer)
}

fn notice(answer: Result<Answer, Refusal>) -> Option<Notice> {
    let Ok(Answer::LoggedIn { notice, .. }) = answer else { panic!("{answer:?}") };
    notice
}

#[test]
fn who_knows_only_the_old_password_wins_nowhere() {
    let mut world = World::new(3);
    let owner = world.connect(0);
    world.create(owner, "alice").unwrap();
    let (_, other) = login(&mut world, 1, "secret");
    other.unwrap();
    world.cut(0, 2);
    world.cut(1, 2);
    world.run(1000);
    change(&mut world, owner, "secret", "new one").unwrap();
    world.run(1000);
    let (thief, entered) = login(&mut world, 2, "secret");
    entered.unwrap();
    change(&mut world, thief, "secret", "stolen").unwrap();
    let (second, entered) = login(&mut world, 2, "stolen");
    assert_eq!(notice(entered), None);
    change(&mut world, thief, "stolen", "stolen again").unwrap();
    world.heal();
    world.run(2000);

    // Whoever came in by the thief's password is out, everywhere, and the owner is still in.
    let out = Some(&CloseReason::LoggedOut);
    assert_eq!([world.closed.get(&thief), world.closed.get(&second), world.closed.get(&owner)], [out, out, None]);
    for node in 0..3 {
        for wrong in ["secret", "stolen", "stolen again"] {
            assert_eq!(login(&mut world, node, wrong).1, Err(Refusal::WrongLogin), "{wrong}, at {node}");
        }
        let told = notice(login(&mut world, node, "new one").1);
        assert_eq!(told, Some(Notice::PasswordChangedTwice), "at {node}");
    }
    // The owner changes it once more, and nobody needs to be told any more.
    change(&mut world, owner, "new one", "newer one").unwrap();
    world.run(100);
    for node in 0..3 {
        assert_eq!(notice(login(&mut world, node, "newer one").1), None);
    }
    // The same after a start on the log.
    world.kill(2);
    world.start(2);
    world.run(2000);
    assert_eq!(login(&mut world, 2, "stolen again").1, Err(Refusal::WrongLogin));
    login(&mut world, 2, "newer one").1.unwrap();
}

/// Both have given the right old password. The second one to be hashed finds that it is not in force any more.
#[test]
fn of_two_changes_at_once_the_second_is_refused() {
    let mut world = World::new(3);
    let one = world.connect(0);
    world.create(one, "alice").unwrap();
    let (other, entered) = login(&mut world, 0, "secret");
    entered.unwrap();
    let (first, second) = (password("secret", "of one", &mut world), password("secret", "of the other", &mut world));
    let asked: Vec<(ConnectionId, Tag)> =
        [(one, first), (other, second)].into_iter().map(|(id, request)| (id, world.ask(id, request))).collect();
    world.run(100);
    let answers: Vec<_> = asked.iter().map(|&(id, tag)| world.answer(id, tag).cloned().unwrap()).collect();
    assert!(matches!(answers[0], Ok(Answer::Stored(_))), "{answers:?}");
    assert!(matches!(answers[1], Err(Refusal::BadPassword(_) | Refusal::NotLoggedIn)), "{answers:?}");
    login(&mut world, 1, "of one").1.unwrap();
    assert_eq!(login(&mut world, 1, "of the other").1, Err(Refusal::WrongLogin));
}

/// Of each change something is kept for ever.
#[test]
fn a_password_is_not_changed_without_end() {
    let mut world = World::new(3);
    let alice = world.connect(0);
    world.create(alice, "alice").unwrap();
    let mut last = "secret".to_owned();
    for n in 0..20 {
        let next = format!("password {n}");
        change(&mut world, alice, &last, &next).unwrap();
        last = next;
    }
    assert!(matches!(change(&mut world, alice, &last, "one more"), Err(Refusal::BadPassword(_))));
    world.run(24 * 3600 * 1000);
    change(&mut world, alice, &last, "one more").unwrap();
}

/// The answer did not come, so the client asks once more, with the same key.
#[test]
fn a_change_asked_for_once_more_is_stored_once() {
    let mut world = World::new(3);
    let one = world.connect(0);
    world.create(one, "alice").unwrap();
    // Two connections of one session: that goes on.
    let again = world.connect(0);
    world.resume(again, "alice");
    let request = password("secret", "new one", &mut world);
    let asked: Vec<(ConnectionId, Tag)> =
        [one, again].into_iter().map(|id| (id, world.ask(id, request.clone()))).collect();
    world.run(100);
    let answers: Vec<_> = asked.iter().map(|&(id, tag)| world.answer(id, tag).cloned().unwrap()).collect();
    let stored = |answer: &Result<Answer, Refusal>| matches!(answer, Ok(Answer::Stored(_)));
    assert!(answers.iter().all(stored), "while the first try is hashed: {answers:?}");
    assert_eq!(changes(&world, 0), 1);
    // Also when another device has changed the password since.
    let (other, entered) = login(&mut world, 1, "new one");
    entered.unwrap();
    change(&mut world, other, "new one", "newer one").unwrap();
    world.run(100);
    let (late, entered) = login(&mut world, 0, "newer one");
    entered.unwrap();
    assert!(stored(&world.call(late, request)));
    assert_eq!(changes(&world, 0), 2);
    login(&mut world, 2, "newer one").1.unwrap();
}

/// How many changes of a password a replica has on disk.
fn changes(world: &World, node: usize) -> usize {
    world.nodes[node].log.iter().filter(|fact| matches!(fact.body, Body::Password(_))).count()
}

/// The owner has changed the password at the first replica and, with the same key and before, at one that was cut off
/// and is not any more.
fn two_copies() -> (World, ConnectionId) {
    let mut world = World::new(3);
    let one = world.connect(0);
    world.create(one, "alice").unwrap();
    world.run(100);
    world.cut(0, 1);
    world.cut(1, 2);
    world.run(1000);
    let elsewhere = world.connect(1);
    world.resume(elsewhere, "alice");
    let request = password("secret", "new one", &mut world);
    assert!(world.call(elsewhere, request.clone()).is_ok());
    // What is written here comes later in the order of display.
    for n in 0..50 {
        world.send_text(one, "alice", &n.to_string());
    }
    assert!(world.call(one, request).is_ok());
    world.heal();
    (world, one)
}

/// The other copy comes, and is the earlier one, while a password is checked here: it is the same password.
#[test]
fn checks_go_on_when_a_copy_of_the_change_comes() {
    let (mut world, _) = two_copies();
    let order = |node: usize| {
        let log = &world.nodes[node].log;
        log.iter().rev().find(|fact| matches!(fact.body, Body::Password(_))).map(|fact| fact.order())
    };
    assert!(order(1) < order(0));
    let mut comes = 0;
    while changes(&world, 0) < 2 {
        world.run(1);
        comes += 1;
        assert!(comes < 5000);
    }
    for early in 0..5 {
        let (mut world, one) = two_copies();
        world.run(comes - early);
        let device = world.connect(0);
        let login = Request::Login { name: "alice".into(), password: Password("new one".into()) };
        let login = world.ask(device, login);
        let change = password("new one", "newer one", &mut world);
        let change = world.ask(one, change);
        world.run(1000);
        let (login, change) = (world.answer(device, login), world.answer(one, change));
        assert!(matches!(login, Some(Ok(Answer::LoggedIn { .. }))), "{early} ms before: {login:?}");
        assert!(matches!(change, Some(Ok(Answer::Stored(_)))), "{early} ms before: {change:?}");
    }
}
