//! What a person has to do with whom, and who is there, as clients are told.

mod harness;
mod process;

use std::time::Duration;

use harness::Group;
use lastword_client::{Event, Events};
use process::{Talk, key};
use serde_json::{Value, json};

fn person(address: &str, name: &str) -> Talk {
    let mut talk = Talk::to(address);
    talk.create(name);
    talk
}

fn send(talk: &mut Talk, to: &str, text: &str) -> Value {
    let sent = talk.ask(&json!({"op": "send", "to": to, "text": text, "key": key()}));
    assert!(sent["ok"].is_object(), "{sent}");
    sent["ok"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn as_they_stand_on_the_wire() {
    let mut group = Group::start(3).await;
    let mut ann = person(&group.addresses[0], "ann");
    let mut bob = person(&group.addresses[1], "bob");
    let sent = send(&mut bob, "ann", "hi");
    let page = ann.ask(&json!({"op": "conversations"}))["ok"].clone();
    assert_eq!(page["more"], false);
    let [conversation] = page["conversations"].as_array().expect("a list").as_slice() else { panic!("{page}") };
    let last = &conversation["last"];
    assert_eq!((&conversation["name"], &conversation["online"]), (&json!("bob"), &json!(false)));
    assert_eq!(conversation["account"], last["from_account"]);
    assert_eq!((&last["from"], &last["to"], &last["text"]), (&json!("bob"), &json!("ann"), &json!("hi")));
    assert_eq!((&last["message"], &last["at"]), (&sent["message"], &sent["at"]));
    // Its `pos` is good for the history before it.
    let before = ann.ask(&json!({"op": "history", "with": "bob", "before": last["pos"]}))["ok"].clone();
    assert_eq!((&before["messages"], &before["more"]), (&json!([]), &json!(false)));
    assert_eq!((&before["account"], &before["name"]), (&conversation["account"], &json!("bob")));

    // Told once, at a distance, and again when the replica that he is at dies.
    bob.ask(&json!({"op": "listen"}));
    let presence =
        |online| json!({"event": "presence", "account": conversation["account"], "name": "bob", "online": online});
    assert_eq!(ann.next().expect("told"), presence(true));
    assert_eq!(ann.ask(&json!({"op": "history", "with": "bob"}))["ok"]["online"], true);
    group.kill(1);
    assert_eq!(ann.next().expect("told"), presence(false));
    assert_eq!(ann.ask(&json!({"op": "conversations", "limit": 0}))["ok"]["conversations"][0]["online"], false);

    let wrong = ann.ask(&json!({"op": "conversations", "limit": "many"}));
    assert_eq!(wrong["error"]["code"], "bad_request");
    let mut stranger = Talk::to(&group.addresses[0]);
    assert_eq!(stranger.ask(&json!({"op": "conversations"}))["error"]["code"], "not_logged_in");
}

/// Texts as long as they may be: those that go into a line are told of, the newest first, and that there are more.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_page_that_does_not_go_into_a_line_is_cut() {
    let group = Group::start(1).await;
    let mut ann = person(&group.addresses[0], "ann");
    for n in 0..6 {
        person(&group.addresses[0], &format!("p{n}"));
        send(&mut ann, &format!("p{n}"), &"x".repeat(16_000));
    }
    let page = ann.ask(&json!({"op": "conversations"}))["ok"].clone();
    let names: Vec<_> = page["conversations"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert!((2..6).contains(&names.len()) && page["more"] == true, "{names:?}");
    assert_eq!(names[..2], ["p5", "p4"]);
}

async fn presence(events: &mut Events) -> (String, bool) {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(20), events.next()).await.expect("told");
        if let Event::Presence(presence) = event.expect("the client goes on") {
            return (presence.name, presence.online);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn as_programs_are_told() {
    let group = Group::start(2).await;
    let (ann, mut events) = group.client(&[0, 1]);
    ann.create("ann", "secret").await.expect("created");
    let (bob, bob_events) = group.client(&[1, 0]);
    bob.create("bob", "secret").await.expect("created");
    bob.send("ann", "hi").await.expect("sent");
    let page = ann.conversations(None).await.expect("conversations");
    assert_eq!((page.conversations.len(), page.conversations[0].last.text.as_str()), (1, "hi"));
    bob.listen().await.expect("listens");
    assert_eq!(presence(&mut events).await, ("bob".to_owned(), true));
    bob.close().await;
    drop(bob_events);
    assert_eq!(presence(&mut events).await, ("bob".to_owned(), false));
}
