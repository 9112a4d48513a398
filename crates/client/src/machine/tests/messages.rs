//! Messages: shown once, confirmed when shown.

use lastword_protocol::Op;

use super::scene::{Scene, key};
use crate::machine::Config;

#[test]
fn confirmed_when_shown_and_not_before() {
    let mut scene = Scene::logged_in(true);
    // Event 1 was `moved - -> a`.
    scene.message("a", "m1", "p1");
    scene.message("a", "m2", "p2");
    scene.expect("event 2: m1\n event 3: m2");
    scene.shown(2);
    scene.expect("a < delivered p1");
    // One confirmation at a time: the next stands for all since.
    scene.message("a", "m3", "p3");
    scene.shown(3);
    scene.shown(4);
    scene.expect("event 4: m3");
    scene.ok("a", "delivered", "{}");
    scene.expect("a < delivered p3");
}

#[test]
fn what_was_shown_is_confirmed_before_a_logout() {
    let mut scene = Scene::logged_in(true);
    scene.message("a", "m1", "p1");
    scene.message("a", "m2", "p2");
    scene.shown(2);
    scene.shown(3);
    scene.expect("event 2: m1\n event 3: m2\n a < delivered p1");
    scene.command(Op::Logout { key: key(9) });
    scene.expect("a < delivered p2\n a < logout");
}

#[test]
fn after_a_failover_what_was_seen_is_dropped_and_confirmed() {
    let mut scene = Scene::logged_in(true);
    scene.message("a", "m1", "p1");
    scene.shown(2);
    scene.lose("a");
    scene.expect("event 2: m1\n a < delivered p1\n moved a -> b\n b < resume tok-a seen-m1\n b < listen");
    scene.resumed("b");
    scene.message("b", "m1", "q7");
    scene.expect("b < delivered q7");
    scene.message("b", "m2", "q8");
    scene.expect("event 4: m2");
}

#[test]
fn a_duplicate_of_what_is_not_shown_yet_is_not_confirmed_before() {
    let mut scene = Scene::logged_in(true);
    scene.message("a", "m1", "p1");
    scene.lose("a");
    scene.message("b", "m1", "q1");
    scene.expect("event 2: m1\n moved a -> b\n b < resume tok-a seen-m1\n b < listen");
    scene.shown(2);
    scene.expect("b < delivered q1");
}

#[test]
fn a_caller_that_is_far_behind_gets_the_rest_later_from_the_server() {
    let mut scene = Scene::logged_in_with(true, Config { events_most: 2, ..Config::default() });
    scene.shown(1);
    scene.message("a", "m1", "p1");
    scene.message("a", "m2", "p2");
    scene.message("a", "m3", "p3");
    scene.expect("event 2: m1\n event 3: m2");
    scene.shown(2); // Half of the room is free again: a fresh connection gets what was left.
    scene.expect("close a");
    scene.up("a");
    scene.expect("a < resume tok-a seen-m2\n a < listen");
    scene.message("a", "m2", "r2");
    scene.message("a", "m3", "r3");
    scene.expect("event 4: m3");
    scene.shown(4);
    scene.expect("a < delivered r3");
}

#[test]
fn receipts_and_health_are_passed_on() {
    let mut scene = Scene::logged_in(true);
    scene.line("a", r#"{"event":"receipt","message":"m9","to":"bob","state":"delivered"}"#);
    scene.line("a", r#"{"event":"replicas","replicas":[],"stale":false}"#);
    scene.line("b", r#"{"event":"replicas","replicas":[],"stale":false}"#); // Not the leader's.
    scene.line("a", r#"{"event":"something_new"}"#);
    scene.expect("receipt m9\n replicas");
}
