//! How long what a client sends may be: judged as soon as it is read, before it waits for anything.
//!
//! Each field has a longest value that can mean anything. What is longer is refused here, or cut where that changes nothing,
//! so that a request that waits is as small as it has to be: a line of 64 KiB can't stand in a queue as a password.

use lastword_core::pattern::PATTERN_BYTES;
use lastword_facts::limits;
use lastword_protocol::request::Receiver;
use lastword_protocol::{Code, Op, Refusal};

use super::convert::fits_a_line;

/// No name is longer, also with what a split adds to it, in bytes. (Those of accounts are shorter: `Name` judges them.)
const NAME_BYTES: usize = 64;
/// No token, `pos` or id is longer, in bytes.
const OPAQUE_BYTES: usize = 256;
/// About what a request takes in memory beside its texts, in bytes.
const REQUEST_BYTES: usize = 200;

/// Refuses what is longer than anything that can be meant.
///
/// # Errors
/// Which field, and what its limit is; or what is answered where nothing is known by that value.
pub fn check(op: &mut Op) -> Result<(), Refusal> {
    match op {
        Op::Create { name, password, .. } => {
            if name.len() > NAME_BYTES {
                let error = lastword_facts::Name::new(name).err().map(|error| error.to_string());
                return Err(Refusal::new(Code::BadName, error.unwrap_or_default()));
            }
            check_password(password)
        }
        Op::Login { name, password } => {
            if name.len() > NAME_BYTES {
                return Err(Refusal::new(Code::WrongLogin, lastword_core::io::Refusal::WrongLogin.to_string()));
            }
            check_password(password)
        }
        Op::Password { old, new, .. } => check_password(old).and_then(|()| check_password(new)),
        Op::Resume { token, seen } => {
            // One that can't be read says nothing.
            seen.take_if(|seen| seen.len() > OPAQUE_BYTES);
            if token.len() > OPAQUE_BYTES {
                return Err(Refusal::new(Code::WrongLogin, lastword_core::io::Refusal::WrongLogin.to_string()));
            }
            Ok(())
        }
        Op::List { pattern, after, .. } => {
            if pattern.len() > PATTERN_BYTES {
                return Err(Refusal::new(Code::TooLong, format!("A pattern has at most {PATTERN_BYTES} bytes.")));
            }
            if let Some(after) = after.as_mut().filter(|after| after.len() > NAME_BYTES) {
                // What follows on the name follows on its beginning, too.
                after.truncate(after.floor_char_boundary(NAME_BYTES));
                after.shrink_to_fit();
            }
            Ok(())
        }
        Op::Send { to, text, .. } => {
            let (Receiver::Name(to) | Receiver::Account(to)) = to;
            if text.len() > limits::TEXT_BYTES {
                return Err(Refusal::new(Code::TooLong, "A message has at most 16,384 bytes of text (UTF-8)."));
            }
            if !fits_a_line(text) {
                return Err(Refusal::new(Code::TooLong, "This text is too long when it is written as JSON."));
            }
            if to.len() > NAME_BYTES {
                return Err(Refusal::new(Code::NoSuchUser, "The recipient user does not exist."));
            }
            Ok(())
        }
        Op::Pending { after, .. } => check_opaque(after.as_deref(), "after", "`message` of a pending message"),
        Op::Block { who, .. } | Op::Unblock { who, .. } => {
            let (Receiver::Name(who) | Receiver::Account(who)) = who;
            if who.len() > NAME_BYTES {
                return Err(Refusal::new(Code::NoSuchUser, "There is no user of that name."));
            }
            Ok(())
        }
        Op::Blocked { after, .. } => check_opaque(after.as_deref(), "after", "`account` of somebody who is blocked"),
        Op::Delivered { upto } => check_opaque(Some(upto), "upto", "`pos` of a message"),
        Op::Conversations { before, .. } => check_opaque(before.as_deref(), "before", "`pos` of a message"),
        Op::History { with, before, .. } => {
            let (Receiver::Name(with) | Receiver::Account(with)) = with;
            if with.len() > NAME_BYTES {
                return Err(Refusal::new(Code::NoSuchUser, "There is no user of that name."));
            }
            check_opaque(before.as_deref(), "before", "`pos` of a message")
        }
        Op::Hello { .. } | Op::Status | Op::Listen | Op::Ping | Op::Logout { .. } | Op::Delete { .. } => Ok(()),
    }
}

