//! What the program is for, on real processes, real sockets and real disks.

mod harness;

use std::time::Duration;

use harness::{Group, history, texts, texts_within};
use lastword_client::Client;
use lastword_client::protocol::Code;

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("message {n}")).collect()
}

/// The original's life story, through the line client in a pipe.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_life_story() {
    let group = Group::start(3).await;
    let (said, well) = group.chat(&[0, 1, 2], "create alice pwd1\nlogout\ncreate bob pwd2\nlogout\n");
    assert!(well);
    assert_eq!(said, ["Created new account successfully!", "Logged out successfully"].repeat(2));

    let (said, well) = group.chat(
        &[0, 1, 2],
        "send bob too early\nlogin alice wrong\nlogin alice pwd1\nsend bob one\nsend bob two\nsend nobody x\nsend bob three\nlist_pending\nlist .*\n",
    );
    assert!(!well, "three commands failed");
    assert_eq!(
        said,
        [
            "User not logged in",
            "Failed to login, please check username and/or password and try again.",
            "Successfully logged in!",
            "Sent message to bob successfully, they will see it when they log back on! (stored on 3 of 3)",
            "Sent message to bob successfully, they will see it when they log back on! (stored on 3 of 3)",
            "The recipient user does not exist.",
            "Sent message to bob successfully, they will see it when they log back on! (stored on 3 of 3)",
            "3 pending messages:",
            "To bob: one",
            "To bob: two",
            "To bob: three",
            "2 matches: ['alice', 'bob']",
        ]
    );

    // At another replica.
    let (said, well) = group.chat(&[2, 1, 0], "login bob pwd2\n");
    assert!(well);
    assert_eq!(
        said,
        ["Successfully logged in!", "You have 3 recent messages.", "alice: one", "alice: two", "alice: three"]
    );

    let (said, well) = group
        .chat(&[1], "login alice pwd1\nlist_pending\ndelete\ncreate carol pwd3\nlist\ndelete\ncreate ALICE pwd3\n");
    assert!(well);
    assert_eq!(
        said,
        [
            "Successfully logged in!",
            "No pending messages",
            "Deleted account successfully!",
            "Created new account successfully!",
            "2 matches: ['bob', 'carol']",
            "Deleted account successfully!",
            "Created new account successfully!",
        ]
    );
    let (said, well) = group.chat(&[0], "create alice pwd4\n");
    assert!(!well);
    assert_eq!(said, ["Username is not unique, please try again."]);
}

/// Both write a hundred messages a second; the first replica is killed, then the second. Nobody does
/// anything about it. Then the dead come back, and the third is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_conversation_goes_on_while_two_are_killed() {
    const EACH: usize = 600;
    let mut group = Group::start(3).await;
    let (alice, mut to_alice) = group.client(&[0, 1, 2]);
    let (bob, mut to_bob) = group.client(&[0, 1, 2]);
    alice.create("alice", "pwd1").await.unwrap();
    bob.create("bob", "pwd2").await.unwrap();
    alice.listen().await.unwrap();
    bob.listen().await.unwrap();

    let writing = tokio::spawn(write_on(alice.clone(), "bob", EACH));
    let answering = tokio::spawn(write_on(bob.clone(), "alice", EACH));
    let reading = tokio::spawn(async move { (texts(&mut to_alice, EACH).await, to_alice) });
    let also_reading = tokio::spawn(async move { (texts(&mut to_bob, EACH).await, to_bob) });

    tokio::time::sleep(Duration::from_secs(2)).await;
    group.kill(0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    group.kill(1);
    for copies in [writing.await.unwrap(), answering.await.unwrap()] {
        assert_eq!(copies.first(), Some(&3));
        assert_eq!(copies.last(), Some(&1));
    }
    let (shown_to_alice, mut to_alice) = reading.await.unwrap();
    let (shown_to_bob, mut to_bob) = also_reading.await.unwrap();
    assert_eq!(shown_to_alice, numbered(EACH), "once, in order");
    assert_eq!(shown_to_bob, numbered(EACH), "once, in order");
    assert!(texts_within(&mut to_alice, Duration::from_millis(300)).await.is_empty(), "nothing twice");
    assert!(texts_within(&mut to_bob, Duration::from_millis(300)).await.is_empty(), "nothing twice");

    group.spawn(0);
    group.spawn(1);
    group.wait_in_sync().await;
    group.kill(2);
    for replica in [0, 1] {
        let (reader, _) = group.client(&[replica]);
        reader.login("bob", "pwd2").await.unwrap();
        let all = history(&reader, "alice").await;
        assert_eq!(all.len(), 2 * EACH, "at {replica}");
    }
    // And the two who were there all the time go on.
    alice.send("bob", "still here").await.unwrap();
    assert_eq!(texts(&mut to_bob, 1).await, ["still here"]);
}

