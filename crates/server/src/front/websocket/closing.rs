//! With which code a WebSocket is closed (RFC 6455, 7.4.1).

use std::sync::OnceLock;

use lastword_protocol::event::CloseReason;
use lastword_protocol::line::Reply;
use lastword_protocol::{Code, Event, ServerLine};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// What the two directions of a connection tell each other about its end.
#[derive(Default)]
pub(super) struct Closing {
    why: OnceLock<CloseCode>,
    /// `None`: there is nobody any more to say goodbye to.
    now: OnceLock<Option<CloseCode>>,
    told: Notify,
}

impl Closing {
    /// What the client has sent is refused, and that is the code to close with then.
    pub(super) fn because(&self, code: CloseCode) {
        let _ = self.why.set(code);
    }

    /// Why the end has come, if the client's frames are the reason.
    pub(super) fn why(&self) -> Option<CloseCode> {
        self.why.get().copied()
    }

    /// It is to be closed at once: nothing that still comes can be understood.
    pub(super) fn at_once(&self, code: CloseCode) {
        let _ = self.now.set(Some(code));
        self.because(code);
        self.told.notify_one();
    }

    /// The client has said its goodbye, and has been answered; or it has gone without.
    pub(super) fn ended(&self) {
        // A client of which the last frame is to be refused first has not gone.
        if self.why.get().is_none() {
            let _ = self.now.set(None);
            self.told.notify_one();
        }
    }

    /// Waits for one of those. May be given up and called again.
    pub(super) async fn told(&self) -> Option<CloseCode> {
        loop {
            if let Some(code) = self.now.get() {
                return *code;
            }
            self.told.notified().await;
        }
    }
}

/// The code to close with after this was said last.
pub(super) fn code_after(last: &str, has_failed: bool) -> CloseCode {
    if has_failed {
        return CloseCode::Error;
    }
    match ServerLine::from_json(last.as_bytes()) {
        Ok(ServerLine::Event(Event::Closed { reason })) => match reason {
            CloseReason::Shutdown => CloseCode::Away,
            CloseReason::Slow => CloseCode::Policy,
            _ => CloseCode::Normal,
        },
        Ok(ServerLine::Reply(Reply { result: Err(refusal), .. })) => match refusal.code {
            Code::TooMany => CloseCode::Again,
            _ => CloseCode::Policy,
        },
        _ => CloseCode::Normal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells_why() {
        for (last, code) in [
            (r#"{"event":"closed","reason":"shutdown"}"#, CloseCode::Away),
            (r#"{"event":"closed","reason":"slow"}"#, CloseCode::Policy),
            (r#"{"event":"closed","reason":"idle"}"#, CloseCode::Normal),
            (r#"{"event":"closed","reason":"deleted"}"#, CloseCode::Normal),
            (r#"{"error":{"code":"too_many","text":"later","retry_ms":1000}}"#, CloseCode::Again),
            (r#"{"error":{"code":"bad_request","text":"no"}}"#, CloseCode::Policy),
            (r#"{"id":1,"ok":{}}"#, CloseCode::Normal),
            ("", CloseCode::Normal),
        ] {
            assert_eq!(code_after(last, false), code, "{last}");
        }
        assert_eq!(code_after("", true), CloseCode::Error);
    }
}
