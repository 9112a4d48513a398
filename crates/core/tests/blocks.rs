//! Transcripts: somebody blocks somebody else.

mod world;

use lastword_core::Settings;
use lastword_core::io::{Answer, ConnectionId, Event, Receiver, Refusal, Request};
use world::{World, send};

fn block(world: &mut World, by: ConnectionId, who: &str, on: bool) -> Result<Answer, Refusal> {
    let key = world.key();
    world.call(by, Request::Block { who: Receiver::Name(who.into()), on, key })
}

fn blocked(world: &mut World, by: ConnectionId) -> Vec<String> {
    match world.call(by, Request::Blocked { limit: 100, after: None }) {
        Ok(Answer::Blocked { people, more: false }) => people.iter().map(|person| person.name.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

fn pending(world: &mut World, of: ConnectionId) -> Vec<String> {
    match world.call(of, Request::Pending { limit: 100, after: None }) {
        Ok(Answer::Pending { messages, .. }) => messages.iter().map(|view| view.message.text.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

fn conversations(world: &mut World, of: ConnectionId) -> Vec<String> {
    match world.call(of, Request::Conversations { limit: 100, before: None }) {
        Ok(Answer::Conversations { conversations, .. }) => {
            conversations.iter().map(|one| format!("{}: {}", one.with.name, one.last.message.text)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn receipts(world: &World, of: ConnectionId) -> usize {
    let events = world.events.get(&of).into_iter().flatten();
    events.filter(|event| matches!(event, Event::Receipt { .. })).count()
}

/// Ann at the first replica, eve at the second, ben at the third; ann and eve listen.
fn people(world: &mut World) -> [ConnectionId; 3] {
    let all = [world.connect(0), world.connect(1), world.connect(2)];
    for (connection, name) in all.into_iter().zip(["ann", "eve", "ben"]) {
        world.create(connection, name).unwrap();
    }
    world.call(all[0], Request::Listen).unwrap();
    world.call(all[1], Request::Listen).unwrap();
    world.run(500);
    all
}

#[test]
fn what_a_blocked_person_writes_is_seen_by_them_alone() {
    let mut world = World::new(3);
    let [ann, eve, ben] = people(&mut world);
    world.send_text(eve, "ann", "before");
    world.run(300);
    world.confirm_last(ann);
    assert!(matches!(block(&mut world, ann, "EVE", true), Ok(Answer::Stored(copies)) if copies.stored == 3));
    assert_eq!(blocked(&mut world, ann), ["eve"]);
    world.run(300);
    assert_eq!(receipts(&world, eve), 1);
    // The one who is blocked is told what everybody is told who writes to somebody away.
    assert_eq!(world.send_text(eve, "ann", "buy!").stored, 3);
    world.send_text(ben, "ann", "hello");
    world.run(300);
    assert_eq!(world.texts(ann), ["before", "hello"]);
    world.confirm_last(ann);
    world.run(500);
    assert_eq!(receipts(&world, eve), 1, "no receipt, also when what came after it is confirmed");
    assert_eq!(pending(&mut world, eve), ["buy!"]);
    assert_eq!(world.history(eve, "ann"), ["before", "buy!"]);
    assert_eq!(world.history(ann, "eve"), ["before"]);
    assert_eq!(conversations(&mut world, ann), ["ben: hello", "eve: before"]);
    assert_eq!(conversations(&mut world, eve), ["ann: buy!"]);
    // On every replica, and at the next login.
    for node in 0..3 {
        let again = world.connect(node);
        assert!(matches!(world.login(again, "ann"), Ok(Answer::LoggedIn { pending: 0, .. })));
        assert_eq!(world.call(again, Request::Listen), Ok(Answer::Listening { pending: 0 }));
        world.run(200);
        assert_eq!(world.texts(again), [""; 0]);
        assert_eq!(blocked(&mut world, again), ["eve"]);
    }
    // Ann can write to eve all the same.
    world.send_text(ann, "eve", "no");
    world.run(200);
    assert_eq!(world.texts(eve), ["no"]);
    // Unblocked, only what comes from then on comes.
    block(&mut world, ann, "eve", false).unwrap();
    world.run(300);
    world.send_text(eve, "ann", "sorry");
    world.run(300);
    assert_eq!(world.texts(ann), ["before", "hello", "sorry"]);
    assert_eq!(world.history(ann, "eve"), ["before", "no", "sorry"]);
    assert_eq!(world.history(eve, "ann"), ["before", "buy!", "no", "sorry"]);
    assert_eq!(blocked(&mut world, ann), [""; 0]);
}

#[test]
fn a_full_mailbox_is_not_made_by_who_is_blocked() {
    let mut world = World::with(1, Settings { mailbox: 10, ..Settings::default() });
    let (ann, eve, ben) = (world.connect(0), world.connect(0), world.connect(0));
    for (connection, name) in [(ann, "ann"), (eve, "eve"), (ben, "ben")] {
        world.create(connection, name).unwrap();
    }
    block(&mut world, ann, "eve", true).unwrap();
    for n in 0..30 {
        let key = world.key();
        // Taken as long as anybody else's would be; what was taken is in nobody's way.
        let taken = world.call(eve, send("ann", &n.to_string(), key));
        assert!(matches!(taken, Ok(_) | Err(Refusal::MailboxFull { .. })), "{taken:?}");
    }
    assert_eq!(world.send_text(ben, "ann", "hello").stored, 1);
}

/// What was taken in where the block was not known yet is held back while the block stands.
#[test]
fn across_a_split_it_is_held_back_and_comes_after_the_block() {
    let mut world = World::new(3);
    let [ann, eve, ben] = people(&mut world);
    world.cut(0, 1);
    world.cut(1, 2);
    world.run(3000);
    block(&mut world, ann, "eve", true).unwrap();
    world.send_text(eve, "ann", "meanwhile");
    world.heal();
    world.run(5000);
    assert_eq!(world.texts(ann), [""; 0]);
    world.send_text(ben, "ann", "hello");
    world.run(300);
    assert_eq!(world.texts(ann), ["hello"]);
    let again = world.connect(1);
    world.login(again, "ann").unwrap();
    world.call(again, Request::Listen).unwrap();
    world.run(300);
    assert_eq!(world.texts(again), ["hello"], "the same elsewhere");
    block(&mut world, again, "eve", false).unwrap();
    let after = world.connect(2);
    world.login(after, "ann").unwrap();
    world.call(after, Request::Listen).unwrap();
    world.run(300);
    let mut texts = world.texts(after);
    texts.sort();
    assert_eq!(texts, ["hello", "meanwhile"]);
}

#[test]
fn the_same_key_is_the_same_block_and_nonsense_is_refused() {
    let mut world = World::new(1);
    let (ann, eve) = (world.connect(0), world.connect(0));
    world.create(ann, "ann").unwrap();
    world.create(eve, "eve").unwrap();
    let key = world.key();
    let request = Request::Block { who: Receiver::Name("eve".into()), on: true, key };
    assert!(world.call(ann, request.clone()).is_ok());
    let facts = world.nodes[0].log.len();
    assert!(world.call(ann, request).is_ok());
    assert_eq!(world.nodes[0].log.len(), facts);
    assert!(matches!(block(&mut world, ann, "ann", true), Err(Refusal::BadRequest(_))));
    assert!(matches!(block(&mut world, ann, "nobody", true), Err(Refusal::NoSuchUser(_))));
    let stranger = world.connect(0);
    assert_eq!(block(&mut world, stranger, "ann", true), Err(Refusal::NotLoggedIn));
    // Of somebody who is gone nothing is listed, and who takes the name is somebody else.
    let key = world.key();
    world.call(eve, Request::Delete { key }).unwrap();
    assert_eq!(blocked(&mut world, ann), [""; 0]);
    let eve = world.connect(0);
    world.create(eve, "eve").unwrap();
    let key = world.key();
    assert!(world.call(eve, send("ann", "hi", key)).is_ok());
    assert_eq!(world.history(ann, "eve"), ["hi"]);
}

/// Whoever is blocked meets the limits that everybody meets: else they would know by writing more than those let in.
#[test]
fn limits_do_not_betray_a_block() {
    let mut world = World::with(3, Settings { mailbox: 100, ..Settings::default() });
    let [ann, eve, ben] = people(&mut world);
    world.hang_up(ann);
    let again = world.connect(0);
    world.login(again, "ann").unwrap();
    block(&mut world, again, "eve", true).unwrap();
    world.run(100);
    let mut write = |from: ConnectionId| {
        let mut taken = 0;
        for n in 0..40 {
            let key = world.key();
            taken += usize::from(world.call(from, send("ann", &n.to_string(), key)).is_ok());
        }
        taken
    };
    let of_eve = write(eve);
    assert_eq!(of_eve, 20, "a fifth of it");
    assert_eq!(write(ben), of_eve, "and as much for ben, who took nothing of hers");
}
