//! Conversations, and being told when the people in them come and go.

mod world;

use lastword_core::io::{Answer, ConnectionId, Event, Person, Receiver, Refusal, Request};
use lastword_facts::ids::Order;
use world::World;

/// Longer than a change takes to settle.
const SETTLED_MS: u64 = 600;

fn person(world: &mut World, node: usize, name: &str) -> ConnectionId {
    let connection = world.connect(node);
    world.create(connection, name).expect("created");
    connection
}

fn listening(world: &mut World, node: usize, name: &str) -> ConnectionId {
    let connection = world.connect(node);
    world.login(connection, name).expect("logged in");
    world.call(connection, Request::Listen).expect("listens");
    connection
}

/// With whom, whether they are online, and the last text: as it is answered.
fn conversations(world: &mut World, connection: ConnectionId, limit: u32) -> (Vec<(String, bool, String)>, bool) {
    let (rows, more, _) = page(world, connection, limit, None);
    (rows, more)
}

/// The same of those that go on below a message; with where the next page goes on.
fn page(
    world: &mut World,
    connection: ConnectionId,
    limit: u32,
    before: Option<Order>,
) -> (Vec<(String, bool, String)>, bool, Option<Order>) {
    match world.call(connection, Request::Conversations { limit, before }) {
        Ok(Answer::Conversations { conversations, more }) => {
            let next = conversations.last().map(|one| one.last.message.order);
            let show = |with: Person, text: String| (with.name.to_string(), with.online, text);
            (conversations.into_iter().map(|one| show(one.with, one.last.message.text)).collect(), more, next)
        }
        other => panic!("no conversations: {other:?}"),
    }
}

/// What a connection was told of who came and went, since this was last asked.
fn told(world: &mut World, connection: ConnectionId) -> Vec<String> {
    let events = world.events.insert(connection, Vec::new()).unwrap_or_default();
    let presence = events.into_iter().filter_map(|event| match event {
        Event::Presence(Person { name, online, .. }) => Some(format!("{}{name}", if online { "+" } else { "-" })),
        _ => None,
    });
    presence.collect()
}

fn row(name: &str, online: bool, text: &str) -> (String, bool, String) {
    (name.into(), online, text.into())
}

#[test]
fn conversations_are_newest_first_and_say_who_is_online() {
    let mut world = World::new(3);
    let ann = person(&mut world, 0, "ann");
    for (node, name) in [(1, "bob"), (2, "cora"), (0, "dan")] {
        let connection = person(&mut world, node, name);
        world.run(50);
        world.send_text(connection, "ann", &format!("hi from {name}"));
    }
    world.send_text(ann, "bob", "hello bob");
    listening(&mut world, 2, "bob");
    world.run(50);
    let all = vec![row("bob", true, "hello bob"), row("dan", false, "hi from dan"), row("cora", false, "hi from cora")];
    assert_eq!(conversations(&mut world, ann, 9), (all.clone(), false));
    assert_eq!(conversations(&mut world, ann, 2), (all[..2].to_vec(), true));
    match world
        .call(ann, Request::History { with: Receiver::Name("BOB".into()), limit: 1, before: None, bytes: u32::MAX })
    {
        Ok(Answer::History { with, more: true, .. }) => assert_eq!((&*with.name, with.online), ("bob", true)),
        other => panic!("{other:?}"),
    }
    // One who is gone is no conversation any more, also if he goes while the views are asked.
    let dan = world.connect(0);
    world.login(dan, "dan").expect("logged in");
    let (tag, key) = (world.ask(ann, Request::Conversations { limit: 9, before: None }), world.key());
    world.ask(dan, Request::Delete { key });
    world.run(50);
    match world.answer(ann, tag) {
        Some(Ok(Answer::Conversations { conversations, .. })) => assert_eq!(conversations.len(), 2),
        other => panic!("{other:?}"),
    }
    assert_eq!(conversations(&mut world, ann, 9).0, [all[0].clone(), all[2].clone()]);
    let stranger = world.connect(0);
    assert_eq!(world.call(stranger, Request::Conversations { limit: 9, before: None }), Err(Refusal::NotLoggedIn));
}

/// A page that came to nothing, since all in it have just gone, is the next one: nothing else says where that begins.
#[test]
fn no_page_is_empty_while_there_is_more() {
    let mut world = World::new(1);
    let ann = person(&mut world, 0, "ann");
    let [.., dan] = ["bob", "cora", "dan"].map(|name| {
        let connection = person(&mut world, 0, name);
        world.run(50);
        world.send_text(connection, "ann", "hi");
        connection
    });
    let (tag, key) = (world.ask(ann, Request::Conversations { limit: 1, before: None }), world.key());
    world.ask(dan, Request::Delete { key });
    world.run(50);
    match world.answer(ann, tag) {
        Some(Ok(Answer::Conversations { conversations, more: true })) => {
            assert_eq!(&*conversations[0].with.name, "cora")
        }
        other => panic!("{other:?}"),
    }
}

/// Ann at the first replica, and bob, who listens at none yet; they have written to each other.
fn two(world: &mut World) -> ConnectionId {
    let ann = person(world, 0, "ann");
    let bob = person(world, 1, "bob");
    world.run(50);
    world.send_text(bob, "ann", "hi");
    ann
}

