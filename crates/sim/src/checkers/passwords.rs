//! Healed and quiet, the password in force is the one that follows from what each change replaces, and it alone opens the
//! sessions that are good: worked out here once more, in the plainest way, from what the disks hold.

use lastword_facts::ids::Order;
use lastword_facts::token::TokenHash;
use lastword_facts::{AccountId, Body, Fact};

use crate::world::World;

/// Sessions of guests that are asked for, at most: the last ones.
const ASKED: usize = 40;

pub(super) fn check(world: &mut World) -> Vec<String> {
    let mut wrong = Vec::new();
    // What is lost everywhere, or went with a disk, leaves others that rest on it.
    if !world.has_guests || world.plan.forgets() {
        return wrong;
    }
    let accounts: Vec<AccountId> = world.people.iter().filter_map(|person| person.account_id()).collect();
    for node in 0..world.nodes.len() {
        let Some(core) = &world.nodes[node].core else { continue };
        for (account, _, hash) in core.accounts().filter(|(account, ..)| accounts.contains(account)) {
            let facts = facts_of(world, node, account);
            let Some(expected) = in_force(&facts).map(|fact| password_of(fact).to_owned()) else { continue };
            if words(hash) != words(&expected) {
                wrong.push(format!("n{node} opens {account:?} to {hash}, and {expected} is in force"));
            }
        }
    }
    let asked = world.guests.sessions.len().saturating_sub(ASKED);
    for (account, token) in world.guests.sessions.split_off(asked) {
        for node in 0..world.nodes.len() {
            let lives = |core: &lastword_core::Core| core.accounts().any(|(id, ..)| id == account);
            if !world.nodes[node].core.as_ref().is_some_and(lives) || world.nodes[node].views_in_making {
                continue;
            }
            let Some(expected) = is_good(&facts_of(world, node, account), token) else { continue };
            if let Some(good) = world.ask_for_session(node, token).filter(|&good| good != expected) {
                wrong.push(format!("n{node} takes {token:?} of {account:?} for good: {good}"));
            }
        }
    }
    wrong
}

fn facts_of(world: &World, node: usize, account: AccountId) -> Vec<std::sync::Arc<Fact>> {
    let log = &world.nodes[node].disk.log;
    log.iter().filter(|fact| fact.author == account && fact.impossible().is_none()).cloned().collect()
}

/// The fact that set the password in force: at each, of those that replace it, the one with the lowest order.
fn in_force(facts: &[std::sync::Arc<Fact>]) -> Option<&Fact> {
    let claims: Vec<&Fact> =
        facts.iter().map(|fact| &**fact).filter(|fact| matches!(fact.body, Body::Claim(_))).collect();
    let mut last = *claims.iter().min_by_key(|fact| fact.order())?;
    let mut names: Vec<Order> = claims.iter().map(|fact| fact.order()).collect();
    loop {
        let replaces = |fact: &&std::sync::Arc<Fact>| match &fact.body {
            Body::Password(password) => password.replaces.is_some_and(|replaced| names.contains(&replaced)),
            _ => false,
        };
        let Some(next) = facts.iter().filter(replaces).min_by_key(|fact| fact.order()) else { return Some(last) };
        (last, names) = (next, vec![next.order()]);
    }
}

fn is_good(facts: &[std::sync::Arc<Fact>], token: TokenHash) -> Option<bool> {
    let force = in_force(facts)?;
    let (order, keep) = match &force.body {
        Body::Password(password) => (Some(force.order()), password.keep),
        _ => (None, None),
    };
    let opened = facts.iter().find_map(|fact| match &fact.body {
        Body::Session(session) if session.token == token => Some(session.password),
        _ => None,
    });
    let ended = facts.iter().any(|fact| matches!(&fact.body, Body::Logout(logout) if logout.token == token));
    Some(opened.is_some_and(|password| password == order || keep == Some(token)) && !ended)
}

fn password_of(fact: &Fact) -> &str {
    match &fact.body {
        Body::Claim(claim) => &claim.password,
        Body::Password(password) => &password.password,
        _ => "",
    }
}

/// A hash without what stands for its salt.
fn words(hash: &str) -> &str {
    hash.rsplit_once(',').map_or(hash, |(words, _)| words)
}
