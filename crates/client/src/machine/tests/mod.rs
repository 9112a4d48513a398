//! Transcripts: what the client says to whom, when what happens.

mod chaos;
mod failover;
mod messages;
mod refusals;
mod scene;
mod sessions;
mod start;
