//! What a program calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use lastword_protocol::answer::{
    BlockedPage, ConversationsPage, Created, Done, HistoryPage, Listening, LoggedIn, Names, PendingPage, Sent, Status,
    Stored,
};
use lastword_protocol::request::Receiver;
use lastword_protocol::{Op, Uuid};
use tokio::sync::{mpsc, oneshot};

use crate::driver::{self, Command};
use crate::error::Error;
use crate::events::Events;
use crate::machine::Config;
use crate::tls::Tls;

/// Times and limits; the defaults suit people and bots alike.
pub type Options = Config;

/// A client of a group of replicas. Clones are handles to the same client; it ends when the last of
/// them and its [`Events`] are dropped, or at [`Client::close`].
///
/// Every command waits while no replica can be reached, up to [`Config::request_timeout`]. A command
/// whose future is dropped is carried out all the same.
#[derive(Clone)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    leader: Arc<Mutex<Option<String>>>,
}

/// The answer to a command that is on its way.
pub struct Answering<T> {
    answer: oneshot::Receiver<Result<Done, Error>>,
    read: fn(Done) -> Option<T>,
}

impl<T> Future for Answering<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Self::Output> {
        let read = self.read;
        Pin::new(&mut self.answer).poll(context).map(|answer| {
            let done = answer.map_err(|_| Error::Closed)??;
            Ok(read(done).expect("the machine reads each answer by its operation"))
        })
    }
}

/// Takes one kind of answer out of [`Done`].
macro_rules! done {
    ($kind:ident) => {
        |done| if let Done::$kind(answer) = done { Some(answer) } else { None }
    };
}

impl Client {
    /// Starts a client of these replicas (`HOST:PORT`, in the order of preference), and its stream of
    /// events. Returns at once; the replicas are dialled in the background, and commands wait for
    /// the first that answers. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`Error::BadAddress`] if there is no address, or one is not `HOST:PORT`.
    pub fn connect<A: Into<String>>(addresses: impl IntoIterator<Item = A>) -> Result<(Self, Events), Error> {
        Self::connect_with(addresses, Options::default())
    }

