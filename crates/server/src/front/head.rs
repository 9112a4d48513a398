//! The head of an HTTP request, as far as it is looked at.

/// The head of a request.
pub(super) struct Head {
    lines: Vec<String>,
}

impl Head {
    /// Takes the head off the front of what was read; `None` while it is not whole.
    pub(super) fn take(read: &mut Vec<u8>) -> Option<Self> {
        let end = |mark: &[u8]| read.windows(mark.len()).position(|bytes| bytes == mark).map(|at| at + mark.len());
        let length = end(b"\r\n\r\n").into_iter().chain(end(b"\n\n")).min()?;
        let text = String::from_utf8_lossy(&read[..length]);
        let lines = text.lines().map(str::to_owned).collect();
        read.drain(..length);
        Some(Self { lines })
    }

    fn first(&self) -> impl Iterator<Item = &str> {
        self.lines.first().map(String::as_str).unwrap_or_default().split(' ')
    }

    pub(super) fn method(&self) -> &str {
        self.first().next().unwrap_or_default()
    }

    /// The path that is asked for, without what is behind a question mark.
    pub(super) fn path(&self) -> &str {
        let target = self.first().nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }

    /// The value of a header; of the first, if there are several.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.lines.iter().skip(1).find_map(|line| {
            let (this, value) = line.split_once(':')?;
            this.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Whether a header names this, among others perhaps.
    pub(super) fn names(&self, name: &str, what: &str) -> bool {
        self.value(name).is_some_and(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case(what)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_taken_whole_and_what_follows_stays() {
        let mut read = b"GET /ws?x=1 HTTP/1.1\r\nHost: a:1\r\nconnection: keep-alive, Upgrade\r\n\r\nrest".to_vec();
        let head = Head::take(&mut read).unwrap();
        assert_eq!((head.method(), head.path(), read.as_slice()), ("GET", "/ws", &b"rest"[..]));
        assert_eq!((head.value("HOST"), head.value("Origin")), (Some("a:1"), None));
        assert!(head.names("Connection", "upgrade") && !head.names("Connection", "close"));
        assert!(Head::take(&mut b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec()).is_none());
        for nonsense in [&b"\n\n"[..], b"GET\n\n", b"\xff\xfe :::\n\n"] {
            let head = Head::take(&mut nonsense.to_vec()).unwrap();
            assert_eq!((head.path(), head.value("Host")), if nonsense[0] == 0xff { (":::", None) } else { ("", None) });
        }
    }
}
