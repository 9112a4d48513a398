//! Who becomes the leader, and who is given up.

use lastword_protocol::Op;

use super::scene::{Scene, send};

#[test]
fn all_are_dialled_and_the_first_leads() {
    let mut scene = Scene::of(3);
    scene.expect("dial a\n dial b\n dial c");
    scene.up("b");
    scene.up("c");
    scene.expect("b < hello\n c < hello");
    scene.up("a");
    scene.expect("a < hello\n moved - -> a");
}

#[test]
fn a_later_one_waits_300_ms_for_the_first() {
    let mut scene = Scene::of(2).quiet();
    scene.up("b");
    scene.wait(299);
    scene.expect("dial a\n dial b");
    scene.wait(1);
    scene.expect("moved - -> b");
    scene.up("a");
    scene.expect(""); // It stays with b.
}

#[test]
fn a_dial_that_is_refused_is_not_waited_for() {
    let mut scene = Scene::of(3).quiet();
    scene.lose("a");
    scene.up("c");
    scene.lose("b");
    scene.expect("dial a\n dial b\n dial c\n moved - -> c");
}

#[test]
fn only_the_third_is_up_and_a_command_given_before_goes_there() {
    let mut scene = Scene::of(3).quiet();
    scene.command(Op::Login { name: "ann".into(), password: "pw".into() });
    scene.lose("a");
    scene.lose("b");
    scene.up("c");
    scene.expect("dial a\n dial b\n dial c\n moved - -> c\n c < login ann");
    scene.log_in("c");
    scene.expect("done 1: ok");
}

#[test]
fn a_kernel_that_accepts_for_a_frozen_server_is_no_replica() {
    let mut scene = Scene::of(2).quiet();
    scene.connect("a");
    scene.up("b");
    scene.wait(300);
    scene.expect("dial a\n dial b\n moved - -> b");
    scene.wait(700);
    scene.expect("close a");
}

#[test]
fn a_dial_that_hangs_is_given_up_after_5_s_and_tried_again() {
    let mut scene = Scene::of(1);
    scene.expect("dial a");
    scene.wait(5_099);
    scene.expect("no replica\n close a");
    scene.wait(1);
    scene.expect("dial a");
}

#[test]
fn dials_that_fail_are_repeated_ever_slower_up_to_2_s() {
    let mut scene = Scene::of(1);
    scene.lose("a");
    scene.expect("dial a\n no replica");
    for wait in [100, 200, 400, 800, 1600, 2000, 2000] {
        scene.wait(wait - 1);
        scene.expect("");
        scene.wait(1);
        scene.expect("dial a");
        scene.lose("a");
    }
}

#[test]
fn nobody_answers_then_somebody_does() {
    let mut scene = Scene::of(2).quiet();
    scene.up("a");
    scene.up("b");
    scene.lose("b");
    scene.lose("a");
    scene.expect("dial a\n dial b\n moved - -> a\n no replica");
    scene.wait(100);
    scene.up("a");
    scene.expect("moved a -> a");
}

#[test]
fn a_command_that_nobody_can_be_given_fails_at_its_deadline() {
    let mut scene = Scene::of(1).quiet();
    scene.command(send(1, "bob", "hi"));
    scene.lose("a");
    scene.wait(29_999);
    let mut said = String::from("dial a\n no replica\n");
    said.push_str(&"close a\n".repeat(5));
    scene.expect(&said);
    scene.wait(1);
    scene.expect("done 1: No server could be reached within 30 s (tried a:1). It was not done.");
}

#[test]
fn a_command_that_was_sent_may_have_been_done() {
    let mut scene = Scene::of(1).quiet();
    scene.up("a");
    scene.command(send(1, "bob", "hi"));
    scene.lose("a");
    scene.expect("dial a\n moved - -> a\n a < send k1 bob: hi\n no replica");
    for _ in 0..29 {
        scene.wait(1_000);
    }
    scene.wait(999);
    scene.expect(&"close a\n".repeat(5));
    scene.wait(1);
    scene.expect("done 1: No server answered within 30 s (tried a:1). It may or may not have been done.");
}

#[test]
fn an_idle_leader_that_is_silent_is_given_up_a_second_after_the_ping() {
    let mut scene = Scene::of(2);
    scene.up("a");
    scene.up("b");
    scene.expect("dial a\n dial b\n a < hello\n moved - -> a\n b < hello");
    scene.wait(1_000);
    scene.expect("a < ping");
    scene.wait(999);
    scene.expect("");
    scene.wait(1);
    scene.expect("close a\n moved a -> b\n b < ping");
}

#[test]
fn a_leader_that_answers_pings_is_kept_though_an_answer_takes_long() {
    let mut scene = Scene::of(2).quiet();
    scene.up("a");
    scene.up("b");
    scene.command(send(1, "bob", "hi"));
    scene.expect("dial a\n dial b\n moved - -> a\n a < send k1 bob: hi");
    for _ in 0..4 {
        scene.wait(500);
        scene.ok("a", "ping", "{}");
    }
    scene.expect("");
    scene.sent("a", 1, 2);
    scene.expect("done 1: sent, 2 of 3");
}

#[test]
fn a_follower_is_pinged_each_5_s() {
    let mut scene = Scene::of(2);
    scene.up("a");
    scene.up("b");
    scene.expect("dial a\n dial b\n a < hello\n moved - -> a\n b < hello");
    for _ in 0..4 {
        scene.wait(1_000);
        scene.ok("a", "ping", "{}");
    }
    scene.expect("a < ping\n a < ping\n a < ping\n a < ping");
    scene.wait(1_000);
    scene.expect("a < ping\n b < ping");
}

#[test]
fn nobody_is_blamed_for_a_freeze_of_ones_own() {
    let mut scene = Scene::of(2).quiet();
    scene.up("a");
    scene.up("b");
    scene.command(send(1, "bob", "hi"));
    scene.expect("dial a\n dial b\n moved - -> a\n a < send k1 bob: hi");
    scene.freeze(60_000 - 31_000);
    scene.wait(999);
    scene.expect("");
    scene.sent("a", 1, 3);
    scene.expect("done 1: sent, 3 of 3");
}
