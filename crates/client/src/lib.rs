//! The client library of Lastword.
//!
//! A [`Client`] holds a connection to every replica of a group, in the order given. It speaks to one
//! of them, the *leader*; when that one is lost, the next is promoted, and everything that may not
//! have arrived is sent again with the same keys, so that it is done once. The caller sees a pause
//! of a few milliseconds, or nothing at all.
//!
//! ```no_run
//! # async fn run() -> Result<(), lastword_client::Error> {
//! use lastword_client::{Client, Event};
//!
//! let (client, mut events) = Client::connect(["127.0.0.1:65433", "127.0.0.1:65434"])?;
//! client.login("bot", "secret").await?;
//! client.listen().await?;
//! let sent = client.send("bob", "hi").await?;
//! println!("on {} of {} replicas", sent.stored, sent.of);
//! while let Some(event) = events.next().await {
//!     if let Event::Message(message) = event {
//!         println!("{}: {}", message.from, message.text);
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! Two layers:
//!
//! * [`machine`]: what to do when: a state machine without sockets, clock or randomness, so that a
//!   simulator can drive it.
//! * [`Client`] and [`Events`]: the same on tokio, over TCP or [TLS](Tls).
//!
//! What it promises: a command that was answered was done; one that failed with [`Error::Refused`],
//! [`Error::NoReplica`] or [`Error::TooMany`] was not; one that failed with [`Error::NoAnswer`] may
//! have been. Sends arrive in the order given. Messages come once, and are confirmed to the server
//! when the caller is done with them (see [`Events::next`]).

mod ask;
mod client;
mod connection;
#[doc(hidden)]
pub mod cutting;
mod driver;
mod error;
mod event;
mod events;
pub mod machine;
mod tls;

pub use ask::ask_hello;
pub use client::{Answering, Client, Options};
pub use error::Error;
pub use event::{Event, LogoutReason};
pub use events::Events;
pub use lastword_protocol as protocol;
pub use tls::Tls;
