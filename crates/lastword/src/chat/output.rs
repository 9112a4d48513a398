//! Where everything that is said goes out: the one place that prints.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "this module is where the program prints")]

use std::io::Write as _;

use rustyline::ExternalPrinter;

use super::escape;

/// Where lines go.
pub(super) enum Output {
    /// Standard output, each line after `> `, as in the original.
    Pipe,
    /// Above the prompt.
    Terminal(Box<dyn ExternalPrinter + Send>),
}

impl Output {
    /// Shows one thing that happened. What others wrote is made harmless here.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn say(&mut self, text: &str) -> std::io::Result<()> {
        let lines = escape::lines(text);
        match self {
            Self::Pipe => {
                let mut out = std::io::stdout().lock();
                for line in lines {
                    writeln!(out, "> {line}")?;
                }
                out.flush()
            }
            // Indented, so that a second line can't look like somebody else's first.
            Self::Terminal(printer) => printer.print(lines.join("\n    ") + "\n").map_err(std::io::Error::other),
        }
    }
}

/// Says on standard output what a command has done.
pub(crate) fn announce(text: &str) {
    println!("{text}");
}

/// Says on standard error how far something is, and what servers say: standard output is for the result.
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}

/// Says on standard error why the program ends. A server may have said some of it.
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("lastword: {}", escape::lines(&format!("{error:#}")).join("\n"));
}
