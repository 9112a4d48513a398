//! How it came to a violation, in words: every step, and what it made replicas say.

use std::fmt::Write as _;

use lastword_core::PeerMessage;

use super::group::Group;
use super::invariants::name;
use super::replica::{Effect, Happening};
use super::state::{State, Step};

/// Writes down a path from the beginning of a search, and then one to its end.
pub(super) fn write(group: &mut Group, start: &State, path: Vec<Step>, end: Vec<Step>, what: &str) -> String {
    let mut text = format!("{}: {what}\n", group.scenario.name);
    let mut state = *start;
    let trouble = path.len();
    for (number, step) in path.into_iter().chain(end).enumerate() {
        if number == trouble {
            text.push_str("     -- the trouble is over\n");
            state = super::settle::at_the_end(&state);
        }
        let taken = group.take(&state, step);
        let _ = writeln!(text, "{number:>4} {}", in_words(step));
        for outcome in &taken.outcomes {
            if let Happening::Message { peer, message, .. } = outcome.happening {
                let message = said(group.message(message));
                let _ = writeln!(text, "       {} hears from {}: {message}", name(outcome.replica), name(peer));
            }
            for effect in &outcome.effects {
                let _ = writeln!(text, "       {} {}", name(outcome.replica), done(effect));
            }
        }
        state = taken.state;
    }
    let _ = writeln!(text, "     -- {what}");
    for replica in 0..state.replicas.len() {
        let log = &group.replica(&state, replica).disk.log;
        let _ = writeln!(text, "     disk of {}: {log:?}", name(replica));
    }
    text
}

fn in_words(step: Step) -> String {
    let link = |pair: usize| {
        let (one, other) = super::state::PAIRS[pair];
        format!("{}-{}", name(one), name(other))
    };
    let side = |pair: usize, end: usize| {
        let (one, other) = super::state::PAIRS[pair];
        name(if end == 0 { one } else { other })
    };
    match step {
        Step::Up { pair, end } => format!("{} is told that {} is up", side(pair, end), link(pair)),
        Step::Down { pair, end } => format!("{} is told that {} is down", side(pair, end), link(pair)),
        Step::Deliver { pair, end } => format!("a message arrives at {} on {}", side(pair, end), link(pair)),
        Step::Sync(replica) => format!("{} has synced", name(replica)),
        Step::Ask(operation) => format!("a client asks for operation {operation}"),
        Step::Crash { replica, survives: true } => format!("{} crashes; its sync under way counts", name(replica)),
        Step::Crash { replica, survives: false } => format!("{} crashes; what was not synced is lost", name(replica)),
        Step::Start(replica) => format!("{} starts", name(replica)),
        Step::Wipe(replica) => format!("the disk of {} is emptied", name(replica)),
        Step::Cut(pair) => format!("{} breaks", link(pair)),
        Step::Join(pair) => format!("{} is joined", link(pair)),
        Step::Pass => "time passes".to_owned(),
    }
}

fn done(effect: &Effect) -> String {
    match effect {
        Effect::Send { peer, message, .. } => format!("says to {}: {}", name(*peer), said(message)),
        Effect::CloseLink { peer, .. } => format!("closes its link to {}", name(*peer)),
        Effect::Answer { operation, stage, in_sync } => {
            format!("answers operation {operation}: {stage:?} ({in_sync} peers in sync)")
        }
        Effect::Violation(what) => what.clone(),
    }
}

fn said(message: &PeerMessage) -> String {
    match message {
        PeerMessage::Hello(hello) => {
            format!("Hello as {:?} with {:?}", hello.incarnation, hello.vector.iter().collect::<Vec<_>>())
        }
        other => format!("{other:?}"),
    }
}
