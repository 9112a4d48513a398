//! The leader is lost: what the next one is told.

use lastword_protocol::Op;

use super::scene::{Scene, key, send};
use crate::machine::Config;

#[test]
fn first_login_resumes_the_others_and_listens() {
    let mut scene = Scene::of(3).quiet();
    for replica in ["a", "b", "c"] {
        scene.up(replica);
    }
    scene.command(Op::Login { name: "ann".into(), password: "pw".into() });
    scene.command(Op::Listen);
    scene.command(send(1, "bob", "hi"));
    // Nothing overtakes a login.
    scene.expect("dial a\n dial b\n dial c\n moved - -> a\n a < login ann");
    scene.log_in("a");
    scene.expect(
        "b < resume tok-a -
         c < resume tok-a -
         done 1: ok
         a < listen
         a < send k1 bob: hi",
    );
    scene.ok("a", "listen", r#"{"pending":0}"#);
    scene.sent("a", 1, 3);
    scene.expect("done 2: ok\n done 3: sent, 3 of 3");
}

#[test]
fn one_list_in_the_order_first_sent() {
    let mut scene = Scene::logged_in(true);
    for n in 1..=4 {
        scene.command(send(n, "bob", "hi"));
    }
    // Until it is clear that it knows Bob.
    scene.expect("a < send k1 bob: hi");
    scene.sent("a", 1, 2); // Stored on two of three.
    scene.sent("a", 3, 2);
    scene.expect(
        "done 3: sent, 2 of 3
         a < send k2 bob: hi
         a < send k3 bob: hi
         a < send k4 bob: hi
         done 5: sent, 2 of 3",
    );
    scene.lose("a");
    scene.command(send(5, "bob", "new"));
    scene.expect(
        "moved a -> b
         b < resume tok-a s3
         b < listen
         b < send k1 #BOB: hi",
    );
    scene.resumed("b");
    // It knows Bob.
    scene.sent("b", 1, 2);
    // Whether that is whom it calls `bob` is another question.
    scene.expect("b < send k2 bob: hi\n b < send k3 #BOB: hi");
    scene.sent("b", 2, 2);
    scene.expect("done 4: sent, 2 of 3\n b < send k4 bob: hi\n b < send k5 bob: new");
    for n in 3..=5 {
        scene.sent("b", n, 2);
    }
    scene.expect("done 6: sent, 2 of 3\n done 7: sent, 2 of 3");
}

/// The next replica has not heard of Bob yet: nothing for them may overtake what the lost one alone had.
#[test]
fn nothing_overtakes_a_message_to_somebody_who_is_not_known_yet() {
    let mut scene = Scene::logged_in(false);
    scene.command(send(1, "bob", "hi"));
    scene.command(send(2, "#EVE", "hi"));
    scene.command(send(3, "#BOB", "hi"));
    scene.sent("a", 1, 1);
    scene.lose("a");
    scene.expect(
        "a < send k1 bob: hi
         a < send k2 #EVE: hi
         a < send k3 #BOB: hi
         done 2: sent, 1 of 3
         moved a -> b
         b < resume tok-a s1
         b < send k1 #BOB: hi
         b < send k2 #EVE: hi",
    );
    scene.resumed("b");
    scene.refuse("b", "send k1 ", "no_such_user");
    scene.expect("");
    scene.wait(500);
    scene.expect("b < send k1 #BOB: hi");
    scene.sent("b", 1, 2);
    scene.expect("b < send k3 #BOB: hi");
}

/// The next replica has no room for Bob's message, and never gets any: for ten seconds that is waited for.
#[test]
fn what_has_no_room_anywhere_stays_with_the_lost_replica() {
    let mut scene = Scene::logged_in(false);
    scene.command(send(1, "bob", "hi"));
    scene.sent("a", 1, 1);
    scene.lose("a");
    scene.resumed("b");
    scene.expect(
        "a < send k1 bob: hi
         done 2: sent, 1 of 3
         moved a -> b
         b < resume tok-a s1
         b < send k1 #BOB: hi",
    );
    for _ in 0..26 {
        scene.refuse_for("b", "send k1", 400);
        scene.wait(400);
    }
    // Nothing is in flight or waits: a logout goes out.
    scene.command(Op::Logout { key: key(9) });
    scene.ok("b", "logout", r#"{"stored":3,"of":3}"#);
}

#[test]
fn a_full_answer_covers_what_the_same_replica_answered_before() {
    let mut scene = Scene::logged_in(true);
    for n in 1..=3 {
        scene.command(send(n, "bob", "hi"));
    }
    scene.sent("a", 1, 1);
    scene.sent("a", 2, 3); // All of a's log up to here is everywhere.
    scene.sent("a", 3, 1);
    scene.lose("a");
    scene.expect(
        "a < send k1 bob: hi
         done 3: sent, 1 of 3
         a < send k2 bob: hi
         a < send k3 bob: hi
         done 4: sent, 3 of 3
         done 5: sent, 1 of 3
         moved a -> b
         b < resume tok-a s3
         b < listen
         b < send k3 #BOB: hi",
    );
}

#[test]
fn a_full_answer_of_another_replica_covers_only_what_that_one_answered() {
    let mut scene = Scene::logged_in(false);
    scene.command(send(1, "bob", "hi"));
    scene.command(send(2, "#EVE", "hi"));
    scene.sent("a", 1, 1);
    scene.lose("a");
    scene.expect(
        "a < send k1 bob: hi
         a < send k2 #EVE: hi
         done 2: sent, 1 of 3
         moved a -> b
         b < resume tok-a s1
         b < send k1 #BOB: hi
         b < send k2 #EVE: hi",
    );
    // The second is answered first: the first is still on its way.
    scene.sent("b", 2, 3);
    scene.lose("b");
    scene.expect(
        "done 3: sent, 3 of 3
         moved b -> c
         c < resume tok-a s2
         c < send k1 #BOB: hi",
    );
}

#[test]
fn the_same_replica_again_is_told_the_same() {
    let mut scene = Scene::logged_in(true);
    scene.lose("b");
    scene.lose("c");
    scene.command(send(1, "bob", "hi"));
    scene.command(send(2, "bob", "hi"));
    scene.sent("a", 1, 1);
    scene.lose("a");
    scene.command(send(3, "bob", "later"));
    scene.expect("a < send k1 bob: hi\n done 3: sent, 1 of 3\n a < send k2 bob: hi\n no replica");
    scene.wait(100);
    scene.up("a");
    scene.expect(
        "moved a -> a
         a < resume tok-a s1
         a < listen
         a < send k1 #BOB: hi",
    );
    scene.resumed("a");
    scene.sent("a", 1, 1);
    scene.expect("a < send k2 bob: hi");
    scene.sent("a", 2, 1);
    scene.expect("done 4: sent, 1 of 3\n a < send k3 bob: later");
}

#[test]
fn silence_for_1_s_with_a_send_on_its_way() {
    let mut scene = Scene::logged_in(true);
    scene.command(send(1, "bob", "hi"));
    scene.wait(999);
    scene.expect("a < send k1 bob: hi");
    scene.wait(1);
    scene.expect("close a\n moved a -> b\n b < resume tok-a -\n b < listen\n b < send k1 bob: hi");
}

#[test]
fn one_that_comes_back_is_resumed_but_does_not_take_over() {
    let mut scene = Scene::logged_in(true);
    scene.lose("a");
    scene.expect("moved a -> b\n b < resume tok-a -\n b < listen");
    scene.wait(100);
    scene.up("a");
    scene.expect("a < resume tok-a -");
    scene.command(send(1, "bob", "hi"));
    scene.expect("b < send k1 bob: hi");
}

#[test]
fn two_die_one_after_the_other() {
    let mut scene = Scene::logged_in(true);
    scene.command(send(1, "bob", "hi"));
    scene.lose("a");
    scene.lose("b");
    scene.expect(
        "a < send k1 bob: hi
         moved a -> b
         b < resume tok-a -
         b < listen
         b < send k1 bob: hi
         moved b -> c
         c < resume tok-a -
         c < listen
         c < send k1 bob: hi",
    );
    scene.resumed("c");
    scene.sent("c", 1, 1);
    scene.expect("done 3: sent, 1 of 3");
}

#[test]
fn a_server_that_says_it_stops_is_left_at_once() {
    let mut scene = Scene::logged_in(false);
    scene.line("a", r#"{"event":"closed","reason":"shutdown"}"#);
    scene.expect("close a\n moved a -> b\n b < resume tok-a -");
}

#[test]
fn a_server_that_ends_an_idle_connection_stays_the_leader() {
    let mut scene = Scene::with(2, Config::default()).quiet();
    scene.up("a");
    scene.up("b");
    scene.expect("dial a\n dial b\n moved - -> a");
    scene.command(Op::Login { name: "ann".into(), password: "pw".into() });
    scene.line("a", r#"{"event":"closed","reason":"idle"}"#);
    scene.up("a");
    scene.expect("a < login ann\n close a\n a < login ann");
    scene.line("b", r#"{"event":"closed","reason":"idle"}"#);
    scene.expect("close b");
}

#[test]
fn of_answered_ones_the_oldest_are_forgotten_first() {
    let mut scene = Scene::with(2, Config { uncovered_most: 2, ..Config::default() }).quiet();
    scene.up("a");
    scene.up("b");
    for n in 1..=3 {
        scene.command(send(n, "bob", "hi"));
        scene.sent("a", n, 1);
    }
    scene.expect(
        "dial a
         dial b
         moved - -> a
         a < send k1 bob: hi
         done 1: sent, 1 of 3
         a < send k2 bob: hi
         done 2: sent, 1 of 3
         a < send k3 bob: hi
         done 3: sent, 1 of 3",
    );
    scene.lose("a");
    scene.expect("moved a -> b\n b < send k2 #BOB: hi");
    scene.sent("b", 2, 1);
    scene.expect("b < send k3 #BOB: hi");
}

#[test]
fn more_than_may_wait_fail_at_once() {
    let mut scene = Scene::with(1, Config { unanswered_most: 1, ..Config::default() }).quiet();
    scene.command(send(1, "bob", "hi"));
    scene.command(send(2, "bob", "hi"));
    scene.expect(
        "dial a
         done 2: 1 commands are waiting for an answer already. This one was not sent; wait for some answers first.",
    );
}
