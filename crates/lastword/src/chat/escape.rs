//! What others wrote, made harmless: for a pipe as one line, for a terminal as lines that can't look like somebody
//! else's.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

/// Begins each line of a text at a terminal but the first. No name begins like this.
const CONTINUED: &str = "  | ";
/// The fewest columns that a text is wrapped to.
const COLUMNS_MIN: usize = 20;
/// The most columns that a tab can take.
const TAB: usize = 8;

/// The whole text as one line: line breaks become `\n`, and whatever could move the cursor, change colours or turn the
/// direction of what follows becomes `\r` or `\u{1b}`. Tabs stay. A backslash stays as it is, too, so this is for
/// reading; programs that must know exactly what was written take `--json`.
pub(super) fn one_line(text: &str) -> String {
    harmless(&text.replace("\r\n", "\n"))
}

/// The text for a terminal of this many columns. Line breaks stay, and long lines are broken here: a terminal that breaks
/// a line by itself begins the next one at its left edge, where it could look like a line from somebody else.
pub(super) fn for_terminal(text: &str, columns: usize) -> String {
    let columns = columns.max(COLUMNS_MIN);
    let mut shown = String::with_capacity(text.len());
    let mut is_first = true;
    for line in text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
        let line = harmless(line);
        let mut rest = line.as_str();
        loop {
            let room = if std::mem::take(&mut is_first) {
                columns
            } else {
                shown.push('\n');
                shown.push_str(CONTINUED);
                columns - CONTINUED.len()
            };
            let (first, more) = break_line(rest, room);
            shown.push_str(first);
            rest = more;
            if rest.is_empty() {
                break;
            }
        }
    }
    shown
}

/// What fits into this many columns, and the rest. Breaks after a blank where there is one in the second half.
fn break_line(line: &str, columns: usize) -> (&str, &str) {
    let (mut taken, mut blank) = (0, None);
    for (at, c) in line.char_indices() {
        // Where a terminal may show a character narrow or wide, it counts as wide: too early is safe.
        taken += if c == '\t' { TAB } else { c.width_cjk().unwrap_or(0) };
        if taken > columns {
            return line.split_at(blank.unwrap_or(at));
        }
        if c == ' ' && taken > columns / 2 {
            blank = Some(at + 1);
        }
    }
    (line, "")
}

fn harmless(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push(c),
            _ if c.is_control() || turns_direction(c) => {
                // Writing to a string can't fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            _ => shown.push(c),
        }
    }
    shown
}

/// Characters that reorder what follows them or begin a new line, and could make one line look like another.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::{for_terminal, one_line};

    #[test]
    fn controls_are_written_out_and_the_rest_stays() {
        assert_eq!(one_line("a\u{1b}[2Jb\u{7}\u{9b}\u{7f}\0"), "a\\u{1b}[2Jb\\u{7}\\u{9b}\\u{7f}\\u{0}");
        assert_eq!(one_line("Ä\t漢字 👩‍👩‍👧 שלום"), "Ä\t漢字 👩‍👩‍👧 שלום");
        assert_eq!(one_line("\u{202e}evil"), "\\u{202e}evil");
        assert_eq!(one_line("a\rb\u{85}c\u{2028}d"), "a\\rb\\u{85}c\\u{2028}d");
        assert_eq!(for_terminal("a\u{1b}[2J\rb", 80), "a\\u{1b}[2J\\rb");
    }

    #[test]
    fn in_a_pipe_a_text_is_one_line() {
        assert_eq!(one_line("hi\n> boss: pay 1000\r\nmallory: x"), "hi\\n> boss: pay 1000\\nmallory: x");
        assert_eq!(one_line("C:\\new"), "C:\\new", "a backslash stays as it is");
        assert_eq!(one_line(""), "");
    }

    #[test]
    fn at_a_terminal_each_further_line_is_marked() {
        assert_eq!(for_terminal("a\nb\r\n\nc", 80), "a\n  | b\n  | \n  | c");
        assert_eq!(for_terminal("", 80), "");
        assert_eq!(for_terminal("\nboss: pay", 80), "\n  | boss: pay");
        let padded = format!("ann: hi{}boss: pay 1000", " ".repeat(33));
        assert_eq!(for_terminal(&padded, 40), format!("ann: hi{}\n  | boss: pay 1000", " ".repeat(33)));
    }

    #[test]
    fn every_line_at_a_terminal_fits_and_all_but_the_first_are_marked() {
        for text in ["x".repeat(300), "漢".repeat(100), "a\t".repeat(50), "word ".repeat(60), "é".repeat(90)] {
            let shown = for_terminal(&text, 40);
            let mut lines = shown.split('\n');
            let mut whole = lines.next().unwrap_or_default().to_owned();
            for line in lines {
                whole += line.strip_prefix("  | ").expect("a mark");
            }
            assert_eq!(whole, text);
            assert!(shown.split('\n').all(|line| unicode_width::UnicodeWidthStr::width(line) <= 40), "{shown}");
        }
    }
}
