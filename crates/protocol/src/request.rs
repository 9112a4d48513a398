//! What a client asks.
//!
//! A line is read into a flat struct of optional fields and then made an [`Op`], which has just the
//! fields that the operation needs. (Serde's tagged enums would build a tree in between.)

use std::borrow::Cow;

use serde::de::Unexpected;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::answer::RequestId;
use crate::error::{Code, Refusal};

/// One request: what to do, and the number by which its answer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Drawn by the client; the answer carries it.
    pub id: RequestId,
    /// What to do.
    pub op: Op,
}

/// The operations of the protocol. (Shown as its name alone: what it carries is nobody's business.)
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of docs/protocol.md, by the same names")]
pub enum Op {
    Hello { version: u32 },
    Create { name: String, password: String, key: Uuid },
    Login { name: String, password: String },
    Resume { token: String, seen: Option<String> },
    Logout { key: Uuid },
    Delete { key: Uuid },
    Password { old: String, new: String, key: Uuid },
    Status,
    List { pattern: String, limit: Option<u32>, after: Option<String> },
    Send { to: Receiver, text: String, key: Uuid },
    Pending { limit: Option<u32>, after: Option<String> },
    Block { who: Receiver, key: Uuid },
    Unblock { who: Receiver, key: Uuid },
    Blocked { limit: Option<u32>, after: Option<String> },
    Listen,
    Delivered { upto: String },
    History { with: Receiver, limit: Option<u32>, before: Option<String>, bytes: Option<u32> },
    Conversations { limit: Option<u32>, before: Option<String> },
    Ping,
}

/// Somebody whom a request is about: to whom a message goes, with whom a conversation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    /// Whoever has this name now (`to`, `with`, `who`).
    Name(String),
    /// The account with this id (`to_account`, `with_account`, `who_account`).
    Account(String),
}

/// The line as it stands on the wire.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Wire<'a> {
    id: Option<RequestId>,
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upto: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    with_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    who_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u32>,
}

/// A string that no error quotes: of what is no string, serde would show the value.
#[derive(Serialize)]
struct Secret(String);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> serde::de::Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret(text.to_owned()))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Secret, E> {
        Err(E::invalid_type(Unexpected::Other("number"), &self))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Secret, E> {
        Err(E::invalid_type(Unexpected::Other("number"), &self))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Secret, E> {
        Err(E::invalid_type(Unexpected::Other("number"), &self))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Secret, E> {
        Err(E::invalid_type(Unexpected::Other("boolean"), &self))
    }
}

/// Why a line is not a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The request's id, where it could be read.
    pub id: Option<RequestId>,
    /// What to answer.
    pub refusal: Refusal,
    /// The line is no JSON object at all: the connection is to be closed after the answer.
    pub fatal: bool,
}

impl Request {
    /// Reads one line (without its line feed).
    ///
    /// # Errors
    /// A [`BadLine`], which says what to answer and whether the connection can go on.
    pub fn from_json(line: &[u8]) -> Result<Self, BadLine> {
        // Serde would read a list as a struct, too.
        if !line.trim_ascii_start().starts_with(b"{") {
            return Err(not_an_object(line));
        }
        let mut wire: Wire = serde_json::from_slice(line).map_err(|error| bad_line(line, &error))?;
        let id = wire.id.take();
        match (id, wire.into_op()) {
            (Some(id), Ok(op)) => Ok(Self { id, op }),
            (id, Err(refusal)) => Err(BadLine { id, refusal, fatal: false }),
            (None, Ok(_)) => Err(BadLine {
                id: None,
                refusal: Refusal::new(Code::BadRequest, "The request has no `id`: give it a number of your own."),
                fatal: false,
            }),
        }
    }

