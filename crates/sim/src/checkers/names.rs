//! Names have one owner among replicas that are connected, also through a third; who got one keeps it,
//! unless something came between the replicas.

use std::time::Duration;

use lastword_core::Mono;
use lastword_facts::ids::{AccountId, Position};
use lastword_facts::{Body, Fact};

use crate::network::pair;
use crate::person::Stage;
use crate::world::World;

/// A claim is made so long after its replica was last at odds with another one.
const MARGIN: Duration = Duration::from_millis(500);

pub(super) fn check(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some(core) = world.nodes.iter().find_map(|node| node.core.as_ref()) else { return wrong };
    let accounts: Vec<(AccountId, String)> = core.accounts().map(|(id, name, _)| (id, name.to_string())).collect();
    for (id, called) in &accounts {
        let Some((name, _)) = called.split_once('~') else { continue };
        let person = world.people.iter().find(|person| person.account_id() == Some(*id));
        let Some(person) = person.filter(|person| person.stage == Stage::Chatting) else { continue };
        let owner = accounts.iter().find(|(_, other)| other.eq_ignore_ascii_case(name));
        let Some((owner, _)) = owner else { continue };
        if world.account_is_gone(person.number) {
            continue;
        }
        if let Some(through) = were_connected(world, *id, *owner) {
            wrong.push(format!(
                "p{} got {name} and lost it to {owner:?}, and nothing had come between their replicas and n{through}",
                person.number
            ));
        }
    }
    wrong
}

/// Whether the two replicas that gave a name away were connected all the while; and through whom.
fn were_connected(world: &World, told: AccountId, owner: AccountId) -> Option<usize> {
    let &(_, here, decided) = world.created.iter().find(|(account, ..)| *account == told)?;
    let made = claim_of(world, told, here)?;
    // An account is claimed anew at every replica that its client turns to; who confirmed it gave the name away.
    let (there, their_confirm) = confirm_of(world, owner)?;
    let their_made = claim_of(world, owner, there)?;
    let from = Mono(made.min(their_made).0.saturating_sub(MARGIN));
    let to = decided.max(their_confirm);
    let calm = |one: usize, other: usize| world.network.was_calm(pair(one, other), from, to);
    let through = |third: &usize| calm(here, *third) && calm(*third, there) && calm(*third, *third);
    (0..world.nodes.len()).find(|third| calm(here, here) && calm(there, there) && through(third))
}

/// When this replica first made a claim for the account.
fn claim_of(world: &World, account: AccountId, at: usize) -> Option<Mono> {
    let is_claim = |fact: &Fact| fact.author == account && matches!(fact.body, Body::Claim(_));
    let claims = world.facts.values().filter(|fact| is_claim(fact)).filter_map(|fact| made(world, fact.position));
    claims.filter(|(node, _)| *node == at).map(|(_, when)| when).min()
}

/// Where and when an account was first confirmed.
fn confirm_of(world: &World, account: AccountId) -> Option<(usize, Mono)> {
    let is_confirm = |fact: &Fact| fact.author == account && matches!(fact.body, Body::Confirm(_));
    let confirms = world.facts.values().filter(|fact| is_confirm(fact));
    confirms.filter_map(|fact| made(world, fact.position)).min_by_key(|(_, when)| *when)
}

fn made(world: &World, position: Position) -> Option<(usize, Mono)> {
    world.made.get(&position).copied()
}