fn check_password(password: &str) -> Result<(), Refusal> {
    if password.len() > limits::PASSWORD_BYTES {
        return Err(Refusal::new(Code::TooLong, "A password has at most 1,024 bytes."));
    }
    Ok(())
}

fn check_opaque(value: Option<&str>, field: &str, what: &str) -> Result<(), Refusal> {
    if value.is_some_and(|value| value.len() > OPAQUE_BYTES) {
        return Err(Refusal::new(Code::BadRequest, format!("`{field}` is not the {what}.")));
    }
    Ok(())
}

/// About how many bytes a request takes while it waits, and until it is answered.
pub(super) fn weight(op: &Op) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    REQUEST_BYTES
        + match op {
            Op::Create { name, password, .. } | Op::Login { name, password } => name.len() + password.len(),
            Op::Password { old, new, .. } => old.len() + new.len(),
            Op::Resume { token, seen } => token.len() + length(seen),
            Op::List { pattern, after, .. } => pattern.len() + length(after),
            Op::Send { text, .. } => text.len(),
            Op::History { with: Receiver::Name(with) | Receiver::Account(with), before, .. } => {
                with.len() + length(before)
            }
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use lastword_protocol::Uuid;

    use super::*;

    /// What is left of an operation with a text of so many bytes in every field that has one.
    fn checked(op: &mut Op) -> Option<usize> {
        check(op).is_ok().then(|| weight(op))
    }

    /// A line may be as long as 64 KiB: nothing but a message is let wait with more than 3 KiB.
    #[test]
    fn nothing_long_is_let_wait() {
        let (long, key) = ("x".repeat(60_000), Uuid::from_u128(1));
        let to = |to: &str| Receiver::Name(to.to_owned());
        let (short, text) = ("bob".to_owned(), "x".repeat(16_384));
        for mut op in [
            Op::Create { name: long.clone(), password: short.clone(), key },
            Op::Create { name: short.clone(), password: long.clone(), key },
            Op::Login { name: long.clone(), password: short.clone() },
            Op::Login { name: short.clone(), password: long.clone() },
            Op::Resume { token: long.clone(), seen: None },
            Op::Password { old: long.clone(), new: short.clone(), key },
            Op::Password { old: short.clone(), new: long.clone(), key },
            Op::List { pattern: long.clone(), limit: None, after: None },
            Op::Send { to: to(&long), text: short.clone(), key },
            Op::Send { to: Receiver::Account(long.clone()), text: short.clone(), key },
            Op::Send { to: to("bob"), text: long.clone(), key },
            Op::Pending { limit: None, after: Some(long.clone()) },
            Op::Delivered { upto: long.clone() },
            Op::History { with: to(&long), limit: None, before: None, bytes: None },
            Op::History { with: to(&short), limit: None, before: Some(long.clone()), bytes: None },
            Op::Conversations { limit: None, before: Some(long.clone()) },
        ] {
            assert_eq!(checked(&mut op), None, "{op:?}");
        }
        let mut cut = Op::List { pattern: String::new(), limit: None, after: Some("ü".repeat(60_000)) };
        assert!(checked(&mut cut).is_some_and(|weight| weight < 400));
        let mut cut = Op::Resume { token: short.clone(), seen: Some(long) };
        assert!(checked(&mut cut).is_some_and(|weight| weight < 400));
        assert!(checked(&mut Op::Send { to: to("bob"), text, key }).is_some());
        let mut longest = Op::Login { name: short, password: "x".repeat(1024) };
        assert!(checked(&mut longest).is_some_and(|weight| weight < 3 * 1024));
    }
}