#[test]
fn who_asked_is_told_when_somebody_comes_and_goes_anywhere() {
    let mut world = World::new(3);
    let ann = two(&mut world);
    person(&mut world, 1, "stranger");
    assert_eq!(conversations(&mut world, ann, 9).0, [row("bob", false, "hi")]);
    for node in 0..3 {
        let bob = listening(&mut world, node, "bob");
        listening(&mut world, node, "stranger");
        world.run(SETTLED_MS);
        assert_eq!(told(&mut world, ann), ["+bob"], "at {node}");
        // A second one makes no difference, nor does the first one going.
        let second = listening(&mut world, (node + 1) % 3, "bob");
        world.hang_up(bob);
        world.run(SETTLED_MS);
        assert_eq!(told(&mut world, ann), [""; 0], "at {node}");
        world.hang_up(second);
        world.run(SETTLED_MS);
        assert_eq!(told(&mut world, ann), ["-bob"], "at {node}");
    }
}

#[test]
fn with_further_pages_their_people_are_watched_too() {
    let mut world = World::new(1);
    let ann = person(&mut world, 0, "ann");
    for name in ["bob", "cora", "dan"] {
        let connection = person(&mut world, 0, name);
        world.run(50);
        world.send_text(connection, "ann", "hi");
        world.hang_up(connection);
    }
    let (rows, more, next) = page(&mut world, ann, 1, None);
    assert_eq!((rows, more), (vec![row("dan", false, "hi")], true));
    let (rows, more, next) = page(&mut world, ann, 1, next);
    assert_eq!((rows, more), (vec![row("cora", false, "hi")], true));
    let come = |world: &mut World| ["bob", "cora", "dan"].map(|name| listening(world, 0, name));
    let here = come(&mut world);
    world.run(SETTLED_MS);
    assert_eq!(told(&mut world, ann), ["+cora", "+dan"].map(String::from), "in the order of their coming");
    let (rows, more, next) = page(&mut world, ann, 1, next);
    assert_eq!((rows, more), (vec![row("bob", true, "hi")], false));
    assert_eq!(page(&mut world, ann, 1, next).0, [], "after the end there is nothing");
    here.into_iter().for_each(|connection| world.hang_up(connection));
    world.run(SETTLED_MS);
    assert_eq!(told(&mut world, ann), ["-bob", "-cora", "-dan"]);
    // The first page begins anew.
    assert_eq!(conversations(&mut world, ann, 1).0, [row("dan", false, "hi")]);
    come(&mut world);
    world.run(SETTLED_MS);
    assert_eq!(told(&mut world, ann), ["+dan"]);
}

#[test]
fn who_is_back_in_a_moment_was_not_gone() {
    let mut world = World::new(3);
    let ann = two(&mut world);
    let mut bob = listening(&mut world, 1, "bob");
    world.run(50);
    assert_eq!(conversations(&mut world, ann, 9).0, [row("bob", true, "hi")]);
    for node in [1, 2, 1] {
        world.hang_up(bob);
        world.run(200);
        bob = listening(&mut world, node, "bob");
        world.run(SETTLED_MS);
    }
    assert_eq!(told(&mut world, ann), [""; 0]);
}

#[test]
fn with_a_lost_replica_its_people_go_and_come_back_with_it() {
    let mut world = World::new(3);
    let ann = two(&mut world);
    listening(&mut world, 2, "bob");
    world.run(50);
    assert_eq!(conversations(&mut world, ann, 9).0, [row("bob", true, "hi")]);
    world.cut(0, 2);
    world.run(SETTLED_MS);
    assert_eq!(told(&mut world, ann), ["-bob"]);
    world.heal();
    world.run(1000);
    assert_eq!(told(&mut world, ann), ["+bob"]);
    world.kill(2);
    world.run(SETTLED_MS);
    assert_eq!(told(&mut world, ann), ["-bob"]);
}

#[test]
fn nobody_is_told_who_did_not_ask_or_has_left() {
    let mut world = World::new(3);
    let ann = two(&mut world);
    let silent = listening(&mut world, 0, "ann");
    let gone = listening(&mut world, 0, "ann");
    for connection in [ann, gone] {
        assert_eq!(conversations(&mut world, connection, 9).0.len(), 1);
    }
    let key = world.key();
    world.call(gone, Request::Logout { key }).expect("logged out");
    listening(&mut world, 1, "bob");
    world.run(SETTLED_MS);
    assert_eq!(told(&mut world, ann), ["+bob"]);
    for connection in [silent, gone] {
        assert_eq!(told(&mut world, connection), [""; 0]);
    }
}

/// Who listens where is told before the facts of a third replica have come, which say who that is.
#[test]
fn somebody_who_is_not_known_yet_is_online_once_they_are() {
    let mut world = World::new(3);
    person(&mut world, 2, "ann");
    world.kill(0);
    world.run(1000);
    let dave = person(&mut world, 1, "dave");
    world.send_text(dave, "ann", "hi");
    world.run(200);
    world.kill(1);
    world.run(1000);
    let mut here = listening(&mut world, 2, "dave");
    world.run(200);
    world.start(0);
    world.run(3000);
    let back = world.connect(0);
    world.login(back, "ann").expect("logged in");
    for online in [true, false, true] {
        assert_eq!(conversations(&mut world, back, 9).0, [row("dave", online, "hi")]);
        if online {
            world.hang_up(here);
        } else {
            here = listening(&mut world, 2, "dave");
        }
        world.run(50);
    }
}