    /// As [`Client::connect`], with other times and limits.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect_with<A: Into<String>>(
        addresses: impl IntoIterator<Item = A>,
        options: Options,
    ) -> Result<(Self, Events), Error> {
        Self::connect_tls(addresses, options, None)
    }

    /// As [`Client::connect_with`], within TLS if `tls` is given. The replicas' certificates must be for the hosts as they stand in the
    /// addresses.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect_tls<A: Into<String>>(
        addresses: impl IntoIterator<Item = A>,
        options: Options,
        tls: Option<Tls>,
    ) -> Result<(Self, Events), Error> {
        let addresses: Vec<String> = addresses.into_iter().map(Into::into).collect();
        if addresses.is_empty() {
            return Err(Error::BadAddress("No replica was named: at least one HOST:PORT is needed.".into()));
        }
        if let Some(bad) = addresses.iter().find(|address| !is_address(address)) {
            return Err(Error::BadAddress(format!("`{bad}` is not HOST:PORT.")));
        }
        let (commands, events, leader) = driver::start(addresses, options, tls);
        let client = Self { commands, leader };
        Ok((client.clone(), Events::new(events, client)))
    }

    /// Makes an account, and logs in to it.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `name_taken`, `bad_name`, `bad_password`, `already_logged_in`.
    pub async fn create(&self, name: &str, password: &str) -> Result<Created, Error> {
        let op = Op::Create { name: name.into(), password: password.into(), key: Uuid::now_v7() };
        self.start(op, done!(Create)).await?.await
    }

    /// Logs in. The password is kept in memory, for a replica that does not know the session yet.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `wrong_login`, `already_logged_in`, `too_many`.
    pub async fn login(&self, name: &str, password: &str) -> Result<LoggedIn, Error> {
        self.start(Op::Login { name: name.into(), password: password.into() }, done!(Login)).await?.await
    }

    /// Ends the session, on every replica. `stored` and `of` are 0 where the replica that carried it out
    /// died before it could answer.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `not_logged_in`.
    pub async fn logout(&self) -> Result<Stored, Error> {
        self.start(Op::Logout { key: Uuid::now_v7() }, done!(Stored)).await?.await
    }

    /// Deletes the account. The answer is as [`Client::logout`]'s.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `not_logged_in`.
    pub async fn delete(&self) -> Result<Stored, Error> {
        self.start(Op::Delete { key: Uuid::now_v7() }, done!(Stored)).await?.await
    }

    /// Changes the password. The account's other sessions end.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `bad_password`, `not_logged_in`.
    pub async fn password(&self, old: &str, new: &str) -> Result<Stored, Error> {
        let op = Op::Password { old: old.into(), new: new.into(), key: Uuid::now_v7() };
        self.start(op, done!(Stored)).await?.await
    }

    /// Who is logged in, and how the group is.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn status(&self) -> Result<Status, Error> {
        self.start(Op::Status, done!(Status)).await?.await
    }

    /// The names that match a regular expression (`""`: all), `limit` of them, after the name `after`.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `bad_request` for a pattern that is none.
    pub async fn list(&self, pattern: &str, limit: Option<u32>, after: Option<&str>) -> Result<Names, Error> {
        let op = Op::List { pattern: pattern.into(), limit, after: after.map(Into::into) };
        self.start(op, done!(List)).await?.await
    }

    /// Sends a message to whoever has this name now. Once this returns, it is on disk.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `no_such_user`, `not_logged_in`, `too_long`, `storage_full`.
    pub async fn send(&self, to: &str, text: &str) -> Result<Sent, Error> {
        self.start_send(Uuid::now_v7(), to, text).await?.await
    }

    /// Sends a message with a key of the caller's, and returns when it is in the list of what is to be
    /// sent, without waiting for the answer: messages are sent in the order of these calls. The same
    /// key again is the same message, today or after a crash of this program.
    ///
    /// # Errors
    /// [`Error::Closed`]; all else comes from the [`Answering`].
    pub async fn start_send(&self, key: Uuid, to: &str, text: &str) -> Result<Answering<Sent>, Error> {
        let to = Receiver::Name(to.into());
        self.start(Op::Send { to, text: text.into(), key }, done!(Send)).await
    }

    /// What was sent and not delivered yet, oldest first, after the message `after`.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `not_logged_in`.
    pub async fn pending(&self, limit: Option<u32>, after: Option<&str>) -> Result<PendingPage, Error> {
        self.start(Op::Pending { limit, after: after.map(Into::into) }, done!(Pending)).await?.await
    }

    /// From now on messages come as events: first what waits, then what comes; also after failovers.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `not_logged_in`, and `too_many` where 16 connections of the account listen to that
    /// replica. After `too_many` the client asks again by itself: [`Event::Listening`](crate::Event::Listening) says when
    /// messages come.
    pub async fn listen(&self) -> Result<Listening, Error> {
        self.start(Op::Listen, done!(Listen)).await?.await
    }

    /// A conversation, newest first, before the position `before` of a message in it.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `no_such_user`, `not_logged_in`.
    pub async fn history(&self, with: &str, limit: Option<u32>, before: Option<&str>) -> Result<HistoryPage, Error> {
        let with = Receiver::Name(with.into());
        self.start(Op::History { with, limit, before: before.map(Into::into), bytes: None }, done!(History))
            .await?
            .await
    }

    /// The same, with whoever has this account id, also when that account was deleted.
    ///
    /// # Errors
    /// As [`Client::history`].
    pub async fn history_with_account(
        &self,
        account: &str,
        limit: Option<u32>,
        before: Option<&str>,
    ) -> Result<HistoryPage, Error> {
        let with = Receiver::Account(account.into());
        self.start(Op::History { with, limit, before: before.map(Into::into), bytes: None }, done!(History))
            .await?
            .await
    }

    /// Blocks somebody: what they write from then on is not shown to this account, and they are not told.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `no_such_user`, `not_logged_in`, `bad_request` for oneself, and for more than 1,000.
    pub async fn block(&self, who: &str) -> Result<Stored, Error> {
        let who = Receiver::Name(who.into());
        self.start(Op::Block { who, key: Uuid::now_v7() }, done!(Stored)).await?.await
    }

    /// Blocks somebody no more. What they wrote meanwhile does not come.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `no_such_user`, `not_logged_in`.
    pub async fn unblock(&self, who: &str) -> Result<Stored, Error> {
        let who = Receiver::Name(who.into());
        self.start(Op::Unblock { who, key: Uuid::now_v7() }, done!(Stored)).await?.await
    }

    /// Whom this account blocks, at most `limit` (100; at most 500), after the one with this account.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `not_logged_in`.
    pub async fn blocked(&self, limit: Option<u32>, after: Option<&str>) -> Result<BlockedPage, Error> {
        self.start(Op::Blocked { limit, after: after.map(Into::into) }, done!(Blocked)).await?.await
    }

    /// The conversations with the newest last messages, at most `limit` (100; at most 200): without `before`, from the
    /// newest on; with it, those whose last message is older than the one at this position, so that the `pos` of a
    /// page's last one gives the next page. From then on [`Event::Presence`](crate::Event::Presence) tells when one of
    /// the people in these pages, of the first 200, comes or goes, until this client moves to another replica
    /// ([`Event::Moved`](crate::Event::Moved)): then ask again.
    ///
    /// # Errors
    /// [`Error`]; of the server's: `not_logged_in`, `bad_request` for a `before` that is no position.
    pub async fn conversations(&self, limit: Option<u32>, before: Option<&str>) -> Result<ConversationsPage, Error> {
        let op = Op::Conversations { limit, before: before.map(Into::into) };
        self.start(op, done!(Conversations)).await?.await
    }

    /// Returns once a replica has answered, after everything that was asked before was sent.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn ping(&self) -> Result<(), Error> {
        self.start(Op::Ping, done!(Nothing)).await?.await.map(drop)
    }

    /// The name of the replica that commands go to now; `None` while none can be reached.
    pub fn leader(&self) -> Option<String> {
        self.leader.lock().ok()?.clone()
    }

    /// Ends the client now: what is unanswered fails with [`Error::Closed`], and the events end.
    pub async fn close(&self) {
        // If the driver has ended, there is nothing to do.
        let _ = self.commands.send(Command::Close).await;
    }

    async fn start<T>(&self, op: Op, read: fn(Done) -> Option<T>) -> Result<Answering<T>, Error> {
        let (sender, answer) = oneshot::channel();
        self.commands.send(Command::Do { op, answer: sender }).await.map_err(|_| Error::Closed)?;
        Ok(Answering { answer, read })
    }
}

/// `HOST:PORT`, also `[::1]:PORT`.
fn is_address(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        let bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        !host.is_empty() && bare && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in ["localhost:1", "127.0.0.1:65433", "[::1]:65433"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "localhost", ":1", "localhost:", "localhost:0", "localhost:65536", "::1:65433", "a:b"] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
