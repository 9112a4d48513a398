//! In a pipe: one command a line in, one line an event out.
//!
//! Commands are carried out one after the other. Only messages that follow each other are sent without
//! waiting for the answers in between; their answers are shown in order.

use std::collections::VecDeque;
use std::io::{self, BufRead as _};
use std::time::Duration;

use lastword_client::{Client, Events};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::answering::needs_server;
use super::command::{self, Command};
use super::conversation::{Conversation, PATIENCE, UnderWay};
use super::names::Names;
use super::output::Output;
use super::said::Said;
use super::signals::Signals;

/// How many messages may be on their way.
const ON_THEIR_WAY: usize = 256;
/// How long what waited at a login may take to come.
const AWAITED: Duration = Duration::from_millis(500);
/// How long at the end what has arrived is still shown.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What comes from the reader: lines of the input.
type Lines = mpsc::Receiver<io::Result<Vec<u8>>>;

/// Runs until the end of the input, or a signal. Says whether every command was carried out.
pub(super) async fn run(client: Client, events: Events, output: Output) -> anyhow::Result<bool> {
    let mut signals = Signals::listen()?;
    let mut pipe = Pipe {
        conversation: Conversation::new(client, events, output, Names::default()),
        under_way: VecDeque::new(),
        line: 0,
        all_done: true,
        given_up: false,
    };
    let ended = tokio::select! {
        biased;
        ended = pipe.run(lines()) => ended,
        () = signals.told_to_end() => Ok(()),
    };
    let left: Vec<UnderWay> = pipe.under_way.drain(..).collect();
    let well = ended.is_ok() && pipe.all_done && left.is_empty() && !signals.came();
    let ended = ended.and_then(|()| pipe.conversation.say_left(&left));
    pipe.conversation.leave(&left).await;
    match ended {
        Ok(()) => Ok(well),
        // Whoever read this wants no more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

struct Pipe {
    conversation: Conversation,
    under_way: VecDeque<UnderWay>,
    /// How many lines were read.
    line: u64,
    all_done: bool,
    /// A command was given up because no server answered, and none has answered since.
    given_up: bool,
}

impl Pipe {
    async fn run(&mut self, mut lines: Lines) -> io::Result<()> {
        while let Some(line) = self.next_line(&mut lines).await? {
            self.line += 1;
            if !self.on_line(&line?).await? {
                break;
            }
        }
        self.answer_all().await?;
        let _ = timeout(LAST_WORDS, self.show_events()).await;
        Ok(())
    }

    /// Waits for a line, and shows what comes meanwhile.
    async fn next_line(&mut self, lines: &mut Lines) -> io::Result<Option<io::Result<Vec<u8>>>> {
        loop {
            if self.under_way.len() >= ON_THEIR_WAY {
                self.answer_first().await?;
            } else if self.under_way.is_empty() {
                tokio::select! {
                    biased;
                    line = lines.recv() => return Ok(line),
                    shown = self.conversation.show_next_event() => shown?,
                }
            } else {
                tokio::select! {
                    biased;
                    step = self.step() => step?,
                    line = lines.recv() => return Ok(line),
                }
            }
        }
    }

    /// Takes what comes next while commands are under way. May be dropped without loss.
    async fn step(&mut self) -> io::Result<()> {
        if let Some((command, said)) = self.conversation.next_answer(&mut self.under_way).await? {
            self.given_up |= said.given_up;
            self.all_done &= self.conversation.ended(&command, said)?;
        }
        Ok(())
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
            Ok(Some(command)) => {
                if !matches!(command, Command::Send { .. }) {
                    self.answer_all().await?;
                }
                self.given_up &= !self.conversation.is_connected();
                let tells_alone = matches!(command, Command::Status) && self.is_alone_soon().await?;
                if needs_server(&command) && (self.given_up || tells_alone) {
                    // The waits of a long script don't add up.
                    self.answer_all().await?;
                    self.all_done = false;
                    self.conversation.answer_alone(self.line, &command, Duration::ZERO)?;
                    return Ok(true);
                }
                let mut begun = self.conversation.begin(self.line, command).await?;
                self.conversation.tell_waiting([&mut begun], true)?;
                let is_message = begun.is_message();
                self.under_way.push_back(begun);
                if !is_message {
                    self.answer_all().await?;
                    let _ = timeout(AWAITED, self.show_awaited()).await;
                }
            }
            Err(wrong) => {
                self.answer_all().await?;
                self.all_done = false;
                self.conversation.say(&Said::refused(wrong, "bad_command").answering(self.line, None))?;
            }
        }
        Ok(true)
    }

    /// Whether no server answers. Until that is known, waits for it a moment.
    async fn is_alone_soon(&mut self) -> io::Result<bool> {
        let until = Instant::now() + PATIENCE;
        while !self.conversation.is_connected() && !self.conversation.is_alone() {
            tokio::select! {
                shown = self.conversation.show_next_event() => shown?,
                () = sleep_until(until) => break,
            }
        }
        Ok(self.conversation.is_alone())
    }

    async fn answer_first(&mut self) -> io::Result<()> {
        let before = self.under_way.len();
        while before > 0 && self.under_way.len() == before {
            self.step().await?;
        }
        Ok(())
    }

    async fn answer_all(&mut self) -> io::Result<()> {
        while !self.under_way.is_empty() {
            self.step().await?;
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
fn lines() -> Lines {
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
