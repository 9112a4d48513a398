//! Where the next line of a client ends.

/// What stands at the front of what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A line of so many bytes, and its line feed.
    Line(usize),
    /// The beginning of a line.
    Part,
    /// A line that is longer than it may be, whole or not.
    TooLong,
}

/// Looks for the end of the first line, no further than a line may be long.
pub fn cut(read: &[u8], line_bytes: usize) -> Cut {
    let reach = read.len().min(line_bytes + 1);
    match read[..reach].iter().position(|&byte| byte == b'\n') {
        Some(length) => Cut::Line(length),
        None if read.len() > line_bytes => Cut::TooLong,
        None => Cut::Part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_be_as_long_as_the_limit() {
        assert_eq!(cut(b"abc", 3), Cut::Part);
        assert_eq!(cut(b"abc\n", 3), Cut::Line(3));
        assert_eq!(cut(b"abcd", 3), Cut::TooLong);
        assert_eq!(cut(b"abcd\n", 3), Cut::TooLong);
        assert_eq!(cut(b"\n{", 3), Cut::Line(0));
    }
}
