//! Logging in again elsewhere, and sessions that end.

use lastword_protocol::Op;

use super::scene::{Scene, key, send};

const CREATED: &str = r#"{"account":"ACC","name":"ann","token":"tok-1","stored":1,"of":3}"#;

#[test]
fn a_replica_that_lacks_the_session_is_given_the_password() {
    let mut scene = Scene::logged_in(true);
    scene.command(send(1, "bob", "hi"));
    scene.lose("a");
    scene.refuse("b", "resume", "wrong_login");
    scene.expect(
        "a < send k1 bob: hi
         moved a -> b
         b < resume tok-a -
         b < listen
         b < send k1 bob: hi
         b < login ann",
    );
    // What was in the pipeline was refused, too.
    scene.refuse("b", "listen", "not_logged_in");
    scene.refuse("b", "send k1", "not_logged_in");
    scene.expect("");
    scene.log_in("b");
    scene.expect("b < listen\n b < send k1 bob: hi");
    scene.lose("b");
    scene.expect("moved b -> c\n c < resume tok-b -\n c < listen\n c < send k1 bob: hi");
}

/// One that may lack the session may know the password all the same; if it does not, it is left.
#[test]
fn a_replica_that_may_lack_the_session_is_given_the_password() {
    let mut scene = Scene::logged_in(true);
    scene.lose("a");
    scene.refuse("b", "resume", "unavailable");
    scene.expect(
        "moved a -> b
         b < resume tok-a -
         b < listen
         b < login ann",
    );
    scene.refuse("b", "listen", "not_logged_in");
    scene.refuse("b", "login", "unavailable");
    scene.expect("close b\n moved b -> c\n c < resume tok-a -\n c < listen");
}

#[test]
fn a_late_refusal_of_what_was_sent_before_the_login_counts_for_nothing() {
    let mut scene = Scene::logged_in(false);
    scene.command(send(1, "bob", "hi"));
    scene.lose("a");
    scene.refuse("b", "resume", "wrong_login");
    scene.log_in("b");
    scene.expect(
        "a < send k1 bob: hi
         moved a -> b
         b < resume tok-a -
         b < send k1 bob: hi
         b < login ann
         b < send k1 bob: hi",
    );
    scene.refuse("b", "send k1", "not_logged_in"); // The first of the two.
    scene.expect("");
    scene.sent("b", 1, 3);
    scene.expect("done 2: sent, 3 of 3");
}

/// Two replicas. Ann was created at a, and nobody has said yet that b has her account.
fn created() -> Scene {
    let mut scene = Scene::of(2).quiet();
    scene.up("a");
    scene.up("b");
    scene.command(Op::Create { name: "ann".into(), password: "pw".into(), key: key(7) });
    scene.ok("a", "create", CREATED);
    scene
}

