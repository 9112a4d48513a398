//! A client between replicas that the test plays, on virtual time.
//!
//! Everything that the machine puts out is written down as a line; [`Scene::expect`] compares what was
//! written since the last time. `a < ping` is a request to replica a; `done 2: …` answers the second
//! command; pings and dials can be left out ([`Scene::quiet`]).

use std::time::Duration;

use lastword_protocol::answer::Done;
use lastword_protocol::request::Receiver;
use lastword_protocol::{Op, RequestId, ServerLine, Uuid};

use crate::event::Event;
use crate::machine::{CommandId, Config, Epoch, EventNumber, Input, Machine, Output, ReplicaIndex, Time};

pub(super) struct Scene {
    machine: Machine,
    now: Time,
    epochs: Vec<Option<Epoch>>,
    /// Requests that are not answered: replica, id, as written down.
    open: Vec<(usize, u64, String)>,
    said: Vec<String>,
    commands: u64,
    quiet: bool,
}

fn index(name: &str) -> usize {
    usize::from(name.as_bytes()[0] - b'a')
}

fn letter(r: ReplicaIndex) -> char {
    char::from(b'a' + u8::try_from(r.0).unwrap())
}

pub(super) fn key(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub(super) fn send(n: u128, to: &str, text: &str) -> Op {
    let to = match to.strip_prefix('#') {
        Some(account) => Receiver::Account(account.into()),
        None => Receiver::Name(to.into()),
    };
    Op::Send { to, text: text.into(), key: key(n) }
}

impl Scene {
    pub fn of(replicas: usize) -> Self {
        Self::with(replicas, Config::default())
    }

    pub fn with(replicas: usize, config: Config) -> Self {
        let addresses = (0..replicas).map(|r| format!("{}:1", letter(ReplicaIndex(r)))).collect();
        let machine = Machine::new(config, addresses);
        let (epochs, open, said) = (vec![None; replicas], Vec::new(), Vec::new());
        let mut scene = Self { machine, now: Time::default(), epochs, open, said, commands: 0, quiet: false };
        scene.handle(Input::Timer);
        scene
    }

    /// Three replicas, logged in as ann at a, the others ready; nothing more is written down of dials
    /// and pings.
    pub fn logged_in(listening: bool) -> Self {
        Self::logged_in_with(listening, Config::default())
    }

    pub fn logged_in_with(listening: bool, config: Config) -> Self {
        let mut scene = Self::with(3, config).quiet();
        for replica in ["a", "b", "c"] {
            scene.up(replica);
        }
        scene.command(Op::Login { name: "ann".into(), password: "pw".into() });
        scene.log_in("a");
        for replica in ["b", "c"] {
            scene.resumed(replica);
        }
        if listening {
            scene.command(Op::Listen);
            scene.ok("a", "listen", r#"{"pending":0}"#);
        }
        scene.said.clear();
        scene
    }

    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    // What happens.

    pub fn connect(&mut self, name: &str) {
        let epoch = self.epochs[index(name)].expect("it is being dialled");
        self.handle(Input::Connected { replica: ReplicaIndex(index(name)), epoch });
    }

    pub fn up(&mut self, name: &str) {
        self.connect(name);
        let hello = format!(r#"{{"server":"x","version":1,"replica":"{name}","stale":false,"replicas":[]}}"#);
        self.ok(name, "hello", &hello);
    }

    pub fn lose(&mut self, name: &str) {
        let epoch = self.epochs[index(name)].take().expect("it is connected, or dialled");
        self.forget(index(name));
        self.handle(Input::Lost { replica: ReplicaIndex(index(name)), epoch });
    }

    /// Gives a command, and its number.
    pub fn command(&mut self, op: Op) -> u64 {
        self.commands += 1;
        self.handle(Input::Command { id: CommandId(self.commands), op });
        self.commands
    }

    pub fn shown(&mut self, upto: u64) {
        self.handle(Input::Shown { upto: EventNumber(upto) });
    }

    /// Lets time pass, with every timer in it.
    pub fn wait(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(due) = self.machine.poll_timeout().filter(|due| *due <= end) {
            assert!(due >= self.now || due == Time::default(), "a timer in the past: {due:?} at {:?}", self.now);
            self.now = due.max(self.now);
            self.handle(Input::Timer);
        }
        self.now = end;
    }

    /// The same, with replicas that answer pings.
    pub fn wait_answering_pings(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.now < end {
            self.wait(100.min(u64::try_from((end.0 - self.now.0).as_millis()).unwrap()));
            for name in ["a", "b", "c"] {
                while self.open.iter().any(|(r, _, said)| *r == index(name) && said == "ping") {
                    self.ok(name, "ping", "{}");
                }
            }
        }
    }

    /// The process stands still, and wakes up.
    pub fn freeze(&mut self, ms: u64) {
        self.now = self.now + Duration::from_millis(ms);
        self.handle(Input::Timer);
    }

    pub fn line(&mut self, name: &str, json: &str) {
        let epoch = self.epochs[index(name)].expect("it is connected");
        let line = ServerLine::from_json(json.as_bytes()).unwrap();
        self.handle(Input::Line { replica: ReplicaIndex(index(name)), epoch, line });
    }

    /// Answers the oldest open request of the replica that begins so.
    fn answer(&mut self, name: &str, request: &str, rest: &str) {
        let place = self.open.iter().position(|(r, _, said)| *r == index(name) && said.starts_with(request));
        let place = place.unwrap_or_else(|| panic!("{name} was not asked `{request}`: {:?}", self.open));
        let (_, id, _) = self.open.remove(place);
        self.line(name, &format!(r#"{{"id":{id},{rest}}}"#));
    }

    pub fn ok(&mut self, name: &str, request: &str, ok: &str) {
        self.answer(name, request, &format!(r#""ok":{ok}"#));
    }

    pub fn refuse(&mut self, name: &str, request: &str, code: &str) {
        self.answer(name, request, &format!(r#""error":{{"code":"{code}","text":"{code}!"}}"#));
    }

    pub fn refuse_for(&mut self, name: &str, request: &str, retry_ms: u64) {
        let rest = format!(r#""error":{{"code":"too_many","text":"slow down","retry_ms":{retry_ms}}}"#);
        self.answer(name, request, &rest);
    }

    pub fn log_in(&mut self, name: &str) {
        self.ok(name, "login", &format!(r#"{{"account":"ACC","name":"ann","token":"tok-{name}","pending":0}}"#));
    }

    pub fn resumed(&mut self, name: &str) {
        self.ok(name, "resume", r#"{"account":"ACC","name":"ann","pending":0}"#);
    }

    /// Answers a `send`: this many of three replicas have it.
    pub fn sent(&mut self, name: &str, n: u128, stored: u32) {
        let ok = format!(
            r#"{{"message":"{}","to_account":"BOB","at":1,"seen":"s{n}","stored":{stored},"of":3,"online":true}}"#,
            key(n)
        );
        self.ok(name, &format!("send k{n} "), &ok);
    }

    pub fn message(&mut self, name: &str, message: &str, pos: &str) {
        self.line(
            name,
            &format!(
                r#"{{"event":"message","message":"{message}","from":"bob","from_account":"BOB","to":"ann",
                "to_account":"ACC","text":"hi","at":1,"pos":"{pos}","seen":"seen-{message}"}}"#
            ),
        );
    }

    // What is said.

    /// Compares what was written down since the last time: one line each, indentation aside.
    #[track_caller]
    pub fn expect(&mut self, lines: &str) {
        let expected: Vec<&str> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let said = std::mem::take(&mut self.said);
        assert_eq!(said, expected, "\nsaid:\n{}\n", said.join("\n"));
    }

    /// The first line that was written down; the rest is forgotten.
    pub fn take_first(&mut self) -> String {
        std::mem::take(&mut self.said).swap_remove(0)
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(self.now, input);
        while let Some(output) = self.machine.poll_output() {
            self.write_down(output);
        }
    }

    fn forget(&mut self, r: usize) {
        self.open.retain(|(replica, _, _)| *replica != r);
    }

    fn write_down(&mut self, output: Output) {
        let line = match output {
            Output::Dial { replica, epoch } => {
                self.epochs[replica.0] = Some(epoch);
                self.forget(replica.0);
                if self.quiet {
                    return;
                }
                format!("dial {}", letter(replica))
            }
            Output::Close { replica, epoch } => {
                assert_eq!(self.epochs[replica.0].take(), Some(epoch));
                self.forget(replica.0);
                format!("close {}", letter(replica))
            }
            Output::Send { replica, epoch, request } => {
                assert_eq!(self.epochs[replica.0], Some(epoch), "sent on a connection that is gone");
                let RequestId::Number(id) = request.id else { panic!() };
                let said = describe(&request.op);
                self.open.push((replica.0, id, said.clone()));
                if self.quiet && matches!(request.op, Op::Ping | Op::Hello { .. }) {
                    return;
                }
                format!("{} < {said}", letter(replica))
            }
            Output::Done { id, result } => match result {
                Ok(Done::Send(sent)) => format!("done {}: sent, {} of {}", id.0, sent.stored, sent.of),
                Ok(Done::Stored(stored)) => format!("done {}: {} of {}", id.0, stored.stored, stored.of),
                Ok(_) => format!("done {}: ok", id.0),
                Err(error) => format!("done {}: {error}", id.0),
            },
            Output::Event { number, event } => describe_event(number, event),
        };
        self.said.push(line);
    }
}

fn describe(op: &Op) -> String {
    match op {
        Op::Send { to, text, key } => {
            let to = match to {
                Receiver::Name(name) => name.clone(),
                Receiver::Account(account) => format!("#{account}"),
            };
            format!("send k{} {to}: {text}", key.as_u128())
        }
        Op::Resume { token, seen } => format!("resume {token} {}", seen.as_deref().unwrap_or("-")),
        Op::Create { name, .. } | Op::Login { name, .. } => format!("{} {name}", op.name()),
        Op::Delivered { upto } => format!("delivered {upto}"),
        op => op.name().to_owned(),
    }
}

fn describe_event(number: EventNumber, event: Event) -> String {
    match event {
        Event::Message(message) => format!("event {}: {}", number.0, message.message),
        Event::Moved { from, to } => format!("moved {} -> {to}", from.as_deref().unwrap_or("-")),
        Event::NotListening { refusal } => format!("not listening: {}", refusal.text),
        Event::Listening { pending } => format!("listening, {pending} wait"),
        Event::NoReplica { .. } => "no replica".into(),
        Event::LoggedOut { reason } => format!("logged out: {reason:?}"),
        Event::Receipt(receipt) => format!("receipt {}", receipt.message),
        Event::Presence(presence) => format!("presence {} {}", presence.name, presence.online),
        Event::Replicas { .. } => "replicas".into(),
    }
}
