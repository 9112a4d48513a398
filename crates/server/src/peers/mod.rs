//! The links to the other replicas: one a pair.
//!
//! Every replica dials those that it is not linked to. Of two that start together the later one in the list dials
//! first ([`FIRST_TURN`]); where both have dialled, `links` says which link stays.

mod dialling;
pub mod framing;
mod knocking;
mod link;
mod links;
mod noise;
mod problems;
mod strangers;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::engine::Engine;
use crate::group::Group;
use crate::stream::Stream;
use noise::{HandshakeError, Identity};

pub(crate) use dialling::dial_all;
pub(crate) use noise::PREFACE;
pub use problems::Problems;

/// The later one in the list may dial the earlier one for so long before the earlier one does.
const FIRST_TURN: Duration = Duration::from_secs(2);
/// Whoever dials has to show so soon that they are a replica.
const KNOCKING: Duration = Duration::from_secs(3);

/// What all links of a replica share.
pub(crate) struct Peers {
    pub(crate) engine: Engine,
    pub(crate) group: Group,
    pub(crate) problems: Problems,
    links: links::Links,
    door: knocking::Door,
    strangers: strangers::Strangers,
}

impl Peers {
    /// None is linked yet. What is wrong with them is kept in `problems`.
    pub(crate) fn new(engine: Engine, group: Group, problems: Problems) -> Self {
        Self {
            engine,
            group,
            problems,
            links: links::Links::new(),
            door: knocking::Door::default(),
            strangers: strangers::Strangers::default(),
        }
    }

    /// Another replica has dialled; some bytes were read already.
    pub(crate) async fn accept(&self, mut stream: TcpStream, mut read: Vec<u8>, from: IpAddr) {
        let (group, identity) = (&self.group, Identity::of(&self.group));
        let knock = self.door.knock(from.into());
        let handshake = noise::accept(&mut stream, &mut read, &group.key, &identity);
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(KNOCKING, handshake) => shaken.unwrap_or(Err(HandshakeError::Late)),
            () = knock.sent_away() => Err(HandshakeError::Late),
        };
        match shaken {
            Ok((transport, theirs, plain)) => {
                drop(knock);
                if theirs.own == group.own || usize::from(theirs.own.0) >= group.members.len() {
                    let why = format!(
                        "it says that it is replica {}, which it can't be here: check that each address in --group leads to its own server",
                        theirs.own.name()
                    );
                    return self.tell_of_stranger(from, "replica", &why);
                }
                let early = link::Early { read, plain };
                let made = link::Made { peer: theirs.own, dialled_by: theirs.own, stream, transport, early };
                link::run(self, made).await;
            }
            Err(error @ HandshakeError::WrongKey) => {
                self.tell_of_stranger(from, "key", &error.to_string());
                let_go(stream, knock).await;
            }
            Err(error @ HandshakeError::WrongGroup { .. }) => {
                self.engine.metrics.on_other_list();
                self.tell_of_stranger(from, "list", &error.to_string());
                let_go(stream, knock).await;
            }
            Err(error) => tracing::debug!("{from} wanted to be a replica: {error}"),
        }
    }

    /// Says in the log, now and then, why somebody was not let in as a replica.
    fn tell_of_stranger(&self, from: IpAddr, kind: &'static str, why: &str) {
        if self.strangers.are_news(from, kind, Instant::now()) {
            tracing::error!("a replica at {from} was not let in: {why}");
        } else {
            tracing::debug!("a replica at {from} was not let in: {why}");
        }
    }
}

/// Ends a connection so that the other side hears why. It counts as one that knocks until it is closed: it has no other
/// place, and thousands of them would take all descriptors.
async fn let_go(stream: TcpStream, knock: knocking::Knock) {
    tokio::select! {
        () = super::front::linger(Stream::Plain(stream)) => {}
        () = knock.sent_away() => {}
    }
}
