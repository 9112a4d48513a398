//! A person at a client, and what he did and saw.

use std::collections::{BTreeMap, BTreeSet};

use lastword_client::machine::{CommandId, Config, Epoch, EventNumber, Machine, ReplicaIndex};
use lastword_client::{Error, Event};
use lastword_core::Mono;
use lastword_core::io::ConnectionId;
use lastword_facts::{AccountId, Key};
use lastword_protocol::answer::{Done, Sent};
use lastword_protocol::request::Receiver;
use lastword_protocol::{Code, Op, Uuid};

/// A person at a client.
pub(crate) struct Person {
    pub(crate) number: usize,
    pub(crate) machine: Machine,
    /// When it was started: its time begins at zero.
    pub(crate) client_began: Mono,
    /// The replicas in the order of his list.
    pub(crate) order: Vec<usize>,
    /// Of each replica in his list, the connection that he has.
    pub(crate) connections: BTreeMap<ReplicaIndex, (Epoch, Option<ConnectionId>)>,
    pub(crate) last_command: u64,
    /// What he waits for, and since when.
    pub(crate) waiting: BTreeMap<CommandId, (Mono, Deed)>,
    pub(crate) stage: Stage,
    pub(crate) name: String,
    /// The password that they try next: somebody may have changed it.
    pub(crate) password: String,
    pub(crate) create_key: Uuid,
    pub(crate) account: Option<String>,
    /// What he has sent, in order.
    pub(crate) sent: Vec<SentMessage>,
    /// What he was shown, in order.
    pub(crate) shown: Vec<Shown>,
    /// He never tells the server that he saw something.
    pub(crate) never_confirms: bool,
    /// He looks a while later at what his client has shown him.
    pub(crate) slow: bool,
    /// What his client has shown him, and he has not looked at.
    pub(crate) unseen: Vec<(EventNumber, Event)>,
    /// Whom they block, as far as they know.
    pub(crate) blocked: BTreeSet<usize>,
    /// How often his client was started anew.
    pub(crate) life: u64,
    pub(crate) clock_offset_ms: i64,
    /// A replica has said that his account is deleted; or else his client has taken it from that one that
    /// knew the account knows it no more.
    pub(crate) deletion_told: bool,
    /// How often he was logged out.
    pub(crate) logged_out: usize,
    /// How many passwords they have tried since the trouble was over.
    pub(crate) passwords_tried: usize,
}

/// How far a person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    New,
    Creating,
    Chatting,
    /// His session was ended, by no doing of his: he logs in again.
    LoggedOut,
    Deleting,
    Gone,
}

/// What a person asked for.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Create,
    Login,
    Listen,
    Send(usize),
    /// The same message once more, with another text.
    Mumble(usize),
    Delete,
    Look,
    /// Blocks another person, or does so no more.
    Block {
        on: bool,
        key: Uuid,
    },
}

/// A message that a person has sent.
#[derive(Debug, Clone)]
pub(crate) struct SentMessage {
    pub(crate) key: Uuid,
    /// To which person.
    pub(crate) to: usize,
    /// The message that it answers.
    pub(crate) answers: Option<(usize, usize)>,
    /// What he was told.
    pub(crate) acknowledged: Option<Sent>,
    /// He was told that it was not sent, or that nobody knows: he has given up on it.
    pub(crate) given_up: bool,
    /// In which of his sessions: a client that was logged out has forgotten what it kept for others.
    pub(crate) session: usize,
}

/// A message that a person was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) from_account: String,
    pub(crate) to_account: String,
    pub(crate) message: String,
    /// Who wrote it, and as his how-manieth, as the text says.
    pub(crate) from: usize,
    pub(crate) number: usize,
    /// In which life of the client.
    pub(crate) life: u64,
}

impl Person {
    pub(crate) fn new(number: usize, order: Vec<usize>, name: String, create_key: Uuid) -> Self {
        Self {
            number,
            machine: Self::machine(&order),
            client_began: Mono::default(),
            order,
            connections: BTreeMap::new(),
            last_command: 0,
            waiting: BTreeMap::new(),
            stage: Stage::New,
            name,
            password: format!("secret of {number}"),
            create_key,
            account: None,
            sent: Vec::new(),
            shown: Vec::new(),
            never_confirms: false,
            slow: false,
            unseen: Vec::new(),
            blocked: BTreeSet::new(),
            life: 0,
            clock_offset_ms: 0,
            logged_out: 0,
            passwords_tried: 0,
            deletion_told: false,
        }
    }

    pub(crate) fn account_id(&self) -> Option<AccountId> {
        self.account.as_deref().and_then(AccountId::parse)
    }

