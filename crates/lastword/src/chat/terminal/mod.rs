//! At a terminal: a prompt; what comes is shown above it.
//!
//! * `prompt`: a thread of its own, since reading a line blocks. It asks for passwords and confirmations, too, and hands
//!   over commands that are complete.
//! * `editor`: lines with editing, history and completion; `plain`: lines on a terminal that can't move its cursor.
//! * `restore`: puts the terminal right at the end, whatever the end is.

mod editor;
mod plain;
mod prompt;
mod restore;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use lastword_client::{Client, Events};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::answering::needs_server;
use super::command::Command;
use super::conversation::{Conversation, PATIENCE, UnderWay};
use super::names::Names;
use super::output::{Bare, Output, Screen};
use super::said::Said;
use super::signals::Signals;
use super::wording;
use prompt::Prompt;
use restore::Restore;

/// How long the welcome waits for a replica.
const WELCOME: Duration = Duration::from_millis(1500);
/// How long at the end what is under way may take.
const FINISH: Duration = Duration::from_secs(3);
/// How long a command waits for a server, from when it was typed: as long as one that was sent to a server.
const LIMIT: Duration = Duration::from_secs(30);
/// How often is looked whether a server answers, or a command has waited too long.
const LOOK: Duration = Duration::from_millis(100);
/// How many messages may be on their way.
const ON_THEIR_WAY: usize = 256;
/// How many commands may wait for their turn before the prompt waits, too.
const QUEUED: usize = 1000;

/// What can't go on at a prompt.
enum Ended {
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D, or the terminal is gone.
    Over,
}

/// Where lines are read.
trait Source {
    /// Asks for a line. A secret one is not shown.
    fn read(&mut self, prompt: &str, secret: bool) -> Result<String, Ended>;

    /// Keeps a line, to be called up again.
    fn remember(&mut self, line: &str);
}

type Screens = [Box<dyn Screen + Send>; 2];

/// Opens the terminal: the editor, or, where that can't work, plain lines.
fn open(names: &Names) -> (Box<dyn Source + Send>, Screens) {
    if editor::can_work()
        && let Ok(opened) = editor::open(names.clone())
    {
        return opened;
    }
    plain::open()
}

/// Runs until the user leaves, or a signal. Says whether nothing was left undone.
pub(super) async fn run(client: Client, events: Events) -> anyhow::Result<bool> {
    let restore = Restore::later();
    let mut signals = Signals::listen()?;
    let names = Names::default();
    let (source, [screen, prompts]) = open(&names);
    let conversation = Conversation::new(client.clone(), events, Output::Terminal(screen), names);
    let (answered, answers) = channel();
    let mut terminal = Terminal {
        conversation,
        queue: VecDeque::new(),
        under_way: VecDeque::new(),
        given_up: None,
        answered,
        interrupted: false,
        unanswered: Arc::default(),
    };
    terminal.welcome(&client).await?;
    let (commands_in, commands) = mpsc::channel(QUEUED);
    let (logged_in, unanswered) = (terminal.conversation.logged_in(), Arc::clone(&terminal.unanswered));
    let prompt =
        Prompt { source, screen: Output::Terminal(prompts), commands: commands_in, answers, logged_in, unanswered };
    std::thread::spawn(move || prompt.run());
    let ended = terminal.run(commands, &mut signals).await;
    if ended.is_ok() && !signals.came() && terminal.conversation.is_connected() {
        let _ = timeout(FINISH, terminal.finish()).await;
    }
    // The prompt may still have it as it wants it.
    drop(restore);
    terminal.conversation.show_at(Output::Terminal(Box::new(Bare)));
    let nothing_left = terminal.leave().await?;
    ended?;
    Ok(nothing_left && !signals.came())
}

/// A command that waits for its turn.
#[derive(Clone)]
struct Queued {
    line: u64,
    command: Command,
    typed: Instant,
    /// The user was told that it waits.
    told: bool,
    /// The command before it that was given up, if any.
    after: Option<&'static str>,
}

impl Queued {
    /// Whether it could do harm where a command before it was not carried out.
    fn is_final(&self) -> bool {
        matches!(self.command, Command::Delete | Command::Logout | Command::Password(_))
    }
}

struct Terminal {
    conversation: Conversation,
    /// Commands that come after those that are under way.
    queue: VecDeque<Queued>,
    under_way: VecDeque<UnderWay>,
    /// A command that was given up just now.
    given_up: Option<&'static str>,
    /// To the prompt: a command was answered.
    answered: Sender<()>,
    /// A signal of Ctrl-C came, and no command since.
    interrupted: bool,
    /// How many commands that log in or out the prompt has handed over and are not answered yet.
    unanswered: Arc<AtomicUsize>,
}

impl Terminal {
    async fn welcome(&mut self, client: &Client) -> io::Result<()> {
        // Without an answer, the events say that no server answers.
        if let Ok(Ok(status)) = timeout(WELCOME, client.status()).await {
            let line = wording::group(&status.replica, &status.replicas, status.stale);
            self.conversation.say(&Said::done(line))?;
        }
        self.conversation.say(&Said::done("Welcome to Lastword. `help` shows the commands."))
    }

