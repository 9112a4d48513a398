//! The original's two files.

use super::{NAMES, text};
use crate::chance::Chance;

/// Both, with the byte between them.
pub fn both(chance: &mut Chance) -> Vec<u8> {
    let quote = |text: &str| {
        let escape = |letter: char| match letter {
            '"' | '\\' | '\u{0}'..' ' => format!("\\u{:04x}", u32::from(letter)),
            _ => letter.to_string(),
        };
        format!("\"{}\"", text.chars().map(escape).collect::<String>())
    };
    let mut names: Vec<String> = (0..chance.below(6)).map(|n| format!("user{n}")).collect();
    if chance.once_in(4) {
        names.push((*chance.of(&NAMES)).to_owned());
    }
    let password = |chance: &mut Chance| match chance.below(6) {
        0 => "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g".to_owned(),
        1 => format!("$argon2id${}", "x".repeat(chance.below(1100))),
        2 => text(chance),
        _ => "pwd1".to_owned(),
    };
    let users: Vec<String> =
        names.iter().map(|name| format!("{}:{{\"password\":{}}}", quote(name), quote(&password(chance)))).collect();
    let entry = |chance: &mut Chance| {
        let mut name = || if names.is_empty() { "nobody".to_owned() } else { chance.of(&names).clone() };
        let (sender, receiver) = (quote(&name()), quote(&name()));
        let timestamp =
            *chance.of(&["null", "0", "1600000000.25", "-1", "1e300", "253402300799.9999", "5e-324", "-0.0"]);
        let message = quote(&text(chance));
        format!("{{\"sender\":{sender},\"receiver\":{receiver},\"timestamp\":{timestamp},\"message\":{message}}}")
    };
    let pending: Vec<String> = (0..chance.below(8)).map(|_| entry(chance)).collect();
    format!("{{{}}}\u{1e}[{}]", users.join(","), pending.join(",")).into_bytes()
}
