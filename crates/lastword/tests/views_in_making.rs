//! Views that are lost are made while the server takes part, and logins work again when they are there.

mod harness;

use harness::{Group, history};
use lastword_client::Client;
use lastword_client::protocol::{Code, Uuid};
use rustix::process::Signal;

/// Sends so many messages, many at a time. In how many copies the last one is.
async fn send(client: &Client, numbers: std::ops::Range<usize>) -> u32 {
    let mut stored = 0;
    let numbers: Vec<usize> = numbers.collect();
    for piece in numbers.chunks(5000) {
        let mut answers = Vec::new();
        for n in piece {
            answers.push(client.start_send(Uuid::now_v7(), "bob", &format!("message {n}")).await.expect("taken"));
        }
        for answer in answers {
            stored = answer.await.expect("sent").stored;
        }
    }
    stored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lost_views_are_made_while_the_server_takes_part() {
    const BEFORE: usize = 150_000;
    const MEANWHILE: usize = 2_000;
    let mut group = Group::prepare(2);
    for replica in 0..2 {
        group.spawn_with(replica, &["--pending-per-account", "100000000"]);
    }
    group.wait_in_sync().await;
    let (alice, _events) = group.client(&[0]);
    alice.create("bob", "pwd2").await.unwrap();
    alice.logout().await.unwrap();
    alice.create("alice", "pwd1").await.unwrap();
    assert_eq!(send(&alice, 0..BEFORE).await, 2);

    group.stop(1, Signal::TERM);
    std::fs::remove_file(group.data(1).join("views.db")).unwrap();
    group.spawn_with(1, &["--views-behind-max", "0"]);
    // Whoever asks for it before they are made is told to go elsewhere; here, there is nowhere else.
    let (bob, _events) = group.client(&[1]);
    let mut refused = 0;
    let pending = loop {
        match bob.login("bob", "pwd2").await {
            Ok(login) => break login.pending,
            Err(error) => {
                assert_eq!(error.code(), Some(Code::Unavailable), "{error}");
                refused += 1;
            }
        }
        // Its disk counts meanwhile.
        group.wait_in_sync().await;
        assert_eq!(send(&alice, BEFORE + (refused - 1) * MEANWHILE..BEFORE + refused * MEANWHILE).await, 2);
        assert!(refused < 1000, "{}", group.log(1));
    };
    assert!(refused > 0, "the views were made before anybody could ask: {}", group.log(1));
    let sent = BEFORE + refused * MEANWHILE;
    assert_eq!(pending, sent as u64);
    let all: Vec<String> = (0..sent).map(|n| format!("message {n}")).collect();
    assert!(history(&bob, "alice").await == all, "the history is not what was sent");
    assert!(group.log(1).contains("logins work again"), "{}", group.log(1));

    // What was made is good at the next start.
    group.kill(1);
    group.spawn(1);
    assert!(history(&bob, "alice").await == all, "the history is not what was sent");
    assert_eq!(group.log(1).matches("rebuilding views.db from").count(), 1, "{}", group.log(1));
}
