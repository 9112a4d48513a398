//! The driver against a small server on real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use lastword_client::protocol::{Op, Request, Uuid, request::Receiver};
use lastword_client::{Client, Error, Event, Options};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a fake replica heard: its name, and the request.
type Heard = mpsc::UnboundedSender<(&'static str, Op)>;

/// A replica that says yes to everything, with `stored` of 3 copies. Aborted, it is dead, connections
/// and all.
async fn replica(name: &'static str, stored: u32, heard: Heard) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(name, stored, stream, heard.clone()));
        }
    });
    (address, task)
}

async fn serve(name: &'static str, stored: u32, stream: TcpStream, heard: Heard) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let request = Request::from_json(line.as_bytes()).unwrap();
        let login = format!(r#"{{"account":"ACC","name":"ann","token":"tok-{name}","pending":0}}"#);
        let ok = match &request.op {
            Op::Hello { .. } => {
                format!(r#"{{"server":"fake","version":1,"replica":"{name}","stale":false,"replicas":[]}}"#)
            }
            Op::Login { .. } | Op::Resume { .. } => login,
            Op::Listen => r#"{"pending":0}"#.into(),
            Op::Send { key, .. } => format!(
                r#"{{"message":"{key}","to_account":"BOB","at":1,"seen":"s","stored":{stored},"of":3,"online":true}}"#
            ),
            _ => "{}".into(),
        };
        let id = serde_json::to_string(&request.id).unwrap();
        let mut answer = format!("{{\"id\":{id},\"ok\":{ok}}}\n");
        if request.op == Op::Listen {
            // The same message from each: it must be shown once.
            answer.push_str(
                "{\"event\":\"message\",\"message\":\"m1\",\"from\":\"bob\",\"from_account\":\"BOB\",\"to\":\"ann\",\
                 \"to_account\":\"ACC\",\"text\":\"hi\",\"at\":1,\"pos\":\"p1\",\"seen\":\"s1\"}\n",
            );
        }
        heard.send((name, request.op)).unwrap();
        if writer.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Waits until a replica heard something that matches.
async fn until(
    heard: &mut mpsc::UnboundedReceiver<(&'static str, Op)>,
    mut matches: impl FnMut(&'static str, &Op) -> bool,
) -> Op {
    let found = async {
        loop {
            let (name, op) = heard.recv().await.unwrap();
            if matches(name, &op) {
                return op;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.expect("a replica hears it")
}

#[tokio::test]
async fn a_conversation_goes_on_when_the_leader_dies() {
    let (heard_in, mut heard) = mpsc::unbounded_channel();
    let (a, a_task) = replica("a", 2, heard_in.clone()).await;
    let (b, _b_task) = replica("b", 3, heard_in).await;
    let (client, mut events) = Client::connect([a.to_string(), b.to_string()]).unwrap();

    assert_eq!(client.login("ann", "pw").await.unwrap().account, "ACC");
    assert_eq!(client.leader().as_deref(), Some("a"));
    until(&mut heard, |name, op| name == "b" && matches!(op, Op::Resume { .. })).await;
    client.listen().await.unwrap();
    let key = Uuid::from_u128(7);
    let sent = client.start_send(key, "bob", "hi").await.unwrap().await.unwrap();
    assert_eq!((sent.stored, sent.of), (2, 3));
    assert_eq!(events.next().await, Some(Event::Moved { from: None, to: "a".into() }));
    let Some(Event::Message(message)) = events.next().await else { panic!("a message") };
    assert_eq!(message.text, "hi");
    events.confirm();
    until(&mut heard, |name, op| name == "a" && *op == Op::Delivered { upto: "p1".into() }).await;

    a_task.abort();
    // What a had on two disks of three comes first, to the same account, then what is new.
    assert_eq!(client.send("bob", "again").await.unwrap().stored, 3);
    let old = until(&mut heard, |name, op| name == "b" && matches!(op, Op::Send { .. })).await;
    assert_eq!(old, Op::Send { to: Receiver::Account("BOB".into()), text: "hi".into(), key });
    // And b's copy of the message is dropped, and confirmed, before that or after.
    let (mut new, mut confirmed) = (false, false);
    while !(new && confirmed) {
        until(&mut heard, |name, op| {
            new |= name == "b" && matches!(op, Op::Send { text, .. } if text == "again");
            confirmed |= name == "b" && matches!(op, Op::Delivered { .. });
            name == "b" && matches!(op, Op::Send { .. } | Op::Delivered { .. })
        })
        .await;
    }
    assert_eq!(events.next().await, Some(Event::Moved { from: Some("a".into()), to: "b".into() }));
    assert_eq!(events.try_next(), None);

    client.close().await;
    assert_eq!(events.next().await, None);
    assert_eq!(client.send("bob", "too late").await.unwrap_err(), Error::Closed);
}

#[tokio::test]
async fn a_thousand_sends_at_once_arrive_in_order() {
    let (heard_in, mut heard) = mpsc::unbounded_channel();
    let (a, _task) = replica("a", 3, heard_in).await;
    let (client, _events) = Client::connect([a.to_string()]).unwrap();
    let mut answers = Vec::new();
    for n in 0..1000 {
        answers.push(client.start_send(Uuid::from_u128(n), "bob", &n.to_string()).await.unwrap());
    }
    for answer in answers {
        answer.await.unwrap();
    }
    for n in 0..1000 {
        let op = until(&mut heard, |_, op| matches!(op, Op::Send { .. })).await;
        assert!(matches!(op, Op::Send { text, .. } if text == n.to_string()));
    }
}

#[tokio::test]
async fn nobody_there_is_said_at_the_deadline() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let options = Options { request_timeout: Duration::from_millis(200), ..Options::default() };
    let (client, mut events) = Client::connect_with([address.clone()], options).unwrap();
    let error = client.status().await.unwrap_err();
    assert!(matches!(&error, Error::NoReplica { tried, .. } if *tried == address), "{error}");
    assert_eq!(events.next().await, Some(Event::NoReplica { tried: address }));
    assert_eq!(client.leader(), None);
}

#[tokio::test]
async fn addresses_that_are_none_are_refused() {
    for (addresses, word) in [(vec![], "at least one"), (vec!["localhost"], "`localhost`")] {
        let error = Client::connect(addresses).err().expect("refused").to_string();
        assert!(error.contains(word), "{error}");
    }
}
