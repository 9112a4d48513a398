//! Lines on a terminal that can't move its cursor: typed and mended as the terminal itself does it.

use std::io::{self, BufRead, BufReader, Stdin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::termios::{LocalModes, SpecialCodeIndex};

use super::super::output::{Screen, write_out};
use super::restore::Restore;
use super::{Ended, Screens, Source};

/// Ctrl-C.
const INTERRUPT: u8 = 3;

/// The prompt that stands there now, if any.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Option<String>>>);

impl Shown {
    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the terminal.
pub(super) fn open() -> (Box<dyn Source + Send>, Screens) {
    let shown = Shown::default();
    let source = Plain { input: BufReader::new(io::stdin()), shown: shown.clone() };
    (Box::new(source), [Box::new(shown.clone()), Box::new(shown)])
}

struct Plain {
    /// Keeps what was typed ahead.
    input: BufReader<Stdin>,
    shown: Shown,
}

impl Source for Plain {
    fn read(&mut self, prompt: &str, secret: bool) -> Result<String, Ended> {
        // Ctrl-C is a character that ends the line at once: a signal would not end the reading.
        let _restore = Restore::after(|terminal| {
            terminal.local_modes -= LocalModes::ISIG;
            terminal.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
            if secret {
                terminal.local_modes -= LocalModes::ECHO;
                terminal.local_modes |= LocalModes::ECHONL;
            }
        });
        {
            let mut shown = self.shown.lock();
            let _ = write_out(prompt);
            *shown = Some(prompt.to_owned());
        }
        let mut line = Vec::new();
        let ended = loop {
            match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) | Ok([]) => break Some(Ended::Over),
                Ok(typed) => {
                    let end = typed.iter().position(|&byte| byte == b'\n' || byte == INTERRUPT);
                    let taken = end.map_or(typed.len(), |end| end + 1);
                    line.extend_from_slice(&typed[..taken]);
                    self.input.consume(taken);
                    match line.last() {
                        Some(&INTERRUPT) => break Some(Ended::Interrupted),
                        Some(b'\n') => break None,
                        _ => {}
                    }
                }
            }
        };
        *self.shown.lock() = None;
        match ended {
            None => {
                line.pop();
                Ok(String::from_utf8_lossy(&line).into_owned())
            }
            Some(ended) => {
                let _ = write_out("\n");
                Err(ended)
            }
        }
    }

    fn remember(&mut self, _: &str) {}
}

impl Screen for Shown {
    fn print(&mut self, lines: String) -> io::Result<()> {
        let prompt = self.lock();
        match &*prompt {
            // What was typed so far stands above; the terminal still has it.
            Some(prompt) => write_out(&format!("\n{lines}{prompt}")),
            None => write_out(&lines),
        }
    }
}
