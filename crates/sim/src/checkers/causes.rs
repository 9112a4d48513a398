//! An answer comes after what it answers in every log, where the replica that took it had that one.

use std::sync::Arc;

use lastword_facts::{Body, Fact};

use crate::world::World;

/// A message is made at a replica: does that have what it answers?
pub(crate) fn on_made(world: &mut World, node: usize, fact: &Arc<Fact>) {
    let Body::Message(message) = &fact.body else { return };
    let mut words = message.text.split(':').map(|word| word.parse::<usize>().ok());
    let (Some(Some(author)), Some(Some(number))) = (words.next(), words.next()) else { return };
    let answers = world.people.get(author).and_then(|person| person.sent.get(number)).and_then(|sent| sent.answers);
    let Some((person, number)) = answers else { return };
    let Some(identity) = world.people[person].identity_of(number) else { return };
    let positions = world.positions.get(&identity).into_iter().flatten();
    let disk = &world.nodes[node].disk;
    if let Some(&position) = positions.into_iter().find(|&&position| disk.has_or_gets(position)) {
        world.rests_on.insert(fact.position, position);
    }
}

pub(super) fn check(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for (&answer, &answered) in &world.rests_on {
        // What is lost can't say any more what those after it rested on.
        if world.lost.iter().any(|lost| lost.incarnation == answer.incarnation) {
            continue;
        }
        for (n, node) in world.nodes.iter().enumerate() {
            let Some(place) = node.disk.place(answer) else { continue };
            if node.disk.place(answered).is_none_or(|before| before > place) {
                wrong.push(format!("in the log of n{n} the answer {answer:?} stands before {answered:?}"));
            }
        }
    }
    wrong
}
