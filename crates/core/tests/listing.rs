//! `list`: who may ask, and that nobody's pattern takes others' turns.

mod world;

use lastword_core::io::{Answer, ConnectionId, Refusal, Request};
use lastword_core::pattern::Pattern;
use world::World;

fn list(pattern: &str, after: Option<&str>) -> Request {
    Request::List { pattern: Pattern::Text(pattern.to_owned()), limit: 100, after: after.map(str::to_owned) }
}

/// People of these names, each on a connection of their own.
fn people(world: &mut World, names: impl Iterator<Item = String>) -> Vec<ConnectionId> {
    let made = names.map(|name| {
        let connection = world.connect(0);
        world.create(connection, &name).unwrap();
        connection
    });
    made.collect()
}

#[test]
fn whoever_is_not_logged_in_learns_no_name() {
    let mut world = World::new(1);
    people(&mut world, ["alice".to_owned()].into_iter());
    let stranger = world.connect(0);
    for pattern in ["", "("] {
        assert_eq!(world.call(stranger, list(pattern, None)), Err(Refusal::NotLoggedIn));
    }
}

#[test]
fn pages_go_through_all_names() {
    let mut world = World::new(1);
    let people = people(&mut world, (0..720).map(|n| format!("name{n:03}")));
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let Ok(Answer::Names { names: page, more }) = world.call(people[0], list("[^7]$", after.as_deref())) else {
            panic!("a page")
        };
        assert!(page.len() == 100 || !more);
        names.extend(page);
        after = names.last().cloned();
        if !more {
            break;
        }
    }
    assert!(names.len() == 648 && names.is_sorted(), "{}", names.len());
}

#[test]
fn an_account_has_few_lists_under_way_and_others_have_theirs_between() {
    let mut world = World::new(1);
    let people = people(&mut world, (0..1600).map(|n| format!("name{n:04}")));
    let device = world.connect(0);
    world.login(device, "name0000").unwrap();
    // Nothing is matched yet.
    let flood: Vec<_> = (0..3).map(|_| world.ask(people[0], list("nobody", None))).collect();
    let fourth = world.ask(device, list("nobody", None));
    assert_eq!(world.call(device, list("", None)), Err(Refusal::TooMany { retry_ms: 200 }));
    let others = world.ask(people[1], list("name0001", None));
    while world.answer(people[1], others).is_none() {
        world.run(1);
    }
    assert!(world.answer(device, fourth).is_some(), "it came before");
    // What somebody asked who has gone holds up nobody.
    let gone = world.ask(people[2], list("nobody", None));
    world.hang_up(people[2]);
    let last = world.call(people[3], list("name1599", None));
    assert_eq!(last, Ok(Answer::Names { names: vec!["name1599".to_owned()], more: false }));
    assert!(world.answer(people[2], gone).is_none());
    assert!(flood.into_iter().all(|tag| world.answer(people[0], tag).is_some()));
}
