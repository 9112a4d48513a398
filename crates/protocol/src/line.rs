//! A line of the server, as a client reads it.
//!
//! What an `ok` object holds depends on what was asked, which only the client knows. So it is kept
//! as text here, and read by [`Reply::read`] into the type that fits the request.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::answer::RequestId;
use crate::error::{Code, Refusal};
use crate::event::Event;

/// One line of the server.
#[derive(Debug)]
pub enum ServerLine {
    /// The answer to a request.
    Reply(Reply),
    /// Something the server says unasked.
    Event(Event),
}

/// The answer to a request.
#[derive(Debug)]
pub struct Reply {
    /// The request's id; `None` where the server could not read it.
    pub id: Option<RequestId>,
    /// The `ok` object, unread, or the refusal.
    pub result: Result<Box<RawValue>, Refusal>,
}

impl Reply {
    /// Reads the `ok` object as the type that fits the request.
    ///
    /// # Errors
    /// The server's refusal; or [`Code::Internal`] where the object is not of that type.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Refusal> {
        let raw = self.result?;
        serde_json::from_str(raw.get())
            .map_err(|error| Refusal::new(Code::Internal, format!("The server's answer makes no sense: {error}.")))
    }
}

impl ServerLine {
    /// Reads one line (without its line feed).
    ///
    /// # Errors
    /// What is wrong with it: then the other side is no Lastword server.
    pub fn from_json(line: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Wire {
            id: Option<RequestId>,
            ok: Option<Box<RawValue>>,
            error: Option<Refusal>,
        }
        // Nearly all events are messages. As one of several it would be read into a tree first, to find out
        // which it is.
        if line.starts_with(b"{\"event\":\"message\",") {
            return serde_json::from_slice(line).map(|message| ServerLine::Event(Event::Message(message)));
        }
        // Only events begin so: an answer has no field of that name.
        if line.trim_ascii_start().starts_with(b"{\"event\"") {
            return serde_json::from_slice(line).map(ServerLine::Event);
        }
        let wire: Wire = serde_json::from_slice(line)?;
        let result = match (wire.ok, wire.error) {
            (Some(ok), None) => Ok(ok),
            (_, Some(refusal)) => Err(refusal),
            (None, None) => return serde_json::from_slice(line).map(ServerLine::Event),
        };
        Ok(ServerLine::Reply(Reply { id: wire.id, result }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Answer, Done, Message, Sent};
    use crate::event::{CloseReason, Presence, Receipt, ReceiptState};

    fn line(text: &str) -> ServerLine {
        ServerLine::from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_answer_is_read_back_as_it_was_written() {
        let sent = Sent {
            message: "m".into(),
            to_account: "a".into(),
            at: 5,
            seen: "s".into(),
            stored: 2,
            of: 3,
            online: false,
        };
        let answer = Answer { id: Some(RequestId::Number(3)), result: Ok(Done::Send(sent.clone())) };
        let text = serde_json::to_string(&answer).unwrap();
        assert!(text.starts_with(r#"{"id":3,"ok":{"message":"m","#), "{text}");
        let ServerLine::Reply(reply) = line(&text) else { panic!("{text}") };
        assert_eq!(reply.id, Some(RequestId::Number(3)));
        assert_eq!(reply.read::<Sent>(), Ok(sent));
    }

    #[test]
    fn a_refusal_is_read_back_and_unknown_codes_are_internal() {
        let ServerLine::Reply(reply) = line(r#"{"id":1,"error":{"code":"no_such_user","text":"x"}}"#) else { panic!() };
        assert_eq!(reply.result.unwrap_err().code, Code::NoSuchUser);
        let ServerLine::Reply(reply) = line(r#"{"id":1,"error":{"code":"new_one","text":"x"}}"#) else { panic!() };
        assert_eq!(reply.result.unwrap_err().code, Code::Internal);
    }

    #[test]
    fn a_message_is_read_back_as_it_was_written() {
        let of = |text: &str| Message {
            message: "m".into(),
            from: "alice".into(),
            from_account: "a".into(),
            to: "bob".into(),
            to_account: "b".into(),
            text: text.into(),
            at: 7,
            pos: "p".into(),
            seen: "s".into(),
        };
        for text in ["hi", "\"event\": \u{7} \n ü"] {
            let event = Event::Message(of(text));
            let json = serde_json::to_string(&event).unwrap();
            assert!(json.starts_with(r#"{"event":"message","#), "{json}");
            assert!(matches!(line(&json), ServerLine::Event(read) if read == event), "{json}");
        }
        assert!(ServerLine::from_json(br#"{"event":"message","text":"hi"}"#).is_err(), "fields are missing");
    }

    #[test]
    fn events_are_told_from_answers_wherever_their_name_stands() {
        let receipt = Event::Receipt(Receipt { message: "m".into(), to: "b".into(), state: ReceiptState::Delivered });
        let text = serde_json::to_string(&receipt).unwrap();
        assert_eq!(text, r#"{"event":"receipt","message":"m","to":"b","state":"delivered"}"#);
        assert!(matches!(line(&text), ServerLine::Event(event) if event == receipt));
        let presence = Event::Presence(Presence { account: "01".into(), name: "b".into(), online: false });
        let text = serde_json::to_string(&presence).unwrap();
        assert_eq!(text, r#"{"event":"presence","account":"01","name":"b","online":false}"#);
        assert!(matches!(line(&text), ServerLine::Event(event) if event == presence));
        let turned = r#"{"reason":"slow","event":"closed"}"#;
        assert!(
            matches!(line(turned), ServerLine::Event(Event::Closed { reason: CloseReason::Slow })),
            "fields have no order"
        );
        assert!(matches!(line(r#"{"event":"later","x":1}"#), ServerLine::Event(Event::Unknown)));
    }
}
