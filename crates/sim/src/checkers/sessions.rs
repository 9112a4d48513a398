//! Nobody is logged out by a clock, or by others who log in: no run takes a month, whatever clocks say. A replica ends a
//! session for another one only where nobody is connected with it, and only where there are guests, who open many.

use lastword_facts::{Body, Fact};

use crate::world::World;

/// A fact was handed to a disk. (Alone in its group, a replica believes the clock that it was started with.)
pub(crate) fn on_made(world: &mut World, node: usize, fact: &Fact) {
    let Body::Logout(logout) = &fact.body else { return };
    if !world.has_guests && world.nodes.len() > 1 {
        world.violated(format!("a session of {:?} was ended", fact.author));
    }
    if world.guests.logged_out.contains(&logout.token) {
        return;
    }
    let of_guest = world.guests_at(node).any(|visit| visit.token == Some(logout.token));
    let mut clients = world.connections.values();
    let of_client = clients.any(|connection| connection.node == node && connection.token == Some(logout.token));
    if of_guest || of_client {
        world.violated(format!("n{node} has ended a session of {:?}, and somebody is there with it", fact.author));
    }
}