    /// Writes the request as one JSON object, without a line feed, at the end of `into`.
    pub fn write_json(&self, into: &mut Vec<u8>) {
        let wire = self.op.as_wire(self.id.clone());
        serde_json::to_writer(into, &wire).expect("strings and numbers always become JSON");
    }
}

/// Tells a line that is no JSON object from one that is, but has a field of the wrong type.
fn bad_line(line: &[u8], error: &serde_json::Error) -> BadLine {
    #[derive(Deserialize)]
    struct OnlyId {
        #[serde(default)]
        id: Option<RequestId>,
    }
    #[derive(Deserialize)]
    struct AnyObject {}
    if std::str::from_utf8(line).is_err() || serde_json::from_slice::<AnyObject>(line).is_err() {
        return not_an_object(line);
    }
    let id = serde_json::from_slice::<OnlyId>(line).ok().and_then(|only| only.id);
    let refusal = Refusal::new(Code::BadRequest, format!("A field of the request is not right: {error}."));
    BadLine { id, refusal, fatal: false }
}

fn not_an_object(line: &[u8]) -> BadLine {
    let text = match std::str::from_utf8(line) {
        Err(_) => "This is not UTF-8: send one JSON object a line.",
        Ok(_) => "This is not a JSON object: send one a line.",
    };
    BadLine { id: None, refusal: Refusal::new(Code::BadRequest, text), fatal: true }
}

impl Wire<'_> {
    fn into_op(self) -> Result<Op, Refusal> {
        let op = self.op.as_ref();
        let missing = |field: &str| Refusal::new(Code::BadRequest, format!("`{op}` needs the field `{field}`."));
        let text = |value: Option<String>, field: &str| value.ok_or_else(|| missing(field));
        let secret = |value: Option<Secret>, field: &str| value.map(|value| value.0).ok_or_else(|| missing(field));
        let key = self.key.ok_or_else(|| missing("key"));
        Ok(match op {
            "hello" => Op::Hello { version: self.version.unwrap_or(crate::VERSION) },
            "create" => {
                Op::Create { name: text(self.name, "name")?, password: secret(self.password, "password")?, key: key? }
            }
            "login" => Op::Login { name: text(self.name, "name")?, password: secret(self.password, "password")? },
            "resume" => Op::Resume { token: secret(self.token, "token")?, seen: self.seen },
            "logout" => Op::Logout { key: key? },
            "delete" => Op::Delete { key: key? },
            "password" => Op::Password { old: secret(self.old, "old")?, new: secret(self.new, "new")?, key: key? },
            "status" => Op::Status,
            "list" => Op::List { pattern: self.pattern.unwrap_or_default(), limit: self.limit, after: self.after },
            "send" => {
                let to = match (self.to_account, self.to) {
                    (Some(account), _) => Receiver::Account(account),
                    (None, Some(name)) => Receiver::Name(name),
                    (None, None) => return Err(missing("to")),
                };
                Op::Send { to, text: secret(self.text, "text")?, key: key? }
            }
            "pending" => Op::Pending { limit: self.limit, after: self.after },
            "block" | "unblock" => {
                let who = match (self.who_account, self.who) {
                    (Some(account), _) => Receiver::Account(account),
                    (None, Some(name)) => Receiver::Name(name),
                    (None, None) => return Err(missing("who")),
                };
                if op == "block" { Op::Block { who, key: key? } } else { Op::Unblock { who, key: key? } }
            }
            "blocked" => Op::Blocked { limit: self.limit, after: self.after },
            "listen" => Op::Listen,
            "delivered" => Op::Delivered { upto: text(self.upto, "upto")? },
            "history" => {
                let with = match (self.with_account, self.with) {
                    (Some(account), _) => Receiver::Account(account),
                    (None, Some(name)) => Receiver::Name(name),
                    (None, None) => return Err(missing("with")),
                };
                Op::History { with, limit: self.limit, before: self.before, bytes: self.bytes }
            }
            "conversations" => Op::Conversations { limit: self.limit, before: self.before },
            "ping" => Op::Ping,
            "" => return Err(Refusal::new(Code::BadRequest, "The request has no `op`.")),
            unknown => {
                let unknown: String = unknown.chars().take(40).collect();
                return Err(Refusal::new(Code::BadRequest, format!("There is no operation `{unknown}`.")));
            }
        })
    }
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Op {
    /// The operation's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Hello { .. } => "hello",
            Op::Create { .. } => "create",
            Op::Login { .. } => "login",
            Op::Resume { .. } => "resume",
            Op::Logout { .. } => "logout",
            Op::Delete { .. } => "delete",
            Op::Password { .. } => "password",
            Op::Status => "status",
            Op::List { .. } => "list",
            Op::Send { .. } => "send",
            Op::Pending { .. } => "pending",
            Op::Block { .. } => "block",
            Op::Unblock { .. } => "unblock",
            Op::Blocked { .. } => "blocked",
            Op::Listen => "listen",
            Op::Delivered { .. } => "delivered",
            Op::History { .. } => "history",
            Op::Conversations { .. } => "conversations",
            Op::Ping => "ping",
        }
    }

    fn as_wire(&self, id: RequestId) -> Wire<'static> {
        let mut wire = Wire { id: Some(id), op: Cow::Borrowed(self.name()), ..Wire::default() };
        match self.clone() {
            Op::Hello { version } => wire.version = Some(version),
            Op::Create { name, password, key } => {
                (wire.name, wire.password, wire.key) = (Some(name), Some(Secret(password)), Some(key));
            }
            Op::Login { name, password } => (wire.name, wire.password) = (Some(name), Some(Secret(password))),
            Op::Resume { token, seen } => (wire.token, wire.seen) = (Some(Secret(token)), seen),
            Op::Logout { key } | Op::Delete { key } => wire.key = Some(key),
            Op::Password { old, new, key } => {
                (wire.old, wire.new, wire.key) = (Some(Secret(old)), Some(Secret(new)), Some(key))
            }
            Op::List { pattern, limit, after } => {
                (wire.pattern, wire.limit, wire.after) = (Some(pattern), limit, after);
            }
            Op::Send { to, text, key } => {
                match to {
                    Receiver::Name(name) => wire.to = Some(name),
                    Receiver::Account(account) => wire.to_account = Some(account),
                }
                (wire.text, wire.key) = (Some(Secret(text)), Some(key));
            }
            Op::Pending { limit, after } | Op::Blocked { limit, after } => (wire.limit, wire.after) = (limit, after),
            Op::Block { who, key } | Op::Unblock { who, key } => {
                match who {
                    Receiver::Name(name) => wire.who = Some(name),
                    Receiver::Account(account) => wire.who_account = Some(account),
                }
                wire.key = Some(key);
            }
            Op::Delivered { upto } => wire.upto = Some(upto),
            Op::History { with, limit, before, bytes } => {
                match with {
                    Receiver::Name(name) => wire.with = Some(name),
                    Receiver::Account(account) => wire.with_account = Some(account),
                }
                (wire.limit, wire.before, wire.bytes) = (limit, before, bytes);
            }
            Op::Conversations { limit, before } => (wire.limit, wire.before) = (limit, before),
            Op::Status | Op::Listen | Op::Ping => {}
        }
        wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Request, BadLine> {
        Request::from_json(line.as_bytes())
    }

    #[test]
    fn every_operation_is_read_back_as_it_was_written() {
        let key = Uuid::from_u128(7);
        let ops = [
            Op::Hello { version: 1 },
            Op::Create { name: "a".into(), password: "\"\\".into(), key },
            Op::Login { name: "a".into(), password: "ä".into() },
            Op::Resume { token: "t".into(), seen: None },
            Op::Resume { token: "t".into(), seen: Some("s".into()) },
            Op::Logout { key },
            Op::Delete { key },
            Op::Password { old: "o".into(), new: "n".into(), key },
            Op::Status,
            Op::List { pattern: ".*".into(), limit: Some(3), after: Some("b".into()) },
            Op::Send { to: Receiver::Name("b".into()), text: "hi\n".into(), key },
            Op::Send { to: Receiver::Account("00".into()), text: String::new(), key },
            Op::Pending { limit: None, after: None },
            Op::Block { who: Receiver::Name("b".into()), key },
            Op::Unblock { who: Receiver::Account("00".into()), key },
            Op::Blocked { limit: Some(3), after: Some("00".into()) },
            Op::Listen,
            Op::Delivered { upto: "p".into() },
            Op::History {
                with: Receiver::Name("b".into()),
                limit: Some(1),
                before: Some("p".into()),
                bytes: Some(9000),
            },
            Op::History { with: Receiver::Account("00".into()), limit: None, before: None, bytes: None },
            Op::Conversations { limit: Some(200), before: None },
            Op::Conversations { limit: None, before: Some("p".into()) },
            Op::Ping,
        ];
        for op in ops {
            let request = Request { id: RequestId::Number(9), op };
            let mut line = Vec::new();
            request.write_json(&mut line);
            assert_eq!(Request::from_json(&line), Ok(request), "{}", String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_ids_may_be_strings() {
        let request = read(r#"{"op":"ping","id":"x-1","colour":{"deep":[1,2]}}"#).unwrap();
        assert_eq!(request, Request { id: RequestId::Text("x-1".into()), op: Op::Ping });
    }

    #[test]
    fn wrong_types_and_missing_fields_are_refused_with_the_id() {
        for (line, word) in [
            (r#"{"id":4,"op":"send","to":5,"text":"x"}"#, "not right"),
            (r#"{"id":4,"op":"send","to":"b","text":"x"}"#, "`key`"),
            (r#"{"id":4,"op":"send","to":"b","text":"x","key":"zz"}"#, "not right"),
            (r#"{"id":4,"op":"fly"}"#, "`fly`"),
            (r#"{"id":4}"#, "`op`"),
        ] {
            let bad = read(line).unwrap_err();
            assert_eq!(bad.id, Some(RequestId::Number(4)), "{line}");
            assert!(!bad.fatal, "{line}");
            assert!(bad.refusal.text.contains(word), "{line}: {}", bad.refusal.text);
        }
    }

    /// Somebody whose password is a number, and who forgot the quotes, does not read it in a log of errors.
    #[test]
    fn no_error_quotes_a_secret() {
        for field in ["password", "old", "new", "token", "text"] {
            for value in ["8675309", "-8675309", "86753.5", r#"{"8675309":1}"#, "[8675309]", "true"] {
                let line = format!(r#"{{"id":4,"op":"login","name":"a","{field}":{value}}}"#);
                let text = read(&line).unwrap_err().refusal.text;
                assert!(
                    text.contains("expected a string") && !text.contains("867") && !text.contains("true"),
                    "{text}"
                );
            }
        }
        let login = Op::Login { name: "alice".into(), password: "8675309".into() };
        assert_eq!(format!("{login:?}"), "login");
    }

    #[test]
    fn what_is_no_json_object_ends_the_connection() {
        for line in [&b"hello"[..], b"[1]", b"{\"id\":1", b"\xff\xfe", b"{\"id\":1,\"op\":\"\xff\"}", b"7"] {
            assert!(Request::from_json(line).unwrap_err().fatal, "{}", String::from_utf8_lossy(line));
        }
    }
}
