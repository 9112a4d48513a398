//! What others wrote, made harmless for a terminal.

use std::fmt::Write as _;

/// Splits a text into lines that can be shown: whatever could move the cursor, change colours, or turn
/// the direction of what follows is written out as `\u{1b}`. Tabs stay.
pub(super) fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).map(harmless).collect()
}

fn harmless(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        if c != '\t' && (c.is_control() || turns_direction(c)) {
            // Writing to a string can't fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Characters that reorder what follows them, and could make one line look like another.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn controls_are_written_out_and_the_rest_stays() {
        assert_eq!(lines("a\u{1b}[2Jb\u{7}\u{9b}\u{7f}\0"), ["a\\u{1b}[2Jb\\u{7}\\u{9b}\\u{7f}\\u{0}"]);
        assert_eq!(lines("Ä\t漢字 👩‍👩‍👧 שלום"), ["Ä\t漢字 👩‍👩‍👧 שלום"]);
        assert_eq!(lines("\u{202e}evil"), ["\\u{202e}evil"]);
        assert_eq!(lines("a\rb"), ["a\\u{d}b"]);
    }

    #[test]
    fn lines_are_split() {
        assert_eq!(lines("a\nb\r\n\nc"), ["a", "b", "", "c"]);
        assert_eq!(lines(""), [""]);
    }
}
