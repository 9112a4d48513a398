//! One form for each password, whatever keyboard typed it: the profile OpaqueString of RFC 8265, section 4.2.
//!
//! The same `é` is one character from one system and two from another; a space may be any of seventeen. So spaces beyond
//! ASCII become U+0020, all is brought to Unicode's form NFC, and control characters are refused. Case and blanks at the ends
//! stay. Other than the profile, this takes code points that are not assigned yet or can't be seen (a ZWJ in an emoji): which
//! these are differs from one version of Unicode to the next, and a replica that was upgraded must not refuse a password
//! that another one takes.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// The form in which a password is hashed; `None` if it has control characters, which no new password may have.
pub(crate) fn normal(password: &str) -> Option<Cow<'_, str>> {
    if password.chars().any(is_forbidden) {
        return None;
    }
    if password.is_ascii() {
        return Some(Cow::Borrowed(password));
    }
    Some(Cow::Owned(password.chars().map(|c| if is_space(c) { ' ' } else { c }).nfc().collect()))
}

/// Unicode's categories Cc (controls), Zl and Zp (separators of lines and paragraphs).
fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Unicode's category Zs.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn the_examples_of_the_rfc() {
        // RFC 8265, section 4.3.
        for (typed, form) in [
            ("correct horse battery staple", Some("correct horse battery staple")),
            ("Correct Horse Battery Staple", Some("Correct Horse Battery Staple")),
            ("πßå", Some("πßå")),
            ("Jack of ♦s", Some("Jack of ♦s")),
            ("foo\u{1680}bar", Some("foo bar")),
            ("my cat is a \u{9}by", None),
        ] {
            assert_eq!(normal(typed).as_deref(), form, "{typed}");
        }
    }

    #[test]
    fn one_form_for_all_ways_to_type_it() {
        assert_eq!(normal("e\u{301}te\u{301}").as_deref(), Some("été"));
        assert_eq!(normal("été").as_deref(), Some("été"));
        assert_eq!(normal("\u{212b}").as_deref(), Some("\u{c5}"));
        assert_eq!(normal(" \u{3000}a\u{a0} ").as_deref(), Some("  a  "), "the ends stay");
        assert_eq!(normal("ﬁ Ａ").as_deref(), Some("ﬁ Ａ"), "what only looks alike stays apart");
        assert_eq!(normal("a\u{2028}b"), None);
        let once = normal("q\u{307}\u{323} \u{1100}\u{1161}").unwrap();
        assert_eq!(normal(&once).as_deref(), Some(&*once), "a form has itself as its form");
    }
}
