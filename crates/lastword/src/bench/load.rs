//! Sends and receives.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
    let mut keys = Keys::new();
    let (mut silence, mut heard) = (Silence::default(), Instant::now());
    loop {
        while flying.len() < pace.in_flight && Instant::now() < pace.ends {
            write_text(&mut text, number, pace.size);
            let began = Instant::now();
            match pair.sender.start_send(keys.next(), &pair.receiver_name, &text).await {
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

/// Draws keys of version 7 with a number counted up beside some randomness of the run: drawn from the system for
/// each message, randomness would be a good part of the load that the generator itself is.
struct Keys {
    random: u32,
    drawn: u32,
}

impl Keys {
    fn new() -> Self {
        Self { random: Uuid::now_v7().as_u128() as u32, drawn: 0 }
    }

    fn next(&mut self) -> Uuid {
        let ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        self.drawn = self.drawn.wrapping_add(1);
        let rest = u128::from(self.random) << 30 | u128::from(self.drawn & 0x3fff_ffff);
        Uuid::from_u128(ms << 80 | 7 << 76 | 0b10 << 62 | rest)
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
    use super::{Keys, number_of, write_text};
    use lastword_client::protocol::Uuid;

    #[test]
    fn keys_are_of_version_7_and_rise() {
        let mut keys = Keys::new();
        let drawn: Vec<_> = (0..1000).map(|_| keys.next()).collect();
        assert!(drawn.is_sorted_by(|one, next| one < next));
        assert!(
            drawn.iter().all(|key| key.get_version_num() == 7 && key.get_variant() == Uuid::now_v7().get_variant())
        );
    }

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