    async fn run(&mut self, mut commands: mpsc::Receiver<Command>, signals: &mut Signals) -> io::Result<()> {
        let mut line = 0;
        loop {
            tokio::select! {
                biased;
                interrupt = signals.next_is_interrupt() => {
                    if !interrupt || std::mem::replace(&mut self.interrupted, true) {
                        return Ok(());
                    }
                    self.conversation.say(&Said::done(prompt::AGAIN))?;
                }
                step = self.step() => step?,
                command = commands.recv() => match command {
                    Some(command) => {
                        line += 1;
                        self.interrupted = false;
                        self.on_command(line, command)?;
                    }
                    None => return Ok(()),
                },
            }
        }
    }

    fn on_command(&mut self, line: u64, command: Command) -> io::Result<()> {
        self.queue.push_back(Queued { line, command, typed: Instant::now(), told: false, after: None });
        self.look_after_queue()
    }

    /// While no server answers: answers what needs none, says of the others that they wait, and gives up those that have
    /// waited too long.
    fn look_after_queue(&mut self) -> io::Result<()> {
        if self.conversation.is_connected() {
            return Ok(());
        }
        let alone = self.conversation.is_alone();
        for mut queued in std::mem::take(&mut self.queue) {
            let waited = queued.typed.elapsed();
            if waited >= LIMIT || (alone && matches!(queued.command, Command::Status)) {
                let waited = Duration::from_secs(waited.as_secs());
                self.conversation.answer_alone(queued.line, &queued.command, waited)?;
                self.on_done(&queued.command);
                if !matches!(queued.command, Command::Status) {
                    self.given_up.get_or_insert(queued.command.name());
                }
                continue;
            }
            if !queued.told && (alone || waited >= PATIENCE) && needs_server(&queued.command) {
                queued.told = true;
                self.conversation.say(&wording::waits(queued.line, &queued.command))?;
                self.on_answered();
            }
            self.queue.push_back(queued);
        }
        self.mark_given_up();
        Ok(())
    }

    /// Those that were typed before a command was given up, and come after it, know of it.
    fn mark_given_up(&mut self) {
        if let Some(name) = self.given_up.take() {
            self.queue.iter_mut().for_each(|queued| queued.after = queued.after.or(Some(name)));
        }
    }

    /// Takes what comes next. May be dropped without loss.
    async fn step(&mut self) -> io::Result<()> {
        while self.may_begin() {
            // It stays in the queue until it is begun: this may be dropped meanwhile.
            let Some(queued) = self.queue.front().cloned() else { break };
            if let Some(given_up) = queued.after.filter(|_| queued.is_final()) {
                let said =
                    wording::not_without(&queued.command, given_up).answering(queued.line, Some(queued.command.name()));
                self.queue.pop_front();
                self.conversation.say(&said)?;
                self.on_done(&queued.command);
                continue;
            }
            let Queued { line, command, told, .. } = queued;
            let mut begun = self.conversation.begin(line, command).await?;
            self.queue.pop_front();
            begun.told = told;
            self.under_way.push_back(begun);
            self.conversation.tell_waiting(&mut self.under_way, true)?;
        }
        let waits = !self.queue.is_empty() && !self.conversation.is_connected();
        let answered = tokio::select! {
            biased;
            answered = self.conversation.next_answer(&mut self.under_way) => answered?,
            () = sleep(LOOK), if waits => None,
        };
        if let Some((first, said)) = answered {
            self.given_up = said.given_up.then(|| first.command.name());
            self.mark_given_up();
            self.conversation.ended(&first, said)?;
            self.on_done(&first.command);
        }
        self.look_after_queue()
    }

    /// Whether the first in the queue need not wait for those under way: messages follow each other closely.
    fn may_begin(&self) -> bool {
        let Some(first) = self.queue.front() else { return false };
        if needs_server(&first.command) && !self.conversation.is_connected() {
            return false;
        }
        let is_message = matches!(first.command, Command::Send { .. });
        self.under_way.is_empty()
            || (is_message && self.under_way.len() < ON_THEIR_WAY && self.under_way.iter().all(UnderWay::is_message))
    }

    /// A command that the prompt has handed over needs nothing more.
    fn on_done(&self, command: &Command) {
        if command.changes_login() {
            self.unanswered.fetch_sub(1, Ordering::SeqCst);
        }
        self.on_answered();
    }

    fn on_answered(&self) {
        // The prompt may have gone on without it.
        let _ = self.answered.send(());
    }

    /// Waits for all that is under way.
    async fn finish(&mut self) -> io::Result<()> {
        while !self.queue.is_empty() || !self.under_way.is_empty() {
            self.step().await?;
        }
        Ok(())
    }

    /// Says what was left undone, and ends the session. `false` if something was.
    async fn leave(&mut self) -> io::Result<bool> {
        let left: Vec<UnderWay> = self.under_way.drain(..).collect();
        let said = self.conversation.say_left(&left).and_then(|()| {
            let mut queued = self.queue.iter().filter(|queued| needs_server(&queued.command));
            queued.try_for_each(|queued| {
                self.conversation.say(&wording::left_undone(queued.line, &queued.command, false))
            })
        });
        self.conversation.leave(&left).await;
        said?;
        Ok(left.is_empty() && self.queue.is_empty())
    }
}
