//! Transcripts: what the client says to whom, when what happens.

mod chaos;
mod failover;
mod listening;
mod messages;
mod refusals;
mod rest;
mod scene;
mod sessions;
mod start;
