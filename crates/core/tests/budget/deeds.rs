//! What clients do, each at its limits.

use std::time::Duration;

use lastword_core::io::{Answer, ConnectionId, Event, Password, Receiver, Refusal, Request};
use lastword_core::pattern::Pattern;
use lastword_facts::token::Pos;

use crate::town::{BLOCKED, CONNECTIONS, SAID, SESSIONS, SWEEP_EVERY, Town, WAITING, WATCHERS, name, secret, token};

/// Something that a client does.
pub struct Deed {
    /// What, with its request in backticks.
    pub what: &'static str,
    pub run: fn(&mut Town),
}

/// Every request, as `docs/protocol.md` has it. (`hello` is answered as `status` is.)
pub const OPS: [&str; 19] = [
    "ping",
    "hello",
    "status",
    "create",
    "login",
    "resume",
    "logout",
    "delete",
    "password",
    "list",
    "send",
    "pending",
    "block",
    "unblock",
    "blocked",
    "listen",
    "delivered",
    "history",
    "conversations",
];

/// Requests that one account may have taken at one moment, and more.
const BURST: usize = 1000;
/// How long a replica's disk stands still.
const STILL: Duration = Duration::from_millis(50);

pub const ALL: &[Deed] = &[
    Deed { what: "`ping`", run: |town| done(town.ask(town.stranger, Request::Ping)) },
    Deed { what: "`status`, `hello`", run: |town| done(town.ask(town.crowd, Request::Status)) },
    Deed { what: "`create`", run: create },
    Deed {
        what: "`create` of a name that is taken",
        run: |town| {
            let refused = town.create("alice");
            assert_eq!(refused, Err(Refusal::NameTaken));
        },
    },
    Deed { what: "`login`", run: |town| done(town.log_in("bob", secret())) },
    Deed {
        what: "`login` to an account whose 64 sessions are all in use, on 9,000 connections",
        run: |town| {
            assert!(matches!(town.log_in("crowd", secret()), Err(Refusal::TooMany { .. })));
        },
    },
    Deed {
        what: "`login` with a wrong password",
        run: |town| {
            assert!(town.log_in("alice", Password("p".repeat(1024))).is_err());
        },
    },
    Deed {
        what: "`resume`",
        run: |town| {
            done(town.ask(town.stranger, Request::Resume { token: token(3, 1), seen: None }));
        },
    },
    Deed {
        what: "`logout` of a session with 8,937 connections",
        run: |town| {
            let key = town.world.key();
            done(town.ask(town.crowd, Request::Logout { key }));
            // The one that asked goes on without a login.
            ended(town, CONNECTIONS - SESSIONS);
        },
    },
    Deed {
        what: "4,096 `block`s that waited behind a `login`, most of them of one too many",
        run: |town| {
            town.world.ask(town.stranger, Request::Login { name: "alice".to_owned(), password: secret() });
            for number in 0..4096 {
                let (key, who) = (town.world.key(), named(&name(5000 + number)));
                town.world.ask(town.stranger, Request::Block { who, on: true, key });
            }
            town.world.run(1000);
        },
    },
    Deed {
        what: "4,096 `send`s that waited behind a `login`",
        run: |town| {
            town.world.ask(town.stranger, Request::Login { name: "alice".to_owned(), password: secret() });
            for _ in 0..4096 {
                let request = town.send("crowd", "x");
                town.world.ask(town.stranger, request);
            }
            town.world.run(1000);
        },
    },
    Deed {
        what: "63 `logout`s stored at once, of an account with 9,000 connections",
        run: |town| {
            town.stand_still();
            for connection in town.seldom.clone() {
                let key = town.world.key();
                town.world.ask(connection, Request::Logout { key });
            }
            town.world.store_at_once(0);
            // Those that asked go on without a login, and none of the others was of their sessions.
            ended(town, 0);
        },
    },
    Deed {
        what: "`delete` of an account with 9,000 connections",
        run: |town| {
            let key = town.world.key();
            done(town.ask(town.crowd, Request::Delete { key }));
            ended(town, CONNECTIONS - 1);
        },
    },
    Deed {
        what: "`delete` of an account that blocks 999",
        run: |town| {
            let key = town.world.key();
            done(town.ask(town.alice, Request::Delete { key }));
        },
    },
    Deed {
        what: "`password` of an account with 9,000 connections",
        run: |town| {
            password(town, town.seldom[0]);
            ended(town, CONNECTIONS - 1);
        },
    },
    Deed { what: "`password` after 600 changes", run: |town| password(town, town.fickle) },
    Deed {
        what: "`list` of all names with an expensive pattern",
        run: |town| {
            let pattern = Pattern::Text(r"^(\w?){60}(person|alice)".to_owned());
            let listed = town.ask(town.alice, Request::List { pattern, limit: 1000, after: None });
            assert!(listed.is_ok(), "{listed:?}");
        },
    },
    Deed { what: "`send` of 16 KiB to somebody who listens 16 times", run: |town| send(town, "crowd", 16 * 1024) },
    Deed { what: "`send` to oneself", run: |town| send(town, "alice", 16 * 1024) },
    Deed {
        what: "`send` to a mailbox at its limit, and its count",
        run: |town| {
            for _ in 0..3 {
                let request = town.send("carol", "x");
                assert!(matches!(town.ask(town.alice, request), Err(Refusal::MailboxFull { .. })));
                town.world.run(1000);
            }
        },
    },
    Deed {
        what: "`send` to somebody who blocks 999, one of them the writer",
        run: |town| {
            let connection = town.enter(1);
            town.block(true, "bob");
            town.begin_measuring();
            let request = town.send("alice", "x");
            done(town.ask(connection, request));
        },
    },
    Deed {
        what: "1,000 `send`s stored at once, to somebody who listens 16 times",
        run: |town| {
            let answers = town.at_once(|town| town.send("crowd", "x"));
            assert!(answers.iter().all(|answer| matches!(answer, Ok(Answer::Sent { .. }))));
        },
    },
    Deed {
        what: "1,000 times the same `send`, before it is stored",
        run: |town| {
            let request = town.send("crowd", "x");
            let answers = town.at_once(move |_| request.clone());
            assert!(answers.iter().all(|answer| matches!(answer, Ok(Answer::Sent { .. }))));
        },
    },
    Deed {
        what: "1,000 refusals that wait for the disk",
        run: |town| {
            let request = Request::History { with: named("nobody"), limit: 500, before: None, bytes: u32::MAX };
            let answers = town.at_once(move |_| request.clone());
            assert!(answers.iter().all(|answer| matches!(answer, Err(Refusal::NoSuchUser(_)))));
        },
    },
    Deed {
        what: "`pending`",
        run: |town| {
            let Ok(Answer::Pending { messages, .. }) =
                town.ask(town.writer, Request::Pending { limit: 500, after: None })
            else {
                panic!("nothing is pending")
            };
            assert_eq!(messages.len(), 500);
        },
    },
    Deed {
        what: "`block`, where as many are remembered as may be, and 999 blocked",
        run: |town| town.block(true, "person09000"),
    },
    Deed { what: "`unblock`", run: |town| town.block(false, &name(100 + SAID - BLOCKED)) },
    Deed {
        what: "`block` of one too many",
        run: |town| {
            town.block(true, "person09000");
            let key = town.world.key();
            let refused = town.ask(town.alice, Request::Block { who: named("person09001"), on: true, key });
            assert!(matches!(refused, Err(Refusal::BadRequest(_))));
        },
    },
    Deed {
        what: "`blocked`, each page of 100",
        run: |town| {
            let (mut after, mut count) = (None, 0);
            loop {
                let page = town.ask(town.alice, Request::Blocked { limit: 100, after });
                let Ok(Answer::Blocked { people, more }) = page else { panic!("{page:?}") };
                count += people.len();
                after = people.last().map(|person| person.account);
                if !more {
                    break assert_eq!(count, 999);
                }
            }
        },
    },
    Deed {
        what: "`listen`, with 5,000 messages of 1 KiB that wait",
        run: |town| {
            listen(town);
            assert_eq!(town.world.texts(town.bob).len(), WAITING);
        },
    },
    Deed {
        what: "`delivered` of 5,000 messages, and their receipts to 16 connections",
        run: |town| {
            listen(town);
            town.begin_measuring();
            let last = town.world.events[&town.bob].iter().rev().find_map(|event| match event {
                Event::Message(view) => Some(Pos { order: view.message.order, index: view.message.index }),
                _ => None,
            });
            done(town.ask(town.bob, Request::Delivered { upto: last.expect("a message") }));
            town.world.run(1000);
            let is_receipt = |event: &&Event| matches!(event, Event::Receipt { .. });
            assert_eq!(town.world.events[&town.writer].iter().filter(is_receipt).count(), WAITING);
        },
    },
    Deed {
        what: "`history` with 500 messages",
        run: |town| {
            let request = Request::History { with: named("writer"), limit: 500, before: None, bytes: u32::MAX };
            let Ok(Answer::History { messages, .. }) = town.ask(town.bob, request) else { panic!("no history") };
            assert_eq!(messages.len(), 500);
        },
    },
    Deed {
        what: "`conversations`, 200 of them",
        run: |town| {
            let page = town.ask(town.alice, Request::Conversations { limit: 200, before: None });
            let Ok(Answer::Conversations { conversations, .. }) = page else { panic!("{page:?}") };
            assert_eq!(conversations.len(), 200);
        },
    },
    Deed {
        what: "somebody comes whom 600 watch, and goes",
        run: |town| {
            done(town.ask(town.alice, Request::Listen));
            town.world.run(1500);
            town.world.hang_up(town.alice);
            town.world.run(1500);
            let told = |event: &Event| matches!(event, Event::Presence(_));
            let told = town.world.events.values().flatten().filter(|event| told(event)).count();
            assert_eq!(told, 2 * WATCHERS);
        },
    },
    Deed {
        what: "a connection ends that watches 200",
        run: |town| {
            done(town.ask(town.alice, Request::Conversations { limit: 200, before: None }));
            town.begin_measuring();
            town.world.hang_up(town.alice);
            town.world.run(300);
        },
    },
    Deed {
        what: "all sessions are looked at, as once an hour",
        run: |town| {
            town.world.run(SWEEP_EVERY.as_millis() as u64 + 5000);
        },
    },
];

