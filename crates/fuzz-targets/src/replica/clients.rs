//! What a replica's clients ask and are told, over the wire's types as the server does it.

use std::collections::BTreeMap;

use lastword_core::Input;
use lastword_core::io::{Answer, ConnectionId, Event, Refusal, Request, Tag};
use lastword_protocol::{LINE_BYTES, Op, RequestId, ServerLine, event};
use lastword_server::wire::{self, Shape, Wire};

use super::Replica;

/// What clients wait for, and what they were told last.
#[derive(Default)]
pub(crate) struct Clients {
    asked: BTreeMap<(ConnectionId, Tag), (RequestId, Shape)>,
    last_tag: u64,
    /// Of the last message that came on each connection.
    last_pos: BTreeMap<ConnectionId, String>,
}

impl Clients {
    pub(super) fn answer(&mut self, connection: ConnectionId, tag: Tag, result: Result<Answer, Refusal>, wire: &Wire) {
        let (id, shape) = self.asked.remove(&(connection, tag)).expect("what was asked is answered once");
        let mut line = Vec::new();
        wire::write_answer(&mut line, id, shape, result, wire);
        read_back(&line);
    }

    pub(super) fn event(&mut self, connection: ConnectionId, event: &Event, wire: &Wire) {
        let mut line = Vec::new();
        wire::write_line(&mut line, &wire::event(event, wire));
        if let ServerLine::Event(event::Event::Message(message)) = read_back(&line) {
            self.last_pos.insert(connection, message.pos);
        }
    }
}

/// Reads what a client was written, as a client does.
pub(crate) fn read_back(line: &[u8]) -> ServerLine {
    let (end, line) = line.split_last().expect("a line is not empty");
    assert!(*end == b'\n' && !line.contains(&b'\n'), "it is one line");
    assert!(line.len() <= LINE_BYTES, "a line of {} bytes for a client", line.len());
    ServerLine::from_json(line).expect("a client can read it")
}

impl Replica {
    /// A client connects.
    pub(crate) fn open(&mut self, connection: ConnectionId) {
        if self.open.insert(connection) {
            self.give(Input::Opened(connection));
        }
    }

    /// A client's connection has ended.
    pub(crate) fn close(&mut self, connection: ConnectionId) {
        if self.open.remove(&connection) {
            self.inputs.push_back(Input::Closed(connection));
            self.clients.asked.retain(|(asked, _), _| *asked != connection);
        }
    }

    /// Whether it has not.
    pub(crate) fn is_open(&self, connection: ConnectionId) -> bool {
        self.open.contains(&connection)
    }

    /// A client asks; what comes of it is checked, and forgotten.
    pub(crate) fn ask(&mut self, connection: ConnectionId, id: RequestId, mut op: Op) {
        if !self.is_open(connection) {
            return;
        }
        let shape = Shape::of(&op);
        match wire::check(&mut op).and_then(|()| wire::request(op, &self.wire.seen_key)) {
            Ok(request) => self.request(connection, id, shape, request),
            Err(refusal) => drop(read_back(&lastword_server::refusal_line(Some(id), refusal))),
        }
    }

    /// The same, past the checks that the wire makes.
    pub(crate) fn request(&mut self, connection: ConnectionId, id: RequestId, shape: Shape, request: Request) {
        self.clients.last_tag += 1;
        let tag = Tag(self.clients.last_tag);
        self.clients.asked.insert((connection, tag), (id, shape));
        self.give(Input::Request(connection, tag, request));
    }

    /// Every request was answered, but for those of connections that have ended.
    pub(crate) fn assert_answered(&self) {
        assert!(self.clients.asked.is_empty(), "not answered: {:?}", self.clients.asked.keys());
    }

    /// The `pos` of the last message that came on a connection.
    pub(crate) fn last_pos(&self, connection: ConnectionId) -> Option<String> {
        self.clients.last_pos.get(&connection).cloned()
    }
}
