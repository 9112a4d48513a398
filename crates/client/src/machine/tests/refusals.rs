//! A replica says no for now.

use lastword_protocol::Op;

use super::scene::{Scene, key, send};

#[test]
fn unavailable_is_tried_at_each_other_and_then_reported() {
    let mut scene = Scene::logged_in(false);
    scene.command(send(1, "bob", "hi"));
    scene.command(send(2, "bob", "after"));
    scene.refuse("a", "send k1", "unavailable");
    // All of the list moves: the second must not overtake the first.
    scene.expect(
        "a < send k1 bob: hi
         close a
         moved a -> b
         b < resume tok-a -
         b < send k1 bob: hi",
    );
    scene.resumed("b");
    scene.refuse("b", "send k1", "unavailable");
    scene.expect("close b\n moved b -> c\n c < resume tok-a -\n c < send k1 bob: hi");
    scene.wait(100);
    scene.up("a");
    scene.resumed("c");
    scene.refuse("c", "send k1", "unavailable");
    scene.sent("c", 2, 1);
    scene.expect("a < resume tok-a -\n done 2: unavailable!\n c < send k2 bob: after\n done 3: sent, 1 of 3");
}

#[test]
fn a_full_disk_is_not_the_end_where_another_has_room() {
    let mut scene = Scene::logged_in(false);
    scene.command(send(1, "bob", "hi"));
    scene.refuse("a", "send k1", "storage_full");
    scene.resumed("b");
    scene.sent("b", 1, 2);
    scene.expect(
        "a < send k1 bob: hi
         close a
         moved a -> b
         b < resume tok-a -
         b < send k1 bob: hi
         done 2: sent, 2 of 3",
    );
}

#[test]
fn too_many_waits_as_long_as_it_says_and_holds_up_what_follows() {
    let mut scene = Scene::logged_in(false);
    scene.command(send(1, "bob", "hi"));
    scene.refuse_for("a", "send k1", 250);
    scene.command(send(2, "bob", "after"));
    scene.wait(249);
    scene.expect("a < send k1 bob: hi");
    scene.wait(1);
    scene.expect("a < send k1 bob: hi");
    scene.sent("a", 1, 3);
    scene.expect("done 2: sent, 3 of 3\n a < send k2 bob: after");
}

#[test]
fn too_many_for_the_sixth_time_is_reported() {
    let mut scene = Scene::logged_in(false);
    scene.command(send(1, "bob", "hi"));
    for _ in 0..5 {
        scene.refuse_for("a", "send k1", 100);
        scene.wait(100);
    }
    scene.refuse_for("a", "send k1", 100);
    scene.wait(100);
    let mut said = "a < send k1 bob: hi\n".repeat(6);
    said.push_str("done 2: slow down");
    scene.expect(&said);
}

#[test]
fn what_a_person_did_wrong_is_reported_at_once() {
    let mut scene = Scene::logged_in(false);
    scene.command(send(1, "nobody", "hi"));
    scene.refuse("a", "send k1", "no_such_user");
    scene.expect("a < send k1 nobody: hi\n done 2: no_such_user!");
}

#[test]
fn what_no_line_can_hold_is_never_sent() {
    let mut scene = Scene::logged_in(false);
    scene.command(send(1, "bob", &"x".repeat(70_000)));
    scene.command(send(2, "bob", &"\u{1}".repeat(16_000)));
    scene.command(Op::Delivered { upto: "p".into() });
    scene.expect(
        "done 2: This is too long for one line of the protocol (64 KiB).
         done 3: This is too long for one line of the protocol (64 KiB).
         done 4: The client does this by itself.",
    );
    scene.command(send(3, "bob", &"ä".repeat(8_000)));
    assert!(scene.take_first().starts_with("a < send k3"));
}

#[test]
fn a_create_that_no_one_could_confirm_is_tried_elsewhere_with_the_same_key() {
    let mut scene = Scene::of(2).quiet();
    scene.up("a");
    scene.up("b");
    scene.command(Op::Create { name: "ann".into(), password: "pw".into(), key: key(7) });
    scene.refuse("a", "create", "unavailable");
    scene.expect("dial a\n dial b\n moved - -> a\n a < create ann\n close a\n moved a -> b\n b < create ann");
}