fn done(result: Result<Answer, Refusal>) {
    result.expect("it is carried out");
}

fn named(name: &str) -> Receiver {
    Receiver::Name(name.to_owned())
}

fn create(town: &mut Town) {
    done(town.create(&"n".repeat(32)));
}

fn password(town: &mut Town, connection: ConnectionId) {
    let key = town.world.key();
    // As long as the hash of a world may be, which has the password in it.
    let new = Password("n".repeat(400));
    done(town.ask(connection, Request::Password { old: secret(), new, key }));
}

/// So many connections are ended after that.
fn ended(town: &mut Town, connections: usize) {
    town.world.run(1000);
    assert_eq!(town.world.closed.len(), connections);
}

fn send(town: &mut Town, to: &str, bytes: usize) {
    let request = town.send(to, &"x".repeat(bytes));
    done(town.ask(town.alice, request));
}

/// Bob listens until all that waits was shown.
fn listen(town: &mut Town) {
    done(town.ask(town.bob, Request::Listen));
    town.world.run(2000);
}

impl Town {
    /// What was done so far is not measured.
    fn begin_measuring(&mut self) {
        self.world.calls.iter_mut().for_each(Vec::clear);
    }

    fn create(&mut self, name: &str) -> Result<Answer, Refusal> {
        let key = self.world.key();
        self.ask(self.stranger, Request::Create { name: name.to_owned(), password: secret(), key })
    }

