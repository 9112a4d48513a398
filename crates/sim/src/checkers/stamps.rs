//! No stamp is pushed to where no clock goes, and those of one incarnation rise: whatever strangers say.

use lastword_facts::Fact;
use lastword_facts::ids::Stamp;

use crate::world::World;

/// No clock here gets so far: they are wrong by some decades.
const FAR: Stamp = Stamp(1 << 55);

/// A replica has made a fact, and hands it to its disk.
pub(crate) fn on_made(world: &mut World, node: usize, fact: &Fact) {
    let from_nowhere = fact.stamp >= Stamp(Stamp::MAX.0 - 1);
    if fact.stamp > FAR && !from_nowhere {
        world.violated(format!("n{node} has a fact with the stamp {:?}", fact.stamp));
    }
    let before = world.facts.get(&fact.previous());
    if before.is_some_and(|before| before.stamp >= fact.stamp && before.body != lastword_facts::Body::Lost) {
        world.violated(format!("the stamp of {:?} is not above that of the one before it", fact.position));
    }
}