    /// What a message that he sent is known by.
    pub(crate) fn identity_of(&self, number: usize) -> Option<(AccountId, Key)> {
        Some((self.account_id()?, Key(self.sent[number].key.as_u128())))
    }

    /// His client is killed: what it had shown and he had not seen is gone, and so is what it kept.
    pub(crate) fn start_client_anew(&mut self, now: Mono) {
        self.machine = Self::machine(&self.order);
        self.client_began = now;
        self.unseen.clear();
        self.life += 1;
        self.stage = Stage::LoggedOut;
        self.logged_out += 1;
        for (_, deed) in std::mem::take(&mut self.waiting).into_values() {
            if let Deed::Send(number) = deed {
                self.sent[number].given_up = true;
            }
        }
    }

    fn machine(order: &[usize]) -> Machine {
        Machine::new(Config::default(), order.iter().map(|node| format!("n{node}:1")).collect())
    }

    pub(crate) fn begin(&mut self, now: Mono, deed: Deed) -> CommandId {
        self.last_command += 1;
        let id = CommandId(self.last_command);
        self.waiting.insert(id, (now, deed));
        id
    }

    /// What the client is told to do for a deed.
    pub(crate) fn op(&self, deed: &Deed, to_account: Option<String>) -> Op {
        match deed {
            Deed::Create => Op::Create {
                name: self.name.clone(),
                password: format!("secret of {}", self.number),
                key: self.create_key,
            },
            Deed::Login => Op::Login { name: self.name.clone(), password: self.password.clone() },
            Deed::Listen => Op::Listen,
            Deed::Look => Op::Status,
            Deed::Block { on, key } => {
                let (who, key) = (Receiver::Account(to_account.unwrap_or_default()), *key);
                if *on { Op::Block { who, key } } else { Op::Unblock { who, key } }
            }
            Deed::Delete => Op::Delete { key: Uuid::from_u128(self.create_key.as_u128() ^ 1) },
            Deed::Send(number) | Deed::Mumble(number) => {
                let sent = &self.sent[*number];
                let words = if matches!(deed, Deed::Mumble(_)) { ":or so" } else { "" };
                Op::Send {
                    to: Receiver::Account(to_account.unwrap_or_default()),
                    text: format!("{}:{number}{words}", self.number),
                    key: sent.key,
                }
            }
        }
    }

    /// A deed is answered. Says what he wants to do next, if anything.
    pub(crate) fn done(&mut self, id: CommandId, result: Result<Done, Error>) -> Option<Deed> {
        let (_, deed) = self.waiting.remove(&id)?;
        match (deed, result) {
            (Deed::Create, Ok(Done::Create(created))) => {
                self.account = Some(created.account);
                self.stage = Stage::Chatting;
                Some(Deed::Listen)
            }
            (Deed::Create, Err(error)) => {
                self.stage = Stage::New;
                if error.code() == Some(Code::NameTaken) {
                    // Another name, and so another account.
                    self.name.push('x');
                    self.create_key = Uuid::from_u128(self.create_key.as_u128().wrapping_add(1 << 20));
                }
                None
            }
            (Deed::Send(number), Ok(Done::Send(sent))) => {
                self.sent[number].acknowledged = Some(sent);
                None
            }
            (Deed::Send(number), Err(_)) => {
                self.sent[number].given_up = true;
                None
            }
            (Deed::Delete, Ok(done)) => {
                self.stage = Stage::Gone;
                self.deletion_told = !matches!(done, Done::Stored(stored) if stored.stored == 0);
                None
            }
            (Deed::Delete, Err(_)) => {
                self.stage = Stage::LoggedOut;
                None
            }
            (Deed::Login, Ok(Done::Login(answer))) if self.account.as_ref() == Some(&answer.account) => {
                self.stage = Stage::Chatting;
                Some(Deed::Listen)
            }
            (Deed::Listen, Err(_)) if self.stage == Stage::Chatting => Some(Deed::Listen),
            _ => None,
        }
    }

    /// Something happens at his client. Says up to which event he has seen it.
    pub(crate) fn see(&mut self, number: EventNumber, event: Event) -> Option<EventNumber> {
        if matches!(event, Event::LoggedOut { .. }) && self.stage == Stage::Chatting {
            self.stage = Stage::LoggedOut;
            self.logged_out += 1;
        }
        if let Event::Message(message) = event {
            let mut words = message.text.split(':').map(|word| word.parse().unwrap_or(usize::MAX));
            let (from, nth) = (words.next().unwrap_or(usize::MAX), words.next().unwrap_or(usize::MAX));
            self.shown.push(Shown {
                from_account: message.from_account,
                to_account: message.to_account,
                message: message.message,
                from,
                number: nth,
                life: self.life,
            });
        }
        (!self.never_confirms).then_some(number)
    }
}
