//! Patterns of `list`: what is understood, and what one may cost.
//!
//! A pattern is chosen by a client, so compiling it and matching with it cost what the client wants them to cost. Neither
//! is done by the core itself: the driver does both, with [`Pattern::match_names`], off the thread that the core runs on
//! ([`crate::io::Output::Match`]).
//!
//! Names are ASCII. So patterns match bytes, and Unicode is off and can't be switched on: its classes are what made a
//! pattern of 256 bytes take a quarter of a second to compile. What is left is bounded by the size of the program.

use std::sync::Arc;
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{self, Ast, Flag, Flags, GroupKind};

/// The longest pattern, in bytes.
pub const PATTERN_BYTES: usize = 256;
/// How large a compiled pattern may be, in bytes; it bounds how long compiling takes, and each match.
const PROGRAM_BYTES: usize = 64 * 1024;
/// How large the automaton that a match builds on the way may be, in bytes.
const AUTOMATON_BYTES: usize = 64 * 1024;
/// How deep groups and classes may be nested.
const NESTING: u32 = 50;

/// What names are to match.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// As the client wrote it.
    Text(String),
    /// The same, compiled by an earlier piece of work.
    Compiled(Regex),
}

/// Why a pattern can't be used, as a part of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPattern(pub String);

/// What a piece of matching has found.
#[derive(Debug, Clone)]
pub struct Matched {
    /// The pattern, compiled.
    pub pattern: Regex,
    /// How many of the names were looked at: at least one, if there are any.
    pub looked_at: usize,
    /// Those of them that match, in their order.
    pub names: Vec<Arc<str>>,
    /// How long it took, compiling included. A driver that has no clock says nothing.
    pub took: Duration,
}

impl Pattern {
    /// Matches names until there are no more, or until `go_on` says no. Compiles the pattern first, if it is not.
    ///
    /// # Errors
    /// It is not a regular expression, asks for Unicode, or is too large.
    pub fn match_names(self, names: &[Arc<str>], mut go_on: impl FnMut() -> bool) -> Result<Matched, BadPattern> {
        let pattern = match self {
            Self::Text(text) => compile(&text)?,
            Self::Compiled(pattern) => pattern,
        };
        let mut matched = Vec::new();
        let mut looked_at = 0;
        for name in names {
            looked_at += 1;
            if pattern.is_match(name.as_bytes()) {
                matched.push(name.clone());
            }
            if !go_on() {
                break;
            }
        }
        Ok(Matched { pattern, looked_at, names: matched, took: Duration::ZERO })
    }
}

fn compile(text: &str) -> Result<Regex, BadPattern> {
    if text.len() > PATTERN_BYTES {
        return Err(BadPattern(format!("it has more than {PATTERN_BYTES} bytes")));
    }
    // Read first, for flags within it switch Unicode on again, whatever the builder was told.
    let parsed = ParserBuilder::new().nest_limit(NESTING).build().parse(text).map_err(|error| why(&error))?;
    ast::visit(&parsed, NoUnicode)?;
    let mut builder = RegexBuilder::new(text);
    builder.unicode(false).nest_limit(NESTING).size_limit(PROGRAM_BYTES).dfa_size_limit(AUTOMATON_BYTES);
    builder.build().map_err(|error| why(&error))
}

/// The last line of what the library says.
fn why(error: &dyn std::fmt::Display) -> BadPattern {
    let text = error.to_string();
    BadPattern(text.lines().last().unwrap_or_default().trim_start_matches("error: ").trim_end_matches('.').to_owned())
}

/// Finds a flag that switches Unicode on.
struct NoUnicode;

impl NoUnicode {
    fn look_at(flags: &Flags) -> Result<(), BadPattern> {
        if flags.flag_state(Flag::Unicode) == Some(true) {
            return Err(BadPattern("the flag `u` can't be used, names are ASCII".to_owned()));
        }
        Ok(())
    }
}

impl ast::Visitor for NoUnicode {
    type Output = ();
    type Err = BadPattern;

    fn finish(self) -> Result<(), BadPattern> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), BadPattern> {
        match ast {
            Ast::Flags(set) => Self::look_at(&set.flags),
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(flags) => Self::look_at(flags),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|&name| name.into()).collect()
    }

    fn found(pattern: &str) -> Result<Vec<String>, BadPattern> {
        let matched =
            Pattern::Text(pattern.to_owned()).match_names(&names(&["alice", "Bob", "carol~01ab"]), || true)?;
        Ok(matched.names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_match_as_they_did() {
        assert_eq!(found("").unwrap(), ["alice", "Bob", "carol~01ab"]);
        assert_eq!(found("(?i)^b").unwrap(), ["Bob"]);
        assert_eq!(found(r"^\w+$").unwrap(), ["alice", "Bob"]);
        assert_eq!(found("(?x) ( ?: a | c ) l # comment").unwrap(), ["alice"]);
        assert_eq!(found("(?-u:o)").unwrap(), ["Bob", "carol~01ab"]);
        assert_eq!(found("ü").unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_refused_says_why() {
        for (pattern, word) in [
            ("(", "unclosed group"),
            ("(?u)a", "names are ASCII"),
            ("x(?iu:a)", "names are ASCII"),
            ("(?x)(\n#\n?u:a)", ""),
            (r"\p{Greek}", "Unicode"),
            ("((a{999}){999}){999}", "size limit"),
            (&"(".repeat(60), ""),
        ] {
            let bad = found(pattern).unwrap_err().0;
            assert!(bad.contains(word), "{pattern}: {bad}");
        }
    }

    #[test]
    fn matching_stops_when_it_is_told_to() {
        let names = names(&["a", "b", "c"]);
        let mut left = 2;
        let matched = Pattern::Text(String::new()).match_names(&names, || {
            left -= 1;
            left > 0
        });
        let matched = matched.unwrap();
        assert_eq!((matched.looked_at, matched.names.len()), (2, 2));
        let rest = Pattern::Compiled(matched.pattern).match_names(&names[2..], || true).unwrap();
        assert_eq!(rest.names, names[2..]);
    }

    /// The patterns that took longest, of those that were found: a quarter of a second with Unicode.
    #[test]
    fn no_pattern_takes_long_to_compile() {
        let longest = "x".repeat(32).as_str().into();
        for pattern in [
            "(?i)".to_owned() + &"[^x]{9}".repeat(35),
            r"(\w{9}\W{9}){3}".repeat(8),
            "[[^a]&&[^b]]".repeat(21),
            "(?i)[[a-z]--[[aeiou]&&[^u]]]{99}".repeat(8),
            "(a|b|c|d|e|f|g|h){99}".repeat(12),
            "(".repeat(49) + "x" + &")*".repeat(49),
            "(?i)(((((.{9}){9}){9}){9}){9})".to_owned(),
            ".*".repeat(128),
            r"\b".repeat(128),
            "(x+x+)+y".repeat(30),
        ] {
            let fastest = (0..5).map(|_| {
                let began = std::hint::black_box(clock());
                let _ = Pattern::Text(pattern.clone()).match_names(&[Arc::clone(&longest)], || true);
                began.elapsed()
            });
            let fastest = fastest.min().unwrap_or_default();
            assert!(fastest < Duration::from_millis(20), "{pattern:.40}: {fastest:?}");
        }
    }

    #[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test measures how long something takes")]
    fn clock() -> std::time::Instant {
        std::time::Instant::now()
    }
}
