//! An HTTP response whose body is whole from the start.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{StatusCode, header};

/// A response: status, headers, body.
pub(super) struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Response {
    /// A text for people.
    pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self::of(status, "text/plain; charset=utf-8", text)
    }

    /// A body of this type.
    pub(super) fn of(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::empty(status) }.with(CONTENT_TYPE, content_type)
    }

    /// For a status that has no body.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// With this header, too. A value that can't stand in a header is left out.
    pub(super) fn with(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.headers.append(name, value);
        }
        self
    }

    /// The client need not ask again before so many seconds have passed.
    pub(super) fn retry_after(self, seconds: u64) -> Self {
        self.with(header::RETRY_AFTER, seconds)
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// As hyper sends it.
    pub(super) fn into_hyper(self) -> hyper::Response<Whole> {
        let mut response = hyper::Response::new(Whole(Some(self.body)));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// A body that is there at once; hyper tells its length, and leaves it out of the answer to a HEAD.
pub(super) struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = self.0.take().filter(|bytes| !bytes.is_empty());
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
