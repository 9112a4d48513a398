//! A login prompt that stands open.

use lastword_protocol::Op;

use super::scene::Scene;

const IDLE: &str = r#"{"event":"closed","reason":"idle"}"#;

/// Two servers that have said that they close what nobody logs in on; then an hour.
fn rested() -> Scene {
    let mut scene = Scene::of(2).quiet();
    scene.up("a");
    scene.up("b");
    scene.expect("dial a\n dial b\n moved - -> a");
    scene.wait(400);
    scene.line("b", IDLE);
    scene.expect("close a\n close b");
    scene.wait(3_600_000);
    scene.expect("");
    scene
}

fn login() -> Op {
    Op::Login { name: "ann".into(), password: "pw".into() }
}

#[test]
fn nobody_is_dialled_until_there_is_something_to_do_and_nobody_is_told() {
    let mut scene = rested();
    scene.command(login());
    // The line is slow, and another one is there first.
    scene.wait(700);
    scene.up("b");
    scene.expect("");
    scene.up("a");
    scene.expect("a < login ann");
    scene.log_in("a");
    scene.expect("b < resume tok-a -\n done 1: ok");
}

#[test]
fn a_leader_that_went_down_meanwhile_is_found_out_by_the_next_command() {
    let mut scene = rested();
    scene.command(login());
    scene.lose("a");
    scene.up("b");
    scene.expect("moved a -> b\n b < login ann");
}

#[test]
fn where_nobody_is_left_that_is_told_after_a_second() {
    let mut scene = rested();
    scene.command(login());
    scene.lose("a");
    scene.wait(999);
    scene.expect("");
    scene.wait(1);
    scene.expect("no replica");
    scene.up("a");
    scene.expect("moved a -> a\n a < login ann");
}

#[test]
fn a_session_that_one_replica_does_not_know_keeps_the_others_awake() {
    let mut scene = Scene::logged_in(false);
    scene.line("b", IDLE);
    scene.up("b");
    scene.expect("close b\n b < resume tok-a -");
}
