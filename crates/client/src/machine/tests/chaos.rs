//! Anything at any time, from a seed: replicas come and go, answer or refuse, and time passes.
//!
//! Checked all along: each command is answered once; no send is given to a replica while an earlier one
//! that is not answered was not given to it before, on the same connection; timers do not spin.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lastword_protocol::{Op, RequestId, ServerLine};

use super::scene::{key, send};
use crate::machine::{CommandId, Config, Epoch, EventNumber, Input, Machine, Output, ReplicaIndex, Time};

/// A small generator of random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }
}

/// A connection as its replica sees it.
struct Peer {
    epoch: Epoch,
    connected: bool,
    open: Vec<(u64, Op)>,
    /// Which sends it was given, and did not refuse for want of a login.
    given: BTreeSet<u64>,
}

struct World {
    machine: Machine,
    random: Random,
    now: Time,
    peers: BTreeMap<usize, Peer>,
    commands: u64,
    /// Commands that are not answered, and whether they are sends.
    waiting: BTreeMap<u64, bool>,
    messages: u64,
    calm: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let addresses = ["a", "b", "c"].map(String::from).to_vec();
        let machine = Machine::new(Config::default(), addresses);
        let (now, peers, waiting) = (Time::default(), BTreeMap::new(), BTreeMap::new());
        Self { machine, random: Random(seed), now, peers, commands: 0, waiting, messages: 0, calm: false }
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(self.now, input);
        while let Some(output) = self.machine.poll_output() {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Dial { replica, epoch } => {
                let peer = Peer { epoch, connected: false, open: Vec::new(), given: BTreeSet::new() };
                assert!(self.peers.insert(replica.0, peer).is_none(), "dialled while it is connected");
            }
            Output::Close { replica, epoch } => {
                assert_eq!(self.peers.remove(&replica.0).map(|peer| peer.epoch), Some(epoch));
            }
            Output::Send { replica, epoch, request } => {
                let RequestId::Number(id) = request.id else { panic!() };
                let peer = self.peers.get_mut(&replica.0).filter(|peer| peer.epoch == epoch && peer.connected);
                let peer = peer.expect("sent on a connection that stands");
                if let Op::Send { key, .. } = &request.op {
                    let number = u64::try_from(key.as_u128()).unwrap();
                    let earlier = self.waiting.range(..number).filter(|(_, is_send)| **is_send);
                    for (earlier, _) in earlier {
                        assert!(peer.given.contains(earlier), "{number} overtook {earlier}");
                    }
                    peer.given.insert(number);
                }
                peer.open.push((id, request.op));
            }
            Output::Done { id, .. } => assert!(self.waiting.remove(&id.0).is_some(), "answered twice"),
            Output::Event { .. } => {}
        }
    }

    fn command(&mut self, op: impl FnOnce(u64) -> Op) {
        self.commands += 1;
        let op = op(self.commands);
        self.waiting.insert(self.commands, matches!(op, Op::Send { .. }));
        self.handle(Input::Command { id: CommandId(self.commands), op });
    }

    fn wait(&mut self, ms: usize) {
        let end = self.now + Duration::from_millis(ms as u64);
        let mut turns = 0;
        while let Some(due) = self.machine.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.handle(Input::Timer);
            turns += 1;
            assert!(turns < 1000, "timers spin at {:?}", self.now);
        }
        self.now = end;
    }

    fn lose(&mut self, r: usize) {
        if let Some(peer) = self.peers.remove(&r) {
            self.handle(Input::Lost { replica: ReplicaIndex(r), epoch: peer.epoch });
        }
    }

    fn connect(&mut self, r: usize) {
        if let Some(peer) = self.peers.get_mut(&r).filter(|peer| !peer.connected) {
            peer.connected = true;
            let epoch = peer.epoch;
            self.handle(Input::Connected { replica: ReplicaIndex(r), epoch });
        }
    }

    fn line(&mut self, r: usize, json: &str) {
        if let Some(peer) = self.peers.get(&r).filter(|peer| peer.connected) {
            let line = ServerLine::from_json(json.as_bytes()).unwrap();
            self.handle(Input::Line { replica: ReplicaIndex(r), epoch: peer.epoch, line });
        }
    }

    fn answer(&mut self, r: usize) {
        let Some(peer) = self.peers.get_mut(&r).filter(|peer| !peer.open.is_empty()) else { return };
        let (id, op) = peer.open.remove(0);
        let (stored, refuse) = (1 + self.random.below(3), !self.calm && self.random.below(8) == 0);
        let copies = format!(r#""stored":{stored},"of":3"#);
        let result = match &op {
            Op::Resume { .. } | Op::Login { .. } if refuse => Err(["wrong_login", "unavailable"][self.random.below(2)]),
            Op::Send { .. } if refuse => Err(["unavailable", "no_such_user", "not_logged_in"][self.random.below(3)]),
            _ if refuse => Err("internal"),
            Op::Hello { .. } => Ok(r#"{"server":"x","version":1,"replica":"r","stale":false,"replicas":[]}"#.into()),
            Op::Login { .. } | Op::Resume { .. } => Ok(r#"{"account":"A","name":"n","token":"t","pending":0}"#.into()),
            Op::Create { .. } => Ok(format!(r#"{{"account":"A","name":"n","token":"t",{copies}}}"#)),
            Op::Logout { .. } | Op::Delete { .. } | Op::Password { .. } => Ok(format!("{{{copies}}}")),
            Op::Send { key, .. } => {
                Ok(format!(r#"{{"message":"{key}","to_account":"B","at":1,"seen":"s",{copies},"online":true}}"#))
            }
            Op::Listen => Ok(r#"{"pending":0}"#.into()),
            Op::Status => Ok(r#"{"replica":"r","stale":false,"replicas":[]}"#.into()),
            _ => Ok("{}".into()),
        };
        match (&op, &result) {
            (Op::Send { key, .. }, Err("not_logged_in")) => {
                peer.given.remove(&u64::try_from(key.as_u128()).unwrap());
            }
            // What follows a `resume` that is refused is refused as well.
            (Op::Resume { .. }, Err(_)) if !peer.open.iter().any(|(_, op)| matches!(op, Op::Resume { .. })) => {
                peer.given.clear();
            }
            _ => {}
        }
        let rest: String = match result {
            Ok(ok) => format!(r#""ok":{ok}"#),
            Err(code) => format!(r#""error":{{"code":"{code}","text":"no"}}"#),
        };
        self.line(r, &format!(r#"{{"id":{id},{rest}}}"#));
    }

    fn step(&mut self) {
        let r = self.random.below(3);
        match self.random.below(100) {
            0..10 => self.connect(r),
            10..14 => self.lose(r),
            14..60 => self.answer(r),
            60..80 => self.command(|n| send(n.into(), "bob", "hi")),
            80..82 => self.command(|_| Op::Login { name: "n".into(), password: "p".into() }),
            82 => self.command(|n| Op::Create { name: "n".into(), password: "p".into(), key: key(n.into()) }),
            83 => self.command(|n| Op::Logout { key: key(n.into()) }),
            84 => self.command(|n| Op::Delete { key: key(n.into()) }),
            85 => self.command(|_| Op::Listen),
            86..90 => {
                self.messages += 1;
                let message = self.messages - self.random.below(3).min(self.messages as usize - 1) as u64;
                let json = format!(
                    r#"{{"event":"message","message":"m{message}","from":"b","from_account":"B","to":"n",
                    "to_account":"A","text":"hi","at":1,"pos":"p{message}","seen":"s"}}"#
                );
                self.line(r, &json);
            }
            90 => self.handle(Input::Shown { upto: EventNumber(self.messages) }),
            91 => self.line(r, r#"{"event":"closed","reason":"logged_out"}"#),
            92 => self.line(r, r#"{"event":"closed","reason":"slow"}"#),
            _ => {
                let ms = [1, 50, 400, 1500][self.random.below(4)];
                self.wait(ms);
            }
        }
    }

    /// Everybody is up and answers: what waits is answered.
    fn calm_down(&mut self) {
        self.calm = true;
        for _ in 0..2000 {
            for r in 0..3 {
                self.connect(r);
                self.answer(r);
            }
            self.wait(1);
        }
    }
}

#[test]
fn whatever_happens_commands_are_answered_once_and_in_order() {
    for seed in 0..400 {
        let mut world = World::new(seed);
        world.handle(Input::Timer);
        for _ in 0..400 {
            world.step();
        }
        world.calm_down();
        assert!(world.waiting.is_empty(), "seed {seed}: unanswered: {:?}", world.waiting);
    }
}