#[test]
fn an_account_that_only_the_dead_one_had_is_created_again_with_its_key() {
    let mut scene = created();
    scene.command(Op::Listen);
    scene.ok("a", "listen", r#"{"pending":0}"#);
    scene.refuse("b", "resume", "wrong_login");
    scene.command(send(1, "bob", "hi"));
    scene.sent("a", 1, 1);
    scene.lose("a");
    scene.refuse("b", "resume", "wrong_login");
    scene.expect(
        "dial a
         dial b
         moved - -> a
         a < create ann
         b < resume tok-1 -
         done 1: ok
         a < listen
         done 2: ok
         a < send k1 bob: hi
         done 3: sent, 1 of 3
         moved a -> b
         b < resume tok-1 s1
         b < listen
         b < send k1 #BOB: hi
         b < create ann",
    );
    scene.ok("b", "create", &CREATED.replace("tok-1", "tok-2"));
    scene.expect("b < resume tok-2 s1\n b < listen\n b < send k1 #BOB: hi");
}

/// Found by the simulator: a replica that makes its index refused the `create`, and the client took a deletion for done.
#[test]
fn a_create_that_can_t_be_taken_again_now_says_nothing_of_the_account() {
    let mut scene = created();
    scene.refuse("b", "resume", "wrong_login");
    scene.command(Op::Delete { key: key(9) });
    scene.lose("a");
    scene.refuse("b", "resume", "unavailable");
    scene.expect(
        "dial a
         dial b
         moved - -> a
         a < create ann
         b < resume tok-1 -
         done 1: ok
         a < delete
         moved a -> b
         b < resume tok-1 -
         b < delete
         b < create ann",
    );
    scene.refuse("b", "create", "unavailable");
    scene.expect("");
    scene.wait(1000);
    scene.expect("b < create ann");
}

#[test]
fn an_account_that_the_next_one_has_is_not_created_again() {
    let mut scene = created();
    scene.lose("a");
    scene.resumed("b"); // As a follower…
    scene.resumed("b"); // …and as the leader.
    scene.command(send(1, "bob", "hi"));
    scene.expect(
        "dial a
         dial b
         moved - -> a
         a < create ann
         b < resume tok-1 -
         done 1: ok
         moved a -> b
         b < resume tok-1 -
         b < send k1 bob: hi",
    );
}

#[test]
fn a_delete_whose_account_is_gone_elsewhere_was_done() {
    let mut scene = Scene::logged_in(true);
    scene.command(Op::Delete { key: key(9) });
    scene.lose("a");
    scene.refuse("b", "resume", "wrong_login");
    scene.refuse("b", "login", "wrong_login");
    scene.expect(
        "a < delete
         moved a -> b
         b < resume tok-a -
         b < listen
         b < delete
         b < login ann
         done 3: 0 of 0
         close b
         close c",
    );
    // The account is forgotten: b leads on, on a fresh connection.
    scene.up("b");
    scene.command(Op::Status);
    scene.expect("b < status");
}

#[test]
fn a_delete_that_the_next_one_has_not_heard_of_is_given_again() {
    let mut scene = Scene::logged_in(false);
    scene.command(Op::Delete { key: key(9) });
    scene.lose("a");
    scene.resumed("b");
    scene.ok("b", "delete", r#"{"stored":2,"of":2}"#);
    scene.expect("a < delete\n moved a -> b\n b < resume tok-a -\n b < delete\n close c\n done 2: 2 of 2");
}

#[test]
fn a_delete_that_closes_the_leader_before_its_answer_was_done() {
    let mut scene = Scene::logged_in(false);
    scene.command(Op::Delete { key: key(9) });
    scene.line("a", r#"{"event":"closed","reason":"deleted"}"#);
    scene.up("a");
    scene.refuse("a", "resume", "wrong_login");
    scene.refuse("a", "login", "wrong_login");
    scene.expect(
        "a < delete
         close a
         a < resume tok-a -
         a < delete
         a < login ann
         done 2: 0 of 0
         close a
         close b
         close c",
    );
}

#[test]
fn a_logout_whose_session_is_gone_elsewhere_was_done() {
    let mut scene = Scene::logged_in(false);
    scene.command(Op::Logout { key: key(9) });
    scene.lose("a");
    scene.refuse("b", "resume", "wrong_login");
    scene.expect(
        "a < logout
         moved a -> b
         b < resume tok-a -
         b < logout
         done 2: 0 of 0
         close b
         close c",
    );
}

#[test]
fn a_logout_ends_the_followers_logins_and_nobody_resumes() {
    let mut scene = Scene::logged_in(true);
    scene.command(Op::Logout { key: key(9) });
    scene.line("b", r#"{"event":"closed","reason":"logged_out"}"#); // It knew before the leader answered.
    scene.ok("a", "logout", r#"{"stored":3,"of":3}"#);
    scene.expect("a < logout\n close b\n close c\n done 3: 3 of 3");
    scene.up("b");
    scene.up("c");
    scene.lose("a");
    scene.expect("moved a -> b");
}

#[test]
fn a_logout_that_only_one_disk_has_is_given_to_the_next() {
    let mut scene = Scene::logged_in(false);
    scene.command(Op::Logout { key: key(9) });
    scene.ok("a", "logout", r#"{"stored":1,"of":3}"#);
    scene.up("b");
    scene.lose("a");
    scene.expect("a < logout\n close b\n close c\n done 2: 1 of 3\n moved a -> b\n b < resume tok-a -\n b < logout");
    scene.resumed("b");
    scene.ok("b", "logout", r#"{"stored":2,"of":2}"#);
    scene.up("c");
    scene.lose("b");
    scene.expect("moved b -> c");
}

#[test]
fn a_leader_that_closes_the_connection_after_a_logout_stays_the_leader() {
    let mut scene = Scene::logged_in(false);
    scene.command(Op::Logout { key: key(9) });
    scene.ok("a", "logout", r#"{"stored":3,"of":3}"#);
    scene.line("a", r#"{"event":"closed","reason":"logged_out"}"#);
    scene.up("b");
    scene.up("a");
    scene.command(Op::Status);
    scene.expect("a < logout\n close b\n close c\n done 2: 3 of 3\n close a\n a < status");
}

#[test]
fn a_session_that_is_ended_elsewhere_is_reported_and_not_resumed() {
    let mut scene = Scene::logged_in(true);
    scene.line("a", r#"{"event":"closed","reason":"logged_out"}"#);
    scene.expect("logged out: LoggedOut\n close a\n close b\n close c");
    scene.up("a");
    scene.command(send(1, "bob", "hi"));
    scene.refuse("a", "send k1", "not_logged_in");
    scene.expect("a < send k1 bob: hi\n done 3: not_logged_in!");
}

#[test]
fn a_session_that_everybody_refuses_is_over() {
    let mut scene = Scene::logged_in(false);
    scene.lose("a");
    scene.refuse("b", "resume", "wrong_login");
    scene.refuse("b", "login", "wrong_login");
    scene.expect("moved a -> b\n b < resume tok-a -\n b < login ann\n close b\n moved b -> c\n c < resume tok-a -");
    scene.refuse("c", "resume", "wrong_login");
    scene.refuse("c", "login", "wrong_login");
    scene.expect("c < login ann\n logged out: Refused\n close c");
}

#[test]
fn a_login_that_is_one_too_many_is_tried_later() {
    let mut scene = Scene::logged_in(false);
    scene.lose("a");
    scene.refuse("b", "resume", "wrong_login");
    scene.refuse_for("b", "login", 300);
    scene.command(send(1, "bob", "hi"));
    scene.wait(299);
    scene.expect("moved a -> b\n b < resume tok-a -\n b < login ann");
    scene.wait(1);
    scene.expect("b < resume tok-a -\n b < send k1 bob: hi");
}

#[test]
fn a_new_password_is_used_from_then_on() {
    let mut scene = Scene::logged_in(false);
    scene.command(Op::Password { old: "pw".into(), new: "new".into(), key: key(5) });
    scene.command(send(1, "bob", "hi"));
    scene.expect("a < password");
    scene.ok("a", "password", r#"{"stored":3,"of":3}"#);
    scene.expect("done 2: 3 of 3\n a < send k1 bob: hi");
}

#[test]
fn what_changes_the_session_waits_for_what_is_on_its_way() {
    let mut scene = Scene::logged_in(false);
    scene.command(send(1, "bob", "hi"));
    scene.command(Op::Logout { key: key(9) });
    scene.command(Op::Status);
    scene.expect("a < send k1 bob: hi");
    scene.sent("a", 1, 3);
    scene.expect("done 2: sent, 3 of 3\n a < logout");
}
