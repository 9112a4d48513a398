//! One visible message an identity, and to nobody but its receiver.

use std::collections::BTreeSet;

use crate::world::World;

pub(super) fn check(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for person in &world.people {
        let mut seen = BTreeSet::new();
        for shown in &person.shown {
            // A client that was started anew can't know what its user has seen.
            if !seen.insert((shown.life, shown.from, shown.number)) {
                wrong.push(format!("p{} was shown {}:{} twice", person.number, shown.from, shown.number));
            }
            let author = world.people.get(shown.from);
            let meant = author.and_then(|author| author.sent.get(shown.number)).map(|sent| sent.to);
            if meant != Some(person.number) || person.account.as_ref() != Some(&shown.to_account) {
                wrong.push(format!(
                    "p{} was shown {}:{}, which was not for him",
                    person.number, shown.from, shown.number
                ));
            }
        }
    }
    wrong
}