    fn log_in(&mut self, name: &str, password: Password) -> Result<Answer, Refusal> {
        self.ask(self.stranger, Request::Login { name: name.to_owned(), password })
    }

    /// Alice blocks somebody, or does so no more.
    fn block(&mut self, on: bool, who: &str) {
        let key = self.world.key();
        done(self.ask(self.alice, Request::Block { who: named(who), on, key }));
    }

    /// The disk takes long, and there is nobody else to wait for: all that is asked now is stored with one sync.
    fn stand_still(&mut self) {
        self.world.kill(1);
        self.world.run(3000);
        self.world.nodes[0].sync = STILL;
    }

    /// Alice writes something, and asks a thousand things more before the disk has it. What comes of those.
    fn at_once(&mut self, mut request: impl FnMut(&mut Self) -> Request) -> Vec<Result<Answer, Refusal>> {
        self.stand_still();
        let first = self.send("person00200", "x");
        self.world.ask(self.alice, first);
        let mut asked = Vec::new();
        for _ in 0..BURST {
            let request = request(self);
            asked.push(self.world.ask(self.alice, request));
        }
        self.world.store_at_once(0);
        self.world.run(1000);
        asked.into_iter().map(|tag| self.world.answer(self.alice, tag).expect("it is answered").clone()).collect()
    }
}
