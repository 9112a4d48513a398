//! What attackers know and have: where the replicas are, their own addresses and accounts, and when to begin.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use super::Form;
use crate::wire::{Asking, Tally};

/// The password of every account of attackers.
pub const PASSWORD: &str = "attackers' secret";

/// An account of attackers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// A session of it.
    pub token: String,
}

/// What the suite tells the attackers' process, as a JSON file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ground {
    /// Which attack.
    pub attack: String,
    /// From how many.
    pub form: Form,
    /// The replicas.
    pub replicas: Vec<SocketAddr>,
    /// Their addresses.
    pub sources: Vec<IpAddr>,
    /// Their accounts. An attack from one account is the first one's; the others may be accomplices.
    pub accounts: Vec<Account>,
    /// An ordinary person, who gets what attackers send to somebody else.
    pub victim: String,
    /// A TLS client's first message.
    pub client_hello: Vec<u8>,
}

/// The ground, and what is going on.
#[derive(Clone)]
pub struct Attackers {
    ground: Rc<Ground>,
    /// What came back.
    pub tally: Tally,
    ready: watch::Sender<bool>,
    go: watch::Receiver<bool>,
    drawn: Rc<Cell<u64>>,
}

impl Attackers {
    /// Those of this ground, who say when they are ready, and wait until they may go.
    pub fn new(ground: Ground, ready: watch::Sender<bool>, go: watch::Receiver<bool>) -> Self {
        Self { ground: Rc::new(ground), tally: Tally::default(), ready, go, drawn: Rc::default() }
    }

    /// All that is ready before the attack is there. Comes back when it begins.
    pub async fn begin(&self) {
        self.tally.clear();
        let _ = self.ready.send(true);
        let mut go = self.go.clone();
        // The suite has gone where that fails; this process ends, too.
        let _ = go.wait_for(|go| *go).await;
    }

    /// What they know.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Whether they have one account and one address only.
    pub fn is_one(&self) -> bool {
        self.ground.form == Form::One
    }

    /// Of so many connections, or other things, in all.
    pub fn many(&self, from_one: usize, from_many: usize) -> usize {
        if self.is_one() { from_one } else { from_many }
    }

    /// The address of a connection, by its number.
    pub fn source(&self, connection: usize) -> IpAddr {
        if self.is_one() { self.ground.sources[0] } else { self.ground.sources[connection % self.ground.sources.len()] }
    }

    /// The account of a connection, by its number.
    pub fn account(&self, connection: usize) -> &Account {
        let accounts = &self.ground.accounts;
        if self.is_one() { &accounts[0] } else { &accounts[connection % accounts.len()] }
    }

    /// The replica of a connection: each gets as many.
    pub fn replica(&self, connection: usize) -> SocketAddr {
        self.ground.replicas[connection % self.ground.replicas.len()]
    }

    /// A number that was not drawn before.
    pub fn draw(&self) -> u64 {
        self.drawn.set(self.drawn.get() + 1);
        self.drawn.get()
    }

    /// A line that logs a connection in.
    pub fn resume(&self, connection: usize) -> String {
        format!("{}\n", json!({"id": 0, "op": "resume", "token": self.account(connection).token}))
    }

    /// A connection that is logged in.
    ///
    /// # Errors
    /// It was refused.
    pub async fn enter(&self, connection: usize) -> io::Result<Asking> {
        let mut asking = Asking::dial(self.source(connection), self.replica(connection)).await?;
        let token = &self.account(connection).token;
        let answer = asking.ask(&json!({"id": 0, "op": "resume", "token": token})).await?;
        if answer["ok"].is_object() { Ok(asking) } else { Err(io::Error::other(answer.to_string())) }
    }

    /// Writes this many texts of this length from a connection's account to somebody, before the attack. Less, if the
    /// replicas don't take that much.
    ///
    /// # Errors
    /// The connection was refused.
    pub async fn fill(&self, connection: usize, to: &str, count: usize, bytes: usize) -> io::Result<()> {
        const AT_ONCE: usize = 16;
        let mut asking = self.enter(connection).await?;
        let text = "x".repeat(bytes);
        for _ in 0..count.div_ceil(AT_ONCE) {
            for _ in 0..AT_ONCE {
                let request = json!({"id": 1, "op": "send", "to": to, "text": text, "key": super::key()});
                asking.say(format!("{request}\n").as_bytes()).await?;
            }
            let mut refused = false;
            for _ in 0..AT_ONCE {
                refused |= asking.answer().await?["error"].is_object();
            }
            if refused {
                // What was refused first bars what comes behind it for 3 s.
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        Ok(())
    }
}
