//! Storage: the log of facts, which is the only truth, and the views made from it. Both are SQLite.
//!
//! * [`DataDir`]: a data directory, locked: a second server on it is refused.
//! * [`Log`]: `log.db`, append-only, one transaction and one sync a batch, a checksum a record.
//! * [`LogReader`]: reads the log, on a connection of its own, beside the appending.
//! * [`Views`]: `views.db`: accounts, pending messages, conversations. Written behind the log without
//!   sync, thrown away and made anew whenever there is any doubt about it.
//!
//! No threads and no waiting of its own: the server runs [`Log`] on one thread and the rest on another.

mod dir;
mod error;
mod log;
mod marks;
mod read;
mod record;
mod sql;
mod views;

pub use dir::{DataDir, LogFiles, free_space};
pub use error::{AppendError, OpenError, StoreError};
pub use log::Log;
pub use read::{Damaged, LogReader};
pub use views::Views;
