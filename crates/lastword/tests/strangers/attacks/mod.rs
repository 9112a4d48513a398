//! What the attackers' process does. Each attack is a function that gets ready, begins when it is told to, and goes on
//! until the process ends.
//!
//! **To add an attack**: a function in the file where its like are, and a line in `ALL`.

mod asking;
mod blocking;
mod doors;
mod flood;
mod ground;
mod guessing;
mod listening;
mod making;
mod writing;

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;
use futures_util::future::LocalBoxFuture;
use lastword_client::protocol::Uuid;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use ground::Attackers;
pub use ground::{Account, Ground};

/// From how many an attack comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub enum Form {
    /// One account, or one address where nobody is logged in.
    One,
    /// 64 addresses, and as many accounts.
    Many,
}

impl Form {
    /// In the table.
    pub fn words(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Many => "64",
        }
    }
}

type Running = LocalBoxFuture<'static, io::Result<()>>;

/// An attack.
pub struct Attack {
    /// Its name, in one word.
    pub name: &'static str,
    /// What attackers do.
    pub what: &'static str,
    /// In which forms it is tried. The short run takes the first one.
    pub forms: &'static [Form],
    run: fn(Attackers) -> Running,
}

const ONE: &[Form] = &[Form::One];
const MANY: &[Form] = &[Form::Many];
const BOTH: &[Form] = &[Form::One, Form::Many];
const BOTH_MANY_FIRST: &[Form] = &[Form::Many, Form::One];

macro_rules! attacks {
    ($($name:literal, $forms:ident, $run:path, $what:literal;)*) => {
        /// All of them.
        pub const ALL: &[Attack] = &[$(
            Attack { name: $name, what: $what, forms: $forms, run: |attackers| Box::pin($run(attackers)) },
        )*];
    };
}

attacks! {
    "silent", BOTH_MANY_FIRST, doors::silent, "connections that say nothing";
    "half-lines", BOTH_MANY_FIRST, doors::half_lines, "connections that say half a line";
    "slow-lines", MANY, doors::slow_lines, "a byte of a line every 0.2 s";
    "one-ping", MANY, doors::one_ping, "as many connections as there may be, with one ping each";
    "peers", BOTH_MANY_FIRST, doors::peers, "the first line of a replica, and silence";
    "half-tls", BOTH_MANY_FIRST, doors::half_tls, "half of a TLS client's first message";
    "tls-hellos", BOTH_MANY_FIRST, doors::tls_hellos, "TLS handshakes that are begun and left";
    "half-http", MANY, doors::half_http, "half an HTTP head";
    "slow-http", MANY, doors::slow_http, "a byte of an HTTP head every 0.2 s";
    "long-http", ONE, doors::long_http, "HTTP heads without end";
    "pages", BOTH, doors::pages, "`GET /` and `GET /metrics`, a connection each";
    "half-websockets", MANY, doors::half_websockets, "WebSockets that are opened and say nothing";
    "websocket-pings", BOTH, doors::websocket_pings, "WebSocket pings of 125 bytes";
    "websocket-frames", BOTH, doors::websocket_frames, "WebSocket frames that announce 1 TiB, and messages in pieces without end";
    "connects", BOTH, doors::connects, "connections that are closed at once";
    "long-lines", BOTH, doors::long_lines, "lines without end";
    "garbage", BOTH, doors::garbage, "bytes that are no JSON";
    "pings", BOTH, asking::pings, "`ping`, pipelined";
    "hellos", BOTH, asking::hellos, "`hello`, pipelined";
    "statuses", BOTH, asking::statuses, "`status`, pipelined";
    "no-ops", BOTH, asking::no_ops, "requests of 60 KB with no such `op`, and of 30,000 nested lists";
    "logins", BOTH, guessing::logins, "`login` for one unknown name after the other";
    "long-logins", BOTH, guessing::long_logins, "`login` with passwords of 64 KB, pipelined on 30 connections";
    "guesses", BOTH_MANY_FIRST, guessing::guesses, "`login` for one person's name";
    "resumes", BOTH, guessing::resumes, "`resume` with tokens that are none and `seen`s of the far future";
    "passwords", BOTH, guessing::passwords, "`password` with a wrong old one, pipelined";
    "creates-of-one", BOTH, making::creates_of_one, "`create` of one name";
    "creates", BOTH_MANY_FIRST, making::creates, "`create` of one name after the other";
    "create-delete", BOTH, making::create_delete, "accounts that are made, write to one person and are deleted";
    "logouts", BOTH, making::logouts, "`login` and `logout`, again and again";
    "lists", BOTH, asking::lists, "`list` with patterns that are hard to compile";
    "lists-of-strangers", BOTH, asking::lists_of_strangers, "the same without a login";
    "all-names", BOTH, asking::all_names, "`list` of all, pipelined, never read";
    "conversations", BOTH, asking::conversations, "`conversations` and `pending`, pipelined";
    "history", BOTH, asking::history, "`history` with `limit` 500 of messages of 16 KiB, 8 connections of each account";
    "history-unread", BOTH, asking::history_unread, "the same, never read";
    "pending", BOTH, asking::pending, "`pending` with `limit` 500 of messages of 16 KiB, 8 connections of each account";
    "delivered", BOTH, listening::delivered, "`delivered` with the same `pos`, pipelined";
    "good-resumes", BOTH, listening::good_resumes, "`resume` with a good token, pipelined";
    "listens", BOTH, listening::listens, "`listen` on connection after connection, with 8 MB that wait";
    "presence", ONE, listening::presence, "somebody whom 64 watch comes and goes, on 32 connections";
    "listeners", BOTH, listening::listeners, "400 connections that listen and don't read, and messages of 16 KiB to oneself";
    "small-messages", BOTH, writing::small, "one-byte messages to one person";
    "same-key", BOTH, writing::same_key, "`send` with the same key";
    "to-nobody", BOTH, writing::to_nobody, "`send` to nobody, 16 KiB each";
    "future-keys", BOTH, writing::future_keys, "messages whose keys are of the far future";
    "blocks", BOTH, blocking::blocks, "`block` and `unblock` of everybody, pipelined, and `blocked`";
    "to-who-blocks", BOTH, blocking::to_who_blocks, "one-byte messages to somebody who has blocked whoever writes them";
    "big-messages", BOTH, writing::big, "messages of 16 KiB to oneself and to one person";
}

