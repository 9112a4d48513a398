//! Lines with editing, history and completion.
//!
//! Passwords are read here, too, with their characters as stars: what was typed ahead is in the editor, and nobody else
//! could read it.

use std::borrow::Cow;
use std::io;

use rustyline::completion::Completer;
use rustyline::config::CompletionType;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::history::MemHistory;
use rustyline::{ColorMode, Config, Context, Editor, ExternalPrinter, Helper, Hinter, Validator};
use unicode_width::UnicodeWidthStr as _;

use super::super::command::NAMES;
use super::super::names::Names;
use super::super::output::Screen;
use super::{Ended, Screens, Source};

/// Terminals that can't move the cursor.
const CAN_NOT: [&str; 4] = ["", "dumb", "cons25", "emacs"];

/// Whether this terminal can move its cursor.
pub(super) fn can_work() -> bool {
    let term = std::env::var("TERM").unwrap_or_default();
    !CAN_NOT.contains(&term.to_ascii_lowercase().as_str())
}

/// Opens the terminal.
pub(super) fn open(names: Names) -> rustyline::Result<(Box<dyn Source + Send>, Screens)> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .auto_add_history(false)
        // A paste is what its lines are, one after the other.
        .bracketed_paste(false)
        // Without it NO_COLOR would show passwords.
        .color_mode(ColorMode::Forced)
        .build();
    let mut editor = Editor::with_history(config.clone(), MemHistory::with_config(&config))?;
    editor.set_helper(Some(Line { names, secret: false }));
    let screens: Screens =
        [Box::new(Above(editor.create_external_printer()?)), Box::new(Above(editor.create_external_printer()?))];
    Ok((Box::new(Edited(editor)), screens))
}

struct Edited(Editor<Line, MemHistory>);

impl Source for Edited {
    fn read(&mut self, prompt: &str, secret: bool) -> Result<String, Ended> {
        if let Some(line) = self.0.helper_mut() {
            line.secret = secret;
        }
        self.0.readline(prompt).map_err(|error| match error {
            ReadlineError::Interrupted => Ended::Interrupted,
            _ => Ended::Over,
        })
    }

    fn remember(&mut self, line: &str) {
        // Without history the arrow keys do less: no reason to end.
        let _ = self.0.add_history_entry(line);
    }
}

/// Prints above the prompt.
struct Above<P>(P);

impl<P: ExternalPrinter> Screen for Above<P> {
    fn print(&mut self, lines: String) -> io::Result<()> {
        self.0.print(lines).map_err(io::Error::other)
    }
}

/// Completes commands and names, and hides passwords.
#[derive(Helper, Hinter, Validator)]
struct Line {
    names: Names,
    secret: bool,
}

impl Highlighter for Line {
    fn highlight<'line>(&self, line: &'line str, _: usize) -> Cow<'line, str> {
        if self.secret { Cow::Owned("*".repeat(line.width())) } else { Cow::Borrowed(line) }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.secret && kind != CmdKind::MoveCursor
    }
}

impl Completer for Line {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context) -> rustyline::Result<(usize, Vec<String>)> {
        if self.secret {
            return Ok((pos, Vec::new()));
        }
        Ok(completions(&self.names, &line[..pos]))
    }
}

/// Where the last word begins, and what it may become.
fn completions(names: &Names, line: &str) -> (usize, Vec<String>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
    let (before, word) = (line[..start].trim(), &line[start..]);
    let found = match before {
        "" => NAMES.iter().filter(|name| name.starts_with(word)).map(|name| format!("{name} ")).collect(),
        "send" | "history" | "block" | "unblock" => names.beginning(word).into_iter().map(|name| name + " ").collect(),
        _ => Vec::new(),
    };
    (start, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_names_are_completed_where_they_stand() {
        let names = Names::default();
        names.learn("alice");
        names.learn("Albert");
        assert_eq!(completions(&names, "li"), (0, vec!["list ".into(), "list_pending ".into()]));
        assert_eq!(completions(&names, "send al"), (5, vec!["Albert ".into(), "alice ".into()]));
        assert_eq!(completions(&names, "history ali"), (8, vec!["alice ".into()]));
        assert_eq!(completions(&names, "bl"), (0, vec!["block ".into(), "blocked ".into()]));
        assert_eq!(completions(&names, "block ali"), (6, vec!["alice ".into()]));
        assert_eq!(completions(&names, "unblock ali"), (8, vec!["alice ".into()]));
        assert_eq!(completions(&names, "blocked al"), (8, vec![]));
        assert_eq!(completions(&names, "send alice al"), (11, vec![]));
        assert_eq!(completions(&names, "login al"), (6, vec![]));
    }
}
