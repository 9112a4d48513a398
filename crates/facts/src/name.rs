//! The rules for names.

use std::fmt;

use crate::limits;

/// A name that follows the rules: 1 to 32 of `A-Z a-z 0-9 . _ -`. Two names that differ in case only
/// are the same name, so compare them [folded](Name::folded).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Name(Box<str>);

/// Why something is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A name has 1 to {max} characters, each a letter A-Z or a-z, a digit, a dot, an underscore or a hyphen.", max = limits::NAME_CHARS)]
pub struct BadName;

impl Name {
    /// Checks a name against the rules.
    ///
    /// # Errors
    /// [`BadName`], which says what the rules are.
    pub fn new(text: &str) -> Result<Self, BadName> {
        let fits = (1..=limits::NAME_CHARS).contains(&text.len());
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if fits && text.bytes().all(allowed) { Ok(Self(text.into())) } else { Err(BadName) }
    }

    /// The name as its owner wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without regard to case: what is unique.
    pub fn folded(&self) -> Box<str> {
        self.0.to_ascii_lowercase().into()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules() {
        for good in ["a", "Alice.B_c-9", &"x".repeat(32)] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", &"x".repeat(33), "a b", "ä", "a~1", "a\n"] {
            assert_eq!(Name::new(bad), Err(BadName), "{bad}");
        }
        assert_eq!(Name::new("AlIcE").unwrap().folded(), Name::new("aLiCe").unwrap().folded());
    }
}
