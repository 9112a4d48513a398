//! The same for programs: `docs/chat.md` describes it.

use lastword_client::protocol::Code;
use lastword_client::protocol::answer::{Message, PendingMessage, Replica, ReplicaState, Sent, Status};
use lastword_client::protocol::event::ReceiptState;
use lastword_client::{Error, Event, LogoutReason};
use serde_json::{Value, json};

pub(super) fn message(message: &Message) -> Value {
    let Message { message, from, from_account, to, to_account, text, at, .. } = message;
    json!({
        "message": message, "from": from, "from_account": from_account, "to": to, "to_account": to_account,
        "text": text, "at": at,
    })
}

pub(super) fn pending(message: &PendingMessage) -> Value {
    let PendingMessage { message, to, text, at } = message;
    json!({ "message": message, "to": to, "text": text, "at": at })
}

pub(super) fn sent(sent: &Sent) -> Value {
    let Sent { message, to_account, at, stored, of, online, .. } = sent;
    json!({ "message": message, "to_account": to_account, "at": at, "stored": stored, "of": of, "online": online })
}

pub(super) fn status(status: &Status) -> Value {
    let Status { name, replica, stale, disk_full, replicas } = status;
    let replicas = self::replicas(replicas);
    json!({ "name": name, "replica": replica, "stale": stale, "disk_full": disk_full, "replicas": replicas })
}

fn replicas(replicas: &[Replica]) -> Value {
    let state = |state| match state {
        ReplicaState::Own => "self",
        ReplicaState::InSync => "in_sync",
        ReplicaState::CatchingUp => "catching_up",
        ReplicaState::Down => "down",
        ReplicaState::Unknown => "unknown",
    };
    let one =
        |replica: &Replica| json!({ "name": replica.name, "address": replica.address, "state": state(replica.state) });
    replicas.iter().map(one).collect()
}

/// Why a session is over.
pub(super) fn reason(reason: LogoutReason) -> &'static str {
    match reason {
        LogoutReason::Deleted => "deleted",
        LogoutReason::LoggedOut => "logged_out",
        _ => "refused",
    }
}

/// Events that a person is not told of; `None` for those that nobody is told of.
pub(super) fn other(event: &Event) -> Option<Value> {
    Some(match event {
        Event::Receipt(receipt) => {
            let state = if receipt.state == ReceiptState::Delivered { "delivered" } else { "unknown" };
            json!({ "event": "receipt", "message": receipt.message, "to": receipt.to, "state": state })
        }
        Event::Replicas { replicas, stale } => {
            json!({ "event": "replicas", "stale": stale, "replicas": self::replicas(replicas) })
        }
        _ => return None,
    })
}

/// The code of an error: the server's, or one of the client's own.
pub(super) fn code(error: &Error) -> String {
    let own = match error {
        Error::Refused(refusal) => return server_code(refusal.code),
        Error::NoReplica { .. } => "no_server",
        Error::NoAnswer { .. } => "no_answer",
        Error::TooMany { .. } => "too_many",
        _ => "internal",
    };
    own.to_owned()
}

fn server_code(code: Code) -> String {
    match serde_json::to_value(code) {
        Ok(Value::String(code)) => code,
        _ => "internal".to_owned(),
    }
}
