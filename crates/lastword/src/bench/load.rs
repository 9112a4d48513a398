//! Sends and receives.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastword_client::protocol::Uuid;
use lastword_client::{Event, Events};

use super::recorder::Recorder;
use super::stage::Pair;

/// Digits of the number that each text begins with.
const DIGITS: usize = 12;

/// How one connection sends.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// Messages that wait for their answers at a time.
    pub in_flight: usize,
    /// Bytes of a text.
    pub size: usize,
    /// When nothing more is sent.
    pub ends: Instant,
}

/// The longest times without any answer on one connection, while it waited for some.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Silence {
    pub longest: Duration,
    /// The longest that ended after the leader was killed.
    pub over_kill: Option<Duration>,
}

/// Sends until the time is over and everything is answered.
pub(super) async fn send(pair: Arc<Pair>, pace: Pace, recorder: Arc<Recorder>) -> Silence {
    let mut flying = VecDeque::with_capacity(pace.in_flight);
    let (mut text, mut number) = (String::new(), 0);
    let (mut silence, mut heard) = (Silence::default(), Instant::now());
    loop {
        while flying.len() < pace.in_flight && Instant::now() < pace.ends {
            write_text(&mut text, number, pace.size);
            let began = Instant::now();
            match pair.sender.start_send(Uuid::now_v7(), &pair.receiver_name, &text).await {
                Ok(answering) => flying.push_back((number, began, answering)),
                Err(error) => recorder.failed(&error),
            }
            number += 1;
        }
        // Answers come in the order of the requests.
        let Some((answered, began, answering)) = flying.pop_front() else { return silence };
        match answering.await {
            Ok(_) => {
                let now = Instant::now();
                pair.tally().acknowledge(answered);
                let killed = recorder.acknowledged(now, now - began);
                let gap = now - heard;
                silence.longest = silence.longest.max(gap);
                if killed.is_some_and(|killed| killed < now) {
                    silence.over_kill = silence.over_kill.max(Some(gap));
                }
                heard = now;
            }
            Err(error) => recorder.failed(&error),
        }
    }
}

/// Takes what comes, until it is stopped.
pub(super) async fn receive(mut events: Events, pair: Arc<Pair>, recorder: Arc<Recorder>) {
    while let Some(event) = events.next().await {
        if let Event::Message(message) = event
            && let Some(number) = number_of(&message.text)
        {
            pair.tally().arrive(number);
            recorder.delivered();
        }
    }
}

fn write_text(text: &mut String, number: u64, size: usize) {
    text.clear();
    // Writing into a string does not fail.
    let _ = write!(text, "{number:0DIGITS$} {:x<rest$}", "", rest = size - DIGITS - 1);
}

pub(super) fn number_of(text: &str) -> Option<u64> {
    text.get(..DIGITS)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{number_of, write_text};

    #[test]
    fn a_text_has_its_size_and_number() {
        let mut text = String::new();
        for (number, size) in [(0, 16), (999_999_999_999, 140)] {
            write_text(&mut text, number, size);
            assert_eq!((text.len(), number_of(&text)), (size, Some(number)));
        }
        assert_eq!(number_of("hi"), None);
    }
}
