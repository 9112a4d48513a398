//! What things are counted by: each a small set that is known beforehand, so that no client can make it grow.

use lastword_protocol::{Code, Op};

use crate::stream::Stream;

/// One of a small set, by which something is counted.
pub(crate) trait Label: Copy + 'static {
    /// What the label is called.
    const NAME: &'static str;
    /// All there are.
    const ALL: &'static [Self];
    /// Its value.
    fn text(self) -> &'static str;
    /// Its place in [`Label::ALL`].
    fn place(self) -> usize;
}

/// Labels that are enums of their own.
macro_rules! labels {
    ($($(#[$doc:meta])* $label:ident($name:literal) { $($variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $label { $($variant,)* }

        impl Label for $label {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            fn place(self) -> usize {
                self as usize
            }
        }
    )*};
}

labels! {
    /// What is asked.
    Operation("op") {
        Hello = "hello",
        Create = "create",
        Login = "login",
        Resume = "resume",
        Logout = "logout",
        Delete = "delete",
        Password = "password",
        Status = "status",
        List = "list",
        Send = "send",
        Pending = "pending",
        Block = "block",
        Unblock = "unblock",
        Blocked = "blocked",
        Listen = "listen",
        Delivered = "delivered",
        History = "history",
        Conversations = "conversations",
        Ping = "ping",
    }

    /// What it costs to answer.
    Kind("kind") {
        Send = "send",
        Password = "password",
        Read = "read",
        Delivered = "delivered",
        Other = "other",
    }

    /// The protocol that a client speaks.
    Front("front") {
        Lines = "lines",
        Tls = "tls",
        WebSocket = "websocket",
        Http = "http",
    }

    /// Why the server ended a client's connection.
    Ended("reason") {
        Slow = "slow",
        Stuck = "stuck",
        Deleted = "deleted",
        LoggedOut = "logged_out",
        Idle = "idle",
        Shutdown = "shutdown",
    }

    /// What came of a password hash.
    Hashing("outcome") {
        Done = "done",
        Refused = "refused",
    }

    /// Why answers wait no more for a replica.
    Left("reason") {
        Disconnected = "disconnected",
        Silent = "silent",
        Slow = "slow",
    }

    /// What the core has reported.
    Told("kind") {
        Damaged = "damaged",
        Repaired = "repaired",
        Lost = "lost",
        Ignored = "ignored",
        NotUnderstood = "not_understood",
        WrongGroup = "wrong_group",
        HoldFull = "hold_full",
        Clock = "clock",
    }
}

impl Front {
    /// By what the protocol's lines come through.
    pub(crate) fn of(stream: &Stream) -> Self {
        match stream {
            Stream::Plain(_) => Self::Lines,
            Stream::Tls(_) => Self::Tls,
            Stream::Pipe(_) => Self::WebSocket,
        }
    }
}

impl Operation {
    /// What a request asks.
    pub(crate) fn of(op: &Op) -> Self {
        match op {
            Op::Hello { .. } => Self::Hello,
            Op::Create { .. } => Self::Create,
            Op::Login { .. } => Self::Login,
            Op::Resume { .. } => Self::Resume,
            Op::Logout { .. } => Self::Logout,
            Op::Delete { .. } => Self::Delete,
            Op::Password { .. } => Self::Password,
            Op::Status => Self::Status,
            Op::List { .. } => Self::List,
            Op::Send { .. } => Self::Send,
            Op::Pending { .. } => Self::Pending,
            Op::Block { .. } => Self::Block,
            Op::Unblock { .. } => Self::Unblock,
            Op::Blocked { .. } => Self::Blocked,
            Op::Listen => Self::Listen,
            Op::Delivered { .. } => Self::Delivered,
            Op::History { .. } => Self::History,
            Op::Conversations { .. } => Self::Conversations,
            Op::Ping => Self::Ping,
        }
    }

    /// What it costs to answer.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Send => Kind::Send,
            Self::Create | Self::Login | Self::Password => Kind::Password,
            Self::List | Self::Pending | Self::History | Self::Conversations => Kind::Read,
            // Gathered for up to 100 ms: among the others it would hide how long those take.
            Self::Delivered => Kind::Delivered,
            _ => Kind::Other,
        }
    }
}

impl Label for Code {
    const NAME: &'static str = "code";
    const ALL: &'static [Self] = &[
        Self::BadRequest,
        Self::TooLong,
        Self::NotLoggedIn,
        Self::AlreadyLoggedIn,
        Self::NameTaken,
        Self::BadName,
        Self::BadPassword,
        Self::WrongLogin,
        Self::NoSuchUser,
        Self::TooMany,
        Self::StorageFull,
        Self::Unavailable,
        Self::Closed,
        Self::Internal,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::TooLong => "too_long",
            Self::NotLoggedIn => "not_logged_in",
            Self::AlreadyLoggedIn => "already_logged_in",
            Self::NameTaken => "name_taken",
            Self::BadName => "bad_name",
            Self::BadPassword => "bad_password",
            Self::WrongLogin => "wrong_login",
            Self::NoSuchUser => "no_such_user",
            Self::TooMany => "too_many",
            Self::StorageFull => "storage_full",
            Self::Unavailable => "unavailable",
            Self::Closed => "closed",
            Self::Internal => "internal",
        }
    }

    fn place(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_is_at_its_place<L: Label>() {
        for (place, label) in L::ALL.iter().enumerate() {
            assert_eq!(label.place(), place, "{}", label.text());
        }
    }

    #[test]
    fn codes_are_told_by_their_names_on_the_wire() {
        each_is_at_its_place::<Code>();
        each_is_at_its_place::<Operation>();
        for code in Code::ALL {
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{}\"", code.text()));
        }
    }
}
