//! Lists of the group that don't fit together.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::process::{Server, addresses, wait_until};
use crate::{assert_told_by, lines_with, states, status};

/// Each stands first in its own list: both call themselves `a`.
#[test]
fn two_lists_in_another_order() {
    let places = addresses(2);
    let lists = [places.join(","), [places[1].clone(), places[0].clone()].join(",")];
    let one = Server::start_at(&places[0], &["--group", &lists[0]]);
    let mut other = Server::start_at(&places[1], &["--group", &lists[1]]);
    assert_told_by(&[&one, &other], "another list of the group");
    for server in [&one, &other] {
        assert!(lists.iter().all(|list| lines_with(server, list) > 0), "how they differ: {}", server.log());
    }
    let (said, _) = status(&[&one, &other]);
    assert!(
        places.iter().all(|place| said.lines().any(|line| line.starts_with('a') && line.contains(place))),
        "{said}"
    );
    assert!(other.stop(Signal::TERM).success());
    other.arguments[1].clone_from(&lists[0]);
    other.again();
    wait_until("in sync", || status(&[&one, &other]).1);
}

/// A name that nobody knows is said once, with the reason.
#[test]
fn a_host_name_that_can_not_be_resolved() {
    let dir = tempfile::tempdir().unwrap();
    let key = crate::process::key_file(dir.path(), "key");
    let place = &addresses(1)[0];
    for list in [format!("{place},no.such.host.invalid:1"), format!("no.such.host.invalid:1,{place}")] {
        let server = Server::start_at(place, &["--group", &list, "--key", &key]);
        assert_told_by(&[&server], "host name can't be resolved");
    }
}

#[test]
fn blanks_in_the_list_and_other_ways_to_write_an_address() {
    let places = addresses(2);
    let a = Server::start_at(&places[0], &["--group", &places.join(", ")]);
    let b = Server::start_at(&places[1], &["--group", &places.join(",")]);
    wait_until("in sync", || status(&[&a, &b]).1);
}

/// Replicas that start at the same moment, again and again: two dials that cross leave one link.
#[test]
fn whoever_does_not_hear_from_another_one_dials_it() {
    let places = addresses(2);
    let group = places.join(",");
    // What is dialled there does not answer: only the earlier one in the list can make the link.
    let deaf = TcpListener::bind((places[0].rsplit_once(':').unwrap().0, 0)).unwrap();
    let via = format!("--via=a={}", deaf.local_addr().unwrap());
    drop(deaf);
    let mut a = Server::start_at(&places[0], &["--group", &group]);
    let mut b = Server::start_at(&places[1], &["--group", &group, &via]);
    wait_until("in sync", || status(&[&a, &b]).1);
    assert_eq!(lines_with(&b, "no link to a"), 1, "said once: {}", b.log());
    assert_eq!(lines_with(&b, "ERROR"), 0, "{}", b.log());
    // It is made again when it is lost, by whichever can.
    for server in [&mut a, &mut b] {
        server.signal(Signal::KILL);
        server.ended();
        server.again();
    }
    wait_until("in sync again", || status(&[&a, &b]).1);
    assert_eq!(states(&a), ["self", "in_sync"]);
}

/// An address of the list that leads back to the server itself.
#[test]
fn a_server_that_stands_in_the_list_twice_under_two_names() {
    let places = addresses(2);
    let group = places.join(",");
    let server = Server::start_at(&places[0], &["--group", &group, &format!("--via=b={}", places[0])]);
    assert_told_by(&[&server], "replica a answers at this address");
}
