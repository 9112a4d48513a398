//! Where everything that is said goes out: the one place that prints.

use std::io::{self, Write as _};

use rustix::termios::tcgetwinsize;

use super::escape;
use super::said::Said;

/// How wide a terminal is that does not say.
const COLUMNS: usize = 80;

/// A terminal that may show a prompt.
pub(super) trait Screen {
    /// Shows lines above the prompt, if there is one. Each ends with a line feed.
    ///
    /// # Errors
    /// The terminal is gone.
    fn print(&mut self, lines: String) -> io::Result<()>;
}

/// Where lines go.
pub(super) enum Output {
    /// Standard output, each line after `> `, as in the original.
    Pipe,
    /// Standard output, one JSON object a line.
    Json,
    /// A terminal.
    Terminal(Box<dyn Screen + Send>),
}

impl Output {
    /// Shows one thing. What others wrote is made harmless here: nothing that a text holds begins a line.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn say(&mut self, said: &Said) -> io::Result<()> {
        match self {
            Self::Pipe => {
                let mut out = io::stdout().lock();
                for line in &said.lines {
                    writeln!(out, "> {}", escape::one_line(line))?;
                }
                out.flush()
            }
            // JSON has no line breaks inside: they are written as \n.
            Self::Json => {
                let mut out = io::stdout().lock();
                writeln!(out, "{}", said.json)?;
                out.flush()
            }
            Self::Terminal(screen) => {
                let shown = said.lines.iter().map(|line| escape::for_terminal(line, columns()) + "\n");
                match shown.collect::<String>() {
                    nothing if nothing.is_empty() => Ok(()),
                    lines => screen.print(lines),
                }
            }
        }
    }

    /// Whether a person reads it.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }
}

/// How wide the terminal is now.
fn columns() -> usize {
    let size = tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col.into());
    if size == 0 { COLUMNS } else { size }
}

/// A terminal without a prompt.
pub(super) struct Bare;

impl Screen for Bare {
    fn print(&mut self, lines: String) -> io::Result<()> {
        write_out(&lines)
    }
}

/// Writes to standard output as it is.
pub(super) fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says on standard output what a command has done. Says whether anybody can still read it (`lastword … | head`):
/// where nobody does, what was begun is finished all the same, and what goes on for ever may end.
pub(crate) fn announce(text: &str) -> bool {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// Says on standard error how far something is, and what servers say: standard output is for the result.
pub(crate) fn progress(text: &str) {
    // There is no better place to say that nobody reads it.
    let _ = writeln!(io::stderr(), "{text}");
}

/// What happened, and why. Most errors tell their causes themselves: what was said already is not said twice.
fn in_full(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// Says on standard error why the program ends. A server may have said some of it.
pub(crate) fn complain(error: &anyhow::Error) {
    let lines = format!("lastword: {}", in_full(error));
    let lines: Vec<String> = lines.split('\n').map(escape::one_line).collect();
    progress(&lines.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::in_full;

    #[test]
    fn a_cause_is_said_once() {
        let cause = || anyhow::anyhow!("no such file");
        assert_eq!(in_full(&cause().context("can't read it")), "can't read it: no such file");
        assert_eq!(in_full(&cause().context("can't read it: no such file. Look")), "can't read it: no such file. Look");
    }
}
