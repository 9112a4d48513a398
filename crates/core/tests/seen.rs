//! Transcripts: what somebody says that they have seen.

mod world;

use lastword_core::io::{Answer, ConnectionId, Receiver, Refusal, Request};
use lastword_facts::ids::Stamp;
use lastword_facts::token::SessionToken;
use world::{World, send};

/// The largest stamp of a fact that a replica has.
fn latest(world: &World, node: usize) -> Stamp {
    world.nodes[node].log.iter().map(|fact| fact.stamp).max().unwrap_or_default()
}

fn pages(world: &mut World, connection: ConnectionId) -> Vec<String> {
    let (mut texts, mut before) = (Vec::new(), None);
    loop {
        let request = Request::History { with: Receiver::Name("bob".into()), limit: 2, before, bytes: u32::MAX };
        let Ok(Answer::History { messages, more, .. }) = world.call(connection, request) else { panic!() };
        texts.extend(messages.iter().map(|view| view.message.text.clone()));
        if !more {
            texts.reverse();
            return texts;
        }
        before = messages.last().map(|view| view.message.order);
    }
}

#[test]
fn what_a_stranger_has_seen_counts_for_nothing() {
    let mut world = World::new(3);
    let (alice, bob) = (world.connect(0), world.connect(1));
    world.create(alice, "alice").unwrap();
    world.create(bob, "bob").unwrap();
    let hour_us = 3_600_000_000;
    for seen in [Stamp(latest(&world, 0).0 + hour_us), Stamp::HORIZON, Stamp::MAX, Stamp(u64::MAX)] {
        let stranger = world.connect(0);
        let token = SessionToken([9; 32]).hash();
        let answer = world.call(stranger, Request::Resume { token, seen: Some(seen) });
        assert_eq!(answer, Err(Refusal::WrongLogin));
    }
    let texts: Vec<String> = (0..9).map(|n| n.to_string()).collect();
    for text in &texts {
        world.send_text(alice, "bob", text);
    }
    assert_eq!(pages(&mut world, alice), texts);
    assert!(latest(&world, 1).0 < 1_700_000_000_000_000 + hour_us / 2, "{:?}", latest(&world, 1));
}

/// However far ahead another replica's clock was.
#[test]
fn what_a_session_has_seen_counts_without_a_cap() {
    let mut world = World::new(3);
    let alice = world.connect(0);
    let Ok(Answer::Created { token, .. }) = world.create(alice, "alice") else { panic!() };
    let years = Stamp(latest(&world, 0).0 + 300_000_000_000_000);
    let device = world.connect(1);
    world.run(100);
    world.call(device, Request::Resume { token: token.hash(), seen: Some(years) }).unwrap();
    let key = world.key();
    let Ok(Answer::Sent { seen, .. }) = world.call(device, send("alice", "hi", key)) else { panic!() };
    assert!(seen > years);
}
