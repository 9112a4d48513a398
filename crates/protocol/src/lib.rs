//! The client protocol: one JSON object a line, as Rust types.
//!
//! These are *wire* types. They say what stands in a line and nothing about what it means: the
//! server turns a [`Request`] into a request of the core, the client library turns an [`Answer`]
//! into what its caller asked for. The protocol itself is described in `docs/protocol.md`.
//!
//! * [`request`]: what a client asks: [`Request`], [`Op`].
//! * [`answer`]: what a server answers: [`Answer`], and the `ok` object of each operation.
//! * [`date`]: days, as messages of both sides write them.
//! * [`event`]: what a server says unasked: [`Event`].
//! * [`error`]: why something was not done: [`Refusal`], [`Code`].
//! * [`mod@line`]: a line of the server, as a client reads it: [`ServerLine`].
//!
//! Unknown fields are ignored in both directions, so that either side can be newer.

pub mod answer;
pub mod date;
pub mod error;
pub mod event;
pub mod line;
pub mod request;

pub use answer::{Answer, RequestId};
pub use error::{Code, Refusal};
pub use event::Event;
pub use line::ServerLine;
pub use request::{Op, Request};
pub use uuid::Uuid;

/// The longest line (without its line feed) that either side may send, in bytes.
pub const LINE_BYTES: usize = 64 * 1024;

/// The version of the protocol, as exchanged by `hello`.
pub const VERSION: u32 = 1;
