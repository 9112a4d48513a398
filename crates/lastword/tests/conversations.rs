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

    for (field, value) in [("limit", "many"), ("before", "nothing")] {
        let wrong = ann.ask(&json!({"op": "conversations", field: value}));
        assert_eq!(wrong["error"]["code"], "bad_request", "{wrong}");
    }
    let mut stranger = Talk::to(&group.addresses[0]);
    assert_eq!(stranger.ask(&json!({"op": "conversations"}))["error"]["code"], "not_logged_in");
}

/// Texts as long as they may be, so that a line holds few of them: by pages all are found, each once, the newest first.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_page_that_does_not_go_into_a_line_is_cut_and_the_next_one_has_the_rest() {
    let group = Group::start(1).await;
    let mut ann = person(&group.addresses[0], "ann");
    for n in 0..30 {
        person(&group.addresses[0], &format!("p{n}"));
        send(&mut ann, &format!("p{n}"), &"x".repeat(16_384));
    }
    let mut names: Vec<String> = Vec::new();
    let mut before = Value::Null;
    let mut more = true;
    while more {
        let page = ann.ask(&json!({"op": "conversations", "limit": 200, "before": before}))["ok"].clone();
        let rows = page["conversations"].as_array().expect("a list");
        names.extend(rows.iter().map(|one| one["name"].as_str().expect("a name").to_owned()));
        assert!((1..6).contains(&rows.len()) && names.len() <= 30, "{names:?}");
        before = rows[rows.len() - 1]["last"]["pos"].clone();
        more = page["more"].as_bool().expect("true or false");
    }
    assert_eq!(names, (0..30).rev().map(|n| format!("p{n}")).collect::<Vec<_>>());
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
    let page = ann.conversations(None, None).await.expect("conversations");
    assert_eq!((page.conversations.len(), page.conversations[0].last.text.as_str()), (1, "hi"));
    let next = ann.conversations(Some(1), Some(&page.conversations[0].last.pos)).await.expect("conversations");
    assert_eq!((next.conversations.len(), next.more), (0, false));
    bob.listen().await.expect("listens");
    assert_eq!(presence(&mut events).await, ("bob".to_owned(), true));
    bob.close().await;
    drop(bob_events);
    assert_eq!(presence(&mut events).await, ("bob".to_owned(), false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_is_blocked_is_not_heard_and_not_told() {
    let group = Group::start(1).await;
    let mut ann = person(&group.addresses[0], "ann");
    let mut bob = person(&group.addresses[0], "bob");
    let blocked = bob.ask(&json!({"op": "block", "who": "ANN", "key": key()}));
    assert_eq!((&blocked["ok"]["stored"], &blocked["ok"]["of"]), (&json!(1), &json!(1)), "{blocked}");
    let list = bob.ask(&json!({"op": "blocked"}))["ok"].clone();
    assert_eq!((&list["blocked"][0]["name"], &list["more"]), (&json!("ann"), &json!(false)));
    let account = list["blocked"][0]["account"].clone();
    assert_eq!(send(&mut ann, "bob", "hi")["stored"], 1);
    assert_eq!(bob.ask(&json!({"op": "listen"}))["ok"]["pending"], 0);
    assert_eq!(bob.ask(&json!({"op": "history", "with": "ann"}))["ok"]["messages"], json!([]));
    assert_eq!(bob.ask(&json!({"op": "conversations"}))["ok"]["conversations"], json!([]));
    assert_eq!(ann.ask(&json!({"op": "pending"}))["ok"]["messages"][0]["text"], "hi");
    assert_eq!(ann.ask(&json!({"op": "history", "with": "bob"}))["ok"]["messages"][0]["text"], "hi");
    let unblocked = bob.ask(&json!({"op": "unblock", "who_account": account, "key": key()}));
    assert_eq!(unblocked["ok"]["stored"], 1, "{unblocked}");
    send(&mut ann, "bob", "again");
    assert_eq!(bob.event("message")["text"], "again");
    let page = bob.ask(&json!({"op": "history", "with": "ann"}))["ok"]["messages"].clone();
    assert_eq!((page.as_array().map(Vec::len), &page[0]["text"]), (Some(1), &json!("again")));
    for op in ["block", "unblock"] {
        assert_eq!(bob.ask(&json!({"op": op, "who": "nobody", "key": key()}))["error"]["code"], "no_such_user");
    }
    assert_eq!(bob.ask(&json!({"op": "block", "who": "bob", "key": key()}))["error"]["code"], "bad_request");
}
