//! Words of a command, which may be quoted: `"two words"`, `'two words'`.
//!
//! Within `"` a backslash takes the next `"` or `\` as it is; within `'` nothing is special. A quote is one only at the
//! beginning of a word: `it's` is a word like any other.

/// Takes the first word off a line: the word, the rest less one blank, and whether the word was quoted. `None` where there
/// is none.
///
/// # Errors
/// A quote is not closed, or something stands right behind it.
pub(super) fn word(line: &str) -> Result<Option<(String, &str, bool)>, String> {
    let line = line.trim_start();
    let mut chars = line.char_indices();
    let quote = match chars.next() {
        None => return Ok(None),
        Some((_, quote @ ('"' | '\''))) => quote,
        Some(_) => {
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            return Ok(Some((word.to_owned(), rest, false)));
        }
    };
    let mut word = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => {
                let rest = &line[at + c.len_utf8()..];
                let Some(rest) = rest.strip_prefix(char::is_whitespace).or(rest.is_empty().then_some("")) else {
                    return Err(format!("After the closing {quote} there must be a space."));
                };
                return Ok(Some((word, rest, true)));
            }
            '\\' if quote == '"' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => word.push(escaped),
                Some((_, other)) => word.extend(['\\', other]),
                None => break,
            },
            _ => word.push(c),
        }
    }
    let other = if quote == '"' { '\'' } else { '"' };
    Err(format!("The {quote} is not closed. To begin a word with it, put the word between two {other}."))
}

/// All words of a line.
///
/// # Errors
/// As [`word`].
pub(super) fn words(mut line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    while let Some((word, rest, _)) = word(line)? {
        words.push(word);
        line = rest;
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_may_be_quoted() {
        for (line, expected) in [
            ("", vec![]),
            ("  a  b ", vec!["a", "b"]),
            (r#""two words" 'and two'"#, vec!["two words", "and two"]),
            (r#"" outer " '' "#, vec![" outer ", ""]),
            (r#""a \" b \\ c \n""#, vec![r#"a " b \ c \n"#]),
            (r#"'a \ " b'"#, vec![r#"a \ " b"#]),
            (r#"it's a"b"#, vec!["it's", "a\"b"]),
        ] {
            assert_eq!(words(line).as_deref(), Ok(&expected.into_iter().map(String::from).collect::<Vec<_>>()[..]));
        }
    }

    #[test]
    fn what_is_not_closed_is_said() {
        for line in ["\"a", "'a", "a 'b\"", "\"a\\", "\"a\\\""] {
            assert!(words(line).unwrap_err().contains("is not closed"), "{line}");
        }
        assert!(words("'a'b").unwrap_err().contains("must be a space"));
    }
}
