//! In a pipe: one command a line in, one line an event out.
//!
//! Commands are carried out one after the other. Only messages that follow each other are sent without
//! waiting for the answers in between; their answers are shown in order.

use std::collections::VecDeque;
use std::io::{self, BufRead as _};
use std::time::Duration;

use lastword_client::{Client, Events};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::command::{self, Command};
use super::conversation::{Conversation, OnItsWay};
use super::names::Names;
use super::output::Output;
use super::wording::{self, Asked};

/// How many messages may be on their way.
const ON_THEIR_WAY: usize = 256;
/// How long what waited at a login may take to come.
const AWAITED: Duration = Duration::from_millis(500);
/// How long at the end what has arrived is still shown.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long at the end a replica may take to take note of what was shown.
const CONFIRM: Duration = Duration::from_secs(1);

/// Runs until the end of the input. Says whether every command was carried out.
pub(super) async fn run(client: Client, events: Events) -> anyhow::Result<bool> {
    let mut pipe = Pipe {
        conversation: Conversation::new(client, events, Output::Pipe, Names::default()),
        on_their_way: VecDeque::new(),
        all_done: true,
    };
    match pipe.run(lines()).await {
        Ok(()) => Ok(pipe.all_done),
        // Whoever read this wants no more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

struct Pipe {
    conversation: Conversation,
    on_their_way: VecDeque<OnItsWay>,
    all_done: bool,
}

impl Pipe {
    async fn run(&mut self, mut lines: mpsc::Receiver<io::Result<Vec<u8>>>) -> io::Result<()> {
        while let Some(line) = self.next_line(&mut lines).await? {
            if !self.on_line(&line?).await? {
                break;
            }
        }
        self.answer_all().await?;
        let _ = timeout(LAST_WORDS, self.show_events()).await;
        let _ = timeout(CONFIRM, self.conversation.confirm()).await;
        Ok(())
    }

    /// Waits for a line, and shows what comes meanwhile.
    async fn next_line(
        &mut self,
        lines: &mut mpsc::Receiver<io::Result<Vec<u8>>>,
    ) -> io::Result<Option<io::Result<Vec<u8>>>> {
        loop {
            if self.on_their_way.len() >= ON_THEIR_WAY {
                self.answer_first().await?;
            }
            match self.on_their_way.front_mut() {
                Some(first) => tokio::select! {
                    biased;
                    done = self.conversation.answered(first) => {
                        self.all_done &= done?;
                        self.on_their_way.pop_front();
                    }
                    line = lines.recv() => return Ok(line),
                },
                None => tokio::select! {
                    biased;
                    line = lines.recv() => return Ok(line),
                    shown = self.conversation.show_next_event() => shown?,
                },
            }
        }
    }

    /// Carries a line out. `false`: it was the last.
    async fn on_line(&mut self, line: &[u8]) -> io::Result<bool> {
        let command = match std::str::from_utf8(line).map_err(|_| "This line is not UTF-8.".into()) {
            Ok(line) => command::parse(line),
            Err(wrong) => Err(wrong),
        };
        match command {
            Ok(None) => {}
            Ok(Some(Command::Quit)) => return Ok(false),
            Ok(Some(Command::Send { to, text })) => match self.conversation.send(to, &text).await? {
                Ok(sent) => self.on_their_way.push_back(sent),
                Err(error) => self.fail(&wording::refused(Asked::Send, &error)).await?,
            },
            Ok(Some(command)) => {
                self.answer_all().await?;
                self.all_done &= self.conversation.carry_out(command).await?;
                let _ = timeout(AWAITED, self.show_awaited()).await;
            }
            Err(wrong) => self.fail(&wrong).await?,
        }
        Ok(true)
    }

    async fn fail(&mut self, why: &str) -> io::Result<()> {
        self.answer_all().await?;
        self.all_done = false;
        self.conversation.say(why)
    }

    async fn answer_first(&mut self) -> io::Result<()> {
        if let Some(first) = self.on_their_way.front_mut() {
            self.all_done &= self.conversation.answered(first).await?;
            self.on_their_way.pop_front();
        }
        Ok(())
    }

    async fn answer_all(&mut self) -> io::Result<()> {
        while !self.on_their_way.is_empty() {
            self.answer_first().await?;
        }
        Ok(())
    }

    async fn show_awaited(&mut self) -> io::Result<()> {
        while self.conversation.awaited > 0 {
            self.conversation.show_next_event().await?;
        }
        Ok(())
    }

    async fn show_events(&mut self) -> io::Result<()> {
        loop {
            self.conversation.show_next_event().await?;
        }
    }
}

/// Reads standard input in a thread of its own, which may never end.
fn lines() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, lines) = mpsc::channel(64);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let read = input.read_until(b'\n', &mut line);
            if matches!(read, Ok(0)) || sender.blocking_send(read.map(|_| line)).is_err() {
                return;
            }
        }
    });
    lines
}
