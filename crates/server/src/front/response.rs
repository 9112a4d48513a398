//! An HTTP response, of which every connection gets one.

use std::borrow::Cow;
use std::fmt::Write;

/// A response: status line, headers, body.
pub(super) struct Response {
    status: &'static str,
    headers: Vec<(&'static str, Cow<'static, str>)>,
    /// `None`: the status has none.
    body: Option<Cow<'static, [u8]>>,
}

impl Response {
    /// One of text, for people.
    pub(super) fn text(status: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let text = match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Self::of(status, "text/plain; charset=utf-8", text)
    }

    /// One with a body of this type.
    pub(super) fn of(status: &'static str, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { body: Some(body.into()), ..Self::empty(status) }.with("Content-Type", content_type)
    }

    /// One whose status has no body.
    pub(super) fn empty(status: &'static str) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// With this header, too. The value holds no line feed.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// As it goes out; to a `HEAD` without the body, whose length is told all the same.
    pub(super) fn into_bytes(self, only_head: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status);
        // Writing to a string can't fail.
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if let Some(body) = &self.body {
            let _ = write!(head, "Content-Length: {}\r\n", body.len());
        }
        head.push_str("Connection: close\r\n\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().filter(|_| !only_head).unwrap_or_default());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_goes_out_behind_its_length() {
        let response = || Response::text("200 OK", "abc").with("Allow", "GET");
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nAllow: GET\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
        assert_eq!(response().into_bytes(true), head.as_bytes());
        assert_eq!(response().into_bytes(false), format!("{head}abc").into_bytes());
        let none = Response::empty("304 Not Modified").into_bytes(false);
        assert_eq!(none, b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
    }
}
