//! What must be true, of what people saw and what disks hold. (That a position never has two facts, that
//! a vector claims only what is durable, that copies are where an answer says, and that answers come in
//! time, is checked while the run goes on.)

mod delivered;
mod equal;
mod kept;
mod names;
mod once;
mod order;

use crate::world::World;

pub(crate) fn check(world: &mut World) {
    let mut violations = Vec::new();
    violations.extend(kept::check(world));
    violations.extend(once::check(world));
    violations.extend(order::check(world));
    violations.extend(delivered::check(world));
    violations.extend(equal::check(world));
    violations.extend(names::check(world));
    for violation in violations {
        world.violated(violation);
    }
}
