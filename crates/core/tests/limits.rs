//! Transcripts of what happens at limits: nothing is lost, and nothing overtakes what was refused.

mod world;

use lastword_core::Input;
use lastword_core::Settings;
use lastword_core::io::{Answer, ConnectionId, DiskRoom, Password, Receiver, Refusal, Request};
use world::{World, send};

fn texts(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

/// Sends these at once, and says which of them were taken.
fn burst(world: &mut World, from: ConnectionId, to: &str, range: std::ops::Range<usize>) -> Vec<String> {
    let mut asked = Vec::new();
    for n in range {
        let key = world.key();
        asked.push((n, world.ask(from, send(to, &n.to_string(), key))));
    }
    world.run(300);
    let mut taken = Vec::new();
    for (n, tag) in asked {
        match world.answer(from, tag).expect("answered") {
            Ok(Answer::Sent { .. }) => taken.push(n.to_string()),
            Err(Refusal::MailboxFull { retry_ms: 1000 } | Refusal::TooMany { retry_ms: 1000 }) => {}
            other => panic!("{other:?}"),
        }
    }
    taken
}

#[test]
fn so_many_may_wait_for_one_and_not_for_another() {
    // A sender who only writes takes a fifth of it.
    let mut world = World::with(3, Settings { mailbox: 100, ..Settings::default() });
    let (alice, bob, carol) = (world.connect(0), world.connect(1), world.connect(2));
    for (connection, name) in [(alice, "alice"), (bob, "bob"), (carol, "carol")] {
        world.create(connection, name).unwrap();
    }
    // They come one after the other, so that what is counted is what waits.
    for n in 0..20 {
        assert_eq!(burst(&mut world, alice, "bob", n..n + 1).len(), 1, "{n}");
    }
    assert_eq!(burst(&mut world, alice, "bob", 20..25), texts(0..0));
    let again = world.connect(1);
    world.login(again, "alice").unwrap();
    assert_eq!(burst(&mut world, again, "bob", 20..22), texts(0..0), "on another replica, too");
    assert_eq!(burst(&mut world, alice, "carol", 0..3), texts(0..0), "before she could know");
    world.run(3000);
    assert_eq!(burst(&mut world, alice, "carol", 0..3), texts(0..3), "somebody else");

    // The rest of it is for others.
    assert_eq!(burst(&mut world, carol, "bob", 20..22), texts(20..22));

    // As soon as it is read there is room again.
    world.call(bob, Request::Listen).unwrap();
    world.run(100);
    assert_eq!(world.texts(bob), texts(0..22));
    world.confirm_last(bob);
    world.run(1000);
    burst(&mut world, alice, "bob", 20..21);
    world.run(3000);
    assert_eq!(burst(&mut world, alice, "bob", 30..35), texts(30..35));
}

#[test]
fn nothing_overtakes_what_is_to_come_later() {
    let mut world = World::with(3, Settings { in_flight: 10, ..Settings::default() });
    let (alice, bob) = (world.connect(0), world.connect(1));
    world.create(alice, "alice").unwrap();
    world.create(bob, "bob").unwrap();
    world.call(bob, Request::Listen).unwrap();
    let mut left: Vec<usize> = (0..60).collect();
    let keys: Vec<_> = left.iter().map(|_| world.key()).collect();
    // Some come when there is room again: they were sent before their sender could know of the refusals. What was
    // refused comes again, with its key and in its order.
    for round in 0..20 {
        let mut asked = Vec::new();
        for &n in &left {
            asked.push((n, world.ask(alice, send("bob", &n.to_string(), keys[n]))));
            world.run(if n % 20 == 19 { 10 } else { 0 });
        }
        world.run(600);
        let taken = |&(_, tag): &(usize, _)| matches!(world.answer(alice, tag), Some(Ok(Answer::Sent { .. })));
        let count = asked.iter().filter(|asked| taken(asked)).count();
        assert!(asked.iter().take(count).all(taken), "those that were taken are the first");
        assert!(count > 0 && (round > 0 || count < 20), "{count} in round {round}");
        left.drain(..count);
        if left.is_empty() {
            break;
        }
    }
    world.send_text(alice, "bob", "last");
    let all: Vec<String> = (0..60).map(|n| n.to_string()).chain(["last".to_owned()]).collect();
    assert_eq!(world.texts(bob), all);
}

/// With the last of the disk people can still log in, change a password and go; there are no new messages or accounts.
#[test]
fn a_full_disk_has_a_reserve_for_people() {
    let mut world = World::new(1);
    let (alice, bob) = (world.connect(0), world.connect(0));
    world.create(alice, "alice").unwrap();
    world.create(bob, "bob").unwrap();
    world.send_text(bob, "alice", "before");
    let watcher = world.connect(0);
    let disk_full = |world: &mut World| match world.call(watcher, Request::Status).unwrap() {
        Answer::Status { health, .. } => health.disk_full,
        other => panic!("{other:?}"),
    };
    assert!(!disk_full(&mut world));
    world.input(0, Input::DiskRoom(DiskRoom::Reserve));
    assert!(disk_full(&mut world));
    let key = world.key();
    assert_eq!(world.call(bob, send("alice", "x", key)), Err(Refusal::StorageFull));
    let stranger = world.connect(0);
    assert_eq!(world.create(stranger, "carol"), Err(Refusal::StorageFull));
    let again = world.connect(0);
    assert!(matches!(world.login(again, "alice"), Ok(Answer::LoggedIn { pending: 1, .. })));
    let (old, new, key) = (Password("secret".into()), Password("another".into()), world.key());
    assert!(world.call(again, Request::Password { old, new, key }).is_ok());
    world.call(again, Request::Listen).unwrap();
    world.run(100);
    world.confirm_last(again);
    world.input(0, Input::DiskRoom(DiskRoom::None));
    assert!(disk_full(&mut world));
    let last = world.connect(0);
    assert_eq!(world.login(last, "bob"), Err(Refusal::StorageFull));
    let key = world.key();
    assert!(world.call(bob, Request::Delete { key }).is_ok(), "what makes room goes on");
    world.input(0, Input::DiskRoom(DiskRoom::Enough));
    assert!(!disk_full(&mut world));
    assert!(world.create(stranger, "carol").is_ok());
}

#[test]
fn an_account_may_write_so_much_in_a_day() {
    let mut world = World::with(1, Settings { account_bytes_per_day: Some(86_400), ..Settings::default() });
    let (alice, bob) = (world.connect(0), world.connect(0));
    world.create(alice, "alice").unwrap();
    world.create(bob, "bob").unwrap();
    let text = "x".repeat(10_000);
    let mut write = |connection, text: &str| {
        let key = world.key();
        world.call(connection, send("bob", text, key))
    };
    let taken = (0..20).take_while(|_| write(alice, &text).is_ok()).count();
    assert_eq!(taken, 8);
    let Err(Refusal::QuotaUsed { retry_ms }) = write(alice, &text) else { panic!() };
    assert!((1000..10_000_000).contains(&retry_ms), "{retry_ms}");
    assert!(write(bob, &text).is_ok(), "others go on");
    world.run(retry_ms + 3000);
    let key = world.key();
    assert!(world.call(alice, send("bob", &text, key)).is_ok());
}

/// One account that has all of its share waiting for disks leaves room for others.
#[test]
fn an_account_has_a_share_of_what_is_in_flight() {
    let mut world = World::with(1, Settings { in_flight: 40, ..Settings::default() });
    let (alice, bob) = (world.connect(0), world.connect(0));
    world.create(alice, "alice").unwrap();
    world.create(bob, "bob").unwrap();
    let ask = |world: &mut World, connection, n: usize| {
        let key = world.key();
        world.ask(connection, send("bob", &n.to_string(), key))
    };
    let asked: Vec<_> = (0..60).map(|n| ask(&mut world, alice, n)).collect();
    let other = ask(&mut world, bob, 0);
    world.run(300);
    let taken = asked.iter().filter(|&&tag| matches!(world.answer(alice, tag), Some(Ok(_)))).count();
    assert_eq!(taken, 10);
    assert!(matches!(world.answer(bob, other), Some(Ok(_))));
}

/// What somebody writes waits for the disk behind all that was written before: of a flood of long messages only as much
/// is taken as the disk soon has, and others write on.
#[test]
fn long_messages_of_one_account_leave_room_on_the_way_to_the_disk() {
    const MOST: usize = 100_000;
    let mut world = World::with(1, Settings { in_flight_bytes: MOST, ..Settings::default() });
    let (alice, bob, carol) = (world.connect(0), world.connect(0), world.connect(0));
    for (connection, name) in [(alice, "alice"), (bob, "bob"), (carol, "carol")] {
        world.create(connection, name).unwrap();
    }
    let ask = |world: &mut World, connection, text: &str| {
        let key = world.key();
        world.ask(connection, send("bob", text, key))
    };
    let long = "x".repeat(10_000);
    let asked: Vec<_> = (0..60).map(|_| ask(&mut world, alice, &long)).collect();
    let other = ask(&mut world, carol, &long);
    world.run(300);
    let taken = asked.iter().filter(|&&tag| matches!(world.answer(alice, tag), Some(Ok(_)))).count();
    assert_eq!(taken, MOST / 10_000);
    assert!(matches!(world.answer(carol, other), Some(Ok(_))), "an equal part is free for everybody");
    // What was told to come later finds room now.
    assert_eq!(burst(&mut world, carol, "bob", 0..5).len(), 5);
}

/// An account that asks for a thousand pages has two of them looked up at a time, and all are answered: the connection
/// waits with what it asks for behind the first ones.
#[test]
fn pages_of_an_account_wait_for_one_another() {
    let mut world = World::with(1, Settings::default());
    let (alice, bob) = (world.connect(0), world.connect(0));
    world.create(alice, "alice").unwrap();
    world.create(bob, "bob").unwrap();
    world.send_text(alice, "bob", "hello");
    world.run(100);
    let history = || Request::History { with: Receiver::Name("bob".into()), limit: 10, before: None, bytes: 1000 };
    let asked: Vec<_> = (0..1100).map(|_| world.ask(alice, history())).collect();
    assert_eq!(world.looked_up_at_once(0), 2);
    world.run(5000);
    let answered = |tag| matches!(world.answer(alice, tag), Some(Ok(Answer::History { .. })));
    assert_eq!(asked.iter().filter(|&&tag| answered(tag)).count(), 1100);
    // Those of a connection that has gone are passed over, and the others go on.
    let other = world.connect(0);
    world.resume(other, "alice");
    for _ in 0..10 {
        world.ask(alice, history());
    }
    let last = world.ask(other, history());
    world.hang_up(alice);
    world.run(1000);
    assert!(matches!(world.answer(other, last), Some(Ok(_))));
}