/// The attack of this name.
pub fn named(name: &str) -> Option<&'static Attack> {
    ALL.iter().find(|attack| attack.name == name)
}

/// A fresh key.
fn key() -> String {
    Uuid::now_v7().to_string()
}

/// The attackers' process, from its beginning to its end.
pub fn run(ground: &Path, runtime: tokio::runtime::Runtime) -> ExitCode {
    let said = runtime.block_on(LocalSet::new().run_until(attack(ground)));
    let well = said.is_ok();
    // Whoever started this process may have gone.
    let _ = writeln!(io::stdout(), "{}", said.unwrap_or_else(|error| error.to_string()));
    // Thousands of connections are not closed one by one.
    std::process::exit(i32::from(!well))
}

async fn attack(path: &Path) -> io::Result<String> {
    let ground: Ground = serde_json::from_slice(&std::fs::read(path)?)?;
    if ground.attack == making::ACCOUNTS {
        return making::accounts(&ground).await;
    }
    let Some(attack) = named(&ground.attack) else { return Err(io::Error::other("there is no such attack")) };
    let (ready, mut is_ready) = watch::channel(false);
    let (go, may_go) = watch::channel(false);
    let attackers = Attackers::new(ground, ready, may_go);
    let tally = attackers.tally.clone();
    let mut running = tokio::task::spawn_local((attack.run)(attackers));
    tokio::select! {
        ended = &mut running => {
            ended.map_err(io::Error::other)??;
            return Err(io::Error::other("it has ended before it began"));
        }
        _ = is_ready.wait_for(|ready| *ready) => writeln!(io::stdout(), "ready")?,
    }
    let mut told = lines_of_stdin();
    if told.recv().await.is_some() {
        let _ = go.send(true);
        // Until the suite has seen enough.
        while told.recv().await.is_some() {}
    }
    running.abort();
    serde_json::to_string(&tally.all()).map_err(io::Error::from)
}

fn lines_of_stdin() -> mpsc::UnboundedReceiver<String> {
    let (to, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