/// Sends at a hundred a second; the copies that each answer told of.
async fn write_on(client: Client, to: &'static str, count: usize) -> Vec<u32> {
    let mut copies = Vec::new();
    let mut every = tokio::time::interval(Duration::from_millis(10));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for text in numbered(count) {
        every.tick().await;
        copies.push(client.send(to, &text).await.expect("sent").stored);
    }
    copies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_three_are_killed_in_the_middle_of_sending() {
    let mut group = Group::start(3).await;
    let (alice, _events) = group.client(&[0, 1, 2]);
    let (bob, _) = group.client(&[1]);
    alice.create("alice", "pwd1").await.unwrap();
    bob.create("bob", "pwd2").await.unwrap();
    bob.close().await;
    let acknowledged = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = acknowledged.clone();
    let sending = tokio::spawn(async move {
        let mut n = 0;
        while alice.send("bob", &format!("message {n}")).await.is_ok() {
            n += 1;
            counted.store(n, std::sync::atomic::Ordering::SeqCst);
            if n == 5000 {
                break;
            }
        }
        alice
    });
    while acknowledged.load(std::sync::atomic::Ordering::SeqCst) < 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for replica in [1, 0, 2] {
        group.kill(replica);
    }
    let before = acknowledged.load(std::sync::atomic::Ordering::SeqCst);
    for replica in [2, 0, 1] {
        group.spawn(replica);
    }
    group.wait_in_sync().await;
    for replica in 0..3 {
        let (reader, _) = group.client(&[replica]);
        reader.login("bob", "pwd2").await.unwrap();
        let all = history(&reader, "alice").await;
        assert!(all.len() >= before, "{} of {before} at {replica}", all.len());
        assert_eq!(all, numbered(all.len()), "without a gap, in order");
    }
    // Whoever was sending has not noticed anything but a pause.
    let alice = tokio::time::timeout(Duration::from_secs(60), sending).await.expect("goes on").unwrap();
    assert_eq!(acknowledged.load(std::sync::atomic::Ordering::SeqCst), 5000);
    assert_eq!(history(&alice, "bob").await, numbered(5000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deleted_data_directory_refills_and_lost_views_lose_nothing() {
    let mut group = Group::start(3).await;
    let (alice, _events) = group.client(&[0, 1, 2]);
    let (bob, _) = group.client(&[1]);
    alice.create("alice", "pwd1").await.unwrap();
    bob.create("bob", "pwd2").await.unwrap();
    for text in numbered(500) {
        alice.send("bob", &text).await.unwrap();
    }
    group.kill(2);
    std::fs::remove_dir_all(group.data(2)).unwrap();
    group.kill(1);
    std::fs::remove_file(group.data(1).join("views.db")).unwrap();
    alice.send("bob", "meanwhile").await.unwrap();
    group.spawn(1);
    group.spawn(2);
    group.wait_in_sync().await;
    let expected: Vec<String> = numbered(500).into_iter().chain(["meanwhile".to_owned()]).collect();
    group.kill(0);
    for alone in [1, 2] {
        let other = 3 - alone;
        group.kill(other);
        let (bob, mut to_bob) = group.client(&[alone]);
        bob.login("bob", "pwd2").await.unwrap();
        assert_eq!(history(&bob, "alice").await, expected, "at {alone}");
        assert_eq!(bob.listen().await.unwrap().pending, 501, "at {alone}");
        // Not confirmed: the next one is to get it, too.
        let mut shown = Vec::new();
        while shown.len() < 501 {
            if let Some(lastword_client::Event::Message(message)) = to_bob.next().await {
                shown.push(message.text);
            }
            if alone == 1 && shown.len() == 1 {
                break;
            }
        }
        assert_eq!(shown, expected[..shown.len()]);
        drop((bob, to_bob));
        group.spawn(other);
        group.wait_in_sync().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_name_at_two_replicas_at_the_same_moment() {
    let group = Group::start(3).await;
    let (one, other) = (group.client(&[0]).0, group.client(&[1]).0);
    for round in 0..200 {
        let name = format!("name{round}");
        let (first, second) = tokio::join!(one.create(&name, "pwd1"), other.create(&name, "pwd2"));
        let won = usize::from(first.is_ok()) + usize::from(second.is_ok());
        assert_eq!(won, 1, "{name}: {first:?} and {second:?}");
        for (client, result) in [(&one, first), (&other, second)] {
            match result {
                Ok(_) => drop(client.logout().await.unwrap()),
                Err(error) => assert_eq!(error.code(), Some(Code::NameTaken), "{name}"),
            }
        }
    }
    assert_eq!(one.list("^name", None, None).await.unwrap_err().code(), Some(Code::NotLoggedIn));
    one.create("lister", "pwd1").await.unwrap();
    let names = one.list("^name", Some(1000), None).await.unwrap();
    assert_eq!(names.names.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_starts_while_only_the_third_is_up() {
    let mut group = Group::start(3).await;
    group.kill(0);
    group.kill(1);
    let (alice, mut to_alice) = group.client(&[0, 1, 2]);
    alice.create("alice", "pwd1").await.unwrap();
    alice.listen().await.unwrap();
    let sent = alice.send("alice", "to myself").await.unwrap();
    assert_eq!((sent.stored, sent.of, sent.online), (1, 3, true));
    assert_eq!(texts(&mut to_alice, 1).await, ["to myself"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn groups_of_one_two_and_five() {
    for replicas in [1, 2, 5] {
        let mut group = Group::start(replicas).await;
        let order: Vec<usize> = (0..replicas).collect();
        let (alice, mut to_alice) = group.client(&order);
        alice.create("alice", "pwd1").await.unwrap();
        alice.listen().await.unwrap();
        let sent = alice.send("alice", "all").await.unwrap();
        assert_eq!((sent.stored, sent.of), (replicas as u32, replicas as u32));
        for dead in 0..replicas - 1 {
            group.kill(dead);
        }
        let sent = alice.send("alice", "last").await.unwrap();
        assert_eq!((sent.stored, sent.of), (1, replicas as u32));
        assert_eq!(texts(&mut to_alice, 2).await, ["all", "last"]);
    }
}

/// A record of one replica's log is damaged: it says so, fetches it from another one, and has it all.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_damaged_record_is_mended_from_another_replica() {
    let mut group = Group::start(3).await;
    let (alice, _events) = group.client(&[0, 1, 2]);
    alice.create("alice", "pwd1").await.unwrap();
    for text in numbered(50) {
        alice.send("alice", &text).await.unwrap();
    }
    group.kill(2);
    // Its views are made anew, so that the whole log is read.
    std::fs::remove_file(group.data(2).join("views.db")).unwrap();
    let log = rusqlite::Connection::open(group.data(2).join("log.db")).unwrap();
    let changed = log.execute("UPDATE log SET fact = zeroblob(length(fact)) WHERE place IN (20, 21)", []).unwrap();
    assert_eq!(changed, 2);
    drop(log);
    group.spawn(2);
    group.wait_in_sync().await;
    let said = |group: &Group, words: &str| group.log(2).matches(words).count();
    for _ in 0..200 {
        if said(&group, "is repaired") == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((said(&group, "is damaged"), said(&group, "is repaired")), (2, 2), "{}", group.log(2));
    group.kill(0);
    group.kill(1);
    // Whole on disk, too.
    group.kill(2);
    std::fs::remove_file(group.data(2).join("views.db")).unwrap();
    group.spawn(2);
    let (reader, _) = group.client(&[2]);
    reader.login("alice", "pwd1").await.unwrap();
    assert_eq!(history(&reader, "alice").await, numbered(50));
    assert_eq!(said(&group, "is damaged"), 2, "no more than before");
}

/// A record is damaged on every replica: all say so, its place is left empty, and everything else goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_damaged_everywhere_is_given_up_and_the_rest_goes_on() {
    let mut group = Group::start(3).await;
    let (alice, _events) = group.client(&[0, 1, 2]);
    alice.create("alice", "pwd1").await.unwrap();
    let texts: Vec<String> = (0..30).map(|n| format!("text <{n}>")).collect();
    for text in &texts {
        assert_eq!(alice.send("alice", text).await.unwrap().stored, 3);
    }
    for n in 0..3 {
        group.kill(n);
    }
    for n in 0..3 {
        std::fs::remove_file(group.data(n).join("views.db")).unwrap();
        let log = rusqlite::Connection::open(group.data(n).join("log.db")).unwrap();
        let damage = "UPDATE log SET fact = zeroblob(length(fact)) WHERE instr(fact, CAST('text <12>' AS BLOB)) > 0";
        assert_eq!(log.execute(damage, []).unwrap(), 1);
    }
    for n in 0..3 {
        group.spawn(n);
    }
    group.wait_in_sync().await;
    for n in 0..3 {
        for _ in 0..200 {
            if group.log(n).contains("it is lost") && group.log(n).contains("is repaired") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(group.log(n).contains("it is lost"), "{}", group.log(n));
    }
    group.wait_in_sync().await;
    assert_eq!(alice.send("alice", "text <30>").await.unwrap().stored, 3);
    let left: Vec<String> = (0..=30).filter(|&n| n != 12).map(|n| format!("text <{n}>")).collect();
    for n in 0..3 {
        let (reader, _) = group.client(&[n]);
        reader.login("alice", "pwd1").await.unwrap();
        assert_eq!(history(&reader, "alice").await, left);
    }
}

/// What others write can't move the cursor of who reads it, or make one line look like another.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn control_characters_reach_no_terminal() {
    let group = Group::start(1).await;
    let (eve, _events) = group.client(&[0]);
    eve.create("eve", "secret").await.expect("created");
    let (bob, _events) = group.client(&[0]);
    bob.create("bob", "secret").await.expect("created");
    bob.close().await;
    eve.send("bob", "red \u{1b}[31m bell \u{7} back \u{8}\r\u{9b}2J turned \u{202e}txt\nbob: forged")
        .await
        .expect("sent");
    let (pending, _) = group.chat(&[0], "login eve secret\nlist_pending\n");
    let (shown, _) = group.chat(&[0], "login bob secret\nhistory eve\n");
    let all = [pending.join("\n"), shown.join("\n")];
    for said in &all {
        assert!(said.contains("red \\u{1b}[31m bell \\u{7} back \\u{8}\\r\\u{9b}2J turned \\u{202e}txt"), "{said}");
        assert!(!said.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{said:?}");
    }
    assert_eq!(all[1].matches("[31m").count(), 2, "as an event and in the history: {}", all[1]);
}
