//! As many connections of the account listen as may: one more waits for its turn, and all else goes on.

use lastword_protocol::Op;

use super::scene::{Scene, key, send};

/// A new connection at once would be refused at once, too, and so on, as fast as both can.
#[test]
fn one_listener_too_many_asks_again_when_it_was_told_to_on_the_same_connection() {
    let mut scene = Scene::logged_in(true);
    scene.lose("a");
    scene.resumed("b");
    scene.refuse_for("b", "listen", 5_000);
    scene.expect("moved a -> b\n b < resume tok-a -\n b < listen\n not listening: slow down");
    scene.wait(100);
    scene.up("a");
    scene.resumed("a");
    scene.expect("a < resume tok-a -");
    scene.command(send(1, "bob", "hi"));
    scene.sent("b", 1, 3);
    scene.expect("b < send k1 bob: hi\n done 3: sent, 3 of 3");
    scene.wait_answering_pings(4_800);
    scene.expect("");
    scene.wait_answering_pings(100);
    scene.refuse_for("b", "listen", 5_000);
    // It was told once.
    scene.expect("b < listen");
    scene.wait_answering_pings(5_000);
    scene.ok("b", "listen", r#"{"pending":2}"#);
    scene.expect("b < listen\n listening, 2 wait");
    scene.wait_answering_pings(20_000);
    scene.expect("");
}

#[test]
fn the_answer_to_the_callers_own_listen_tells_it_and_holds_up_nothing() {
    let mut scene = Scene::logged_in(false);
    scene.command(Op::Listen);
    scene.command(send(1, "bob", "hi"));
    scene.refuse_for("a", "listen", 5_000);
    scene.sent("a", 1, 3);
    scene.expect("a < listen\n a < send k1 bob: hi\n done 2: slow down\n done 3: sent, 3 of 3");
    scene.wait_answering_pings(5_000);
    scene.ok("a", "listen", r#"{"pending":0}"#);
    scene.expect("a < listen\n listening, 0 wait");
    // From now on as if it had been let in at once.
    scene.lose("a");
    scene.expect("moved a -> b\n b < resume tok-a s1\n b < listen");
}

#[test]
fn the_next_leader_is_asked_at_once_and_refuses_in_silence() {
    let mut scene = Scene::logged_in(true);
    scene.lose("a");
    scene.resumed("b");
    scene.refuse_for("b", "listen", 5_000);
    scene.lose("b");
    scene.resumed("c");
    scene.refuse_for("c", "listen", 5_000);
    scene.expect(
        "moved a -> b
         b < resume tok-a -
         b < listen
         not listening: slow down
         moved b -> c
         c < resume tok-a -
         c < listen",
    );
}

#[test]
fn a_short_wait_is_not_worth_a_word() {
    let mut scene = Scene::logged_in(false);
    scene.command(Op::Listen);
    scene.refuse_for("a", "listen", 200);
    scene.wait_answering_pings(200);
    scene.ok("a", "listen", r#"{"pending":0}"#);
    scene.expect("a < listen\n a < listen\n done 2: ok");
    scene.lose("a");
    scene.resumed("b");
    scene.refuse_for("b", "listen", 200);
    scene.wait_answering_pings(200);
    scene.ok("b", "listen", r#"{"pending":0}"#);
    scene.expect("moved a -> b\n b < resume tok-a -\n b < listen\n b < listen");
}

#[test]
fn after_a_logout_nobody_asks_any_more() {
    let mut scene = Scene::logged_in(false);
    scene.command(Op::Listen);
    scene.refuse_for("a", "listen", 5_000);
    scene.command(Op::Logout { key: key(9) });
    scene.ok("a", "logout", r#"{"stored":3,"of":3}"#);
    scene.up("b");
    scene.up("c");
    scene.wait_answering_pings(10_000);
    scene.expect("a < listen\n done 2: slow down\n a < logout\n close b\n close c\n done 3: 3 of 3");
}
