//! Facts that a replica of a newer version makes, and facts that can't be: put before a replica as if
//! they had come round from another one.

use lastword_facts::ids::{Order, Seq, Stamp};
use lastword_facts::limits;
use minicbor::Encoder;

use super::*;

impl World {
    /// Now and then one comes, to a replica that knows newer ones.
    pub(super) fn strange(&mut self, node: usize) {
        if self.now > self.trouble_until {
            return;
        }
        let wait = self.chance.ms(100..2000);
        self.after(wait, Happening::Strange { node });
        if !self.nodes[node].newer || !self.nodes[node].is_up() || self.nodes[node].frozen {
            return;
        }
        let links = self.network.links.iter();
        let linked = links.filter(|(pair, _)| pair.0 == node || pair.1 == node);
        let Some((&pair, &link)) = linked.min_by_key(|(pair, _)| **pair) else { return };
        let peer = if pair.0 == node { pair.1 } else { pair.0 };
        let fact = Arc::new(self.draw_strange(node));
        self.count("strange fact");
        self.say(|| format!("a strange fact comes to n{node}: {fact:?}"));
        self.input(node, Input::Link(ReplicaId(peer as u8), link, PeerMessage::Push(vec![fact])));
    }

    fn draw_strange(&mut self, node: usize) -> Fact {
        let position = Position { incarnation: Incarnation(self.chance.draw()), seq: Seq(1) };
        let vector = &self.nodes[node].disk.vector;
        let rests_on: Vec<Position> = vector.iter().take(2).collect();
        let stamp = Stamp(1_790_000_000_000_000 + self.now.0.as_micros() as u64);
        let (author, key) = (AccountId(u128::from(self.chance.draw())), Key(u128::from(self.chance.draw())));
        let someone = self.people.iter().filter_map(Person::account_id).next().unwrap_or(author);
        let new = |stamp, author, body| Fact::new(position, rests_on.clone(), stamp, author, key, body);
        let message = |text: &str| {
            Body::Message(lastword_facts::fact::Message {
                to: someone,
                text: text.to_owned(),
                at_ms: 1,
                unwanted: None,
            })
        };
        let end = Stamp(Stamp::MAX.0 - u64::from(self.has_guests));
        match self.chance.below(if self.has_guests { 8 } else { 7 }) {
            7 => {
                let token = lastword_facts::token::TokenHash([8; 32]);
                new(end, author, Body::Used(lastword_facts::fact::Used { token, at_ms: 1 }))
            }
            0 => new(Stamp(u64::MAX), author, message("from the end of time")),
            1 => new(stamp, author, message(&"x".repeat(limits::TEXT_BYTES + 1))),
            2 => new(stamp, someone, Body::Claim(self.bad_claim())),
            3 => {
                let verdict = lastword_facts::fact::Verdict { claim: position, name: "nobody".to_owned() };
                new(stamp, author, Body::Confirm(verdict))
            }
            4 => {
                let password = Some(Order { stamp, incarnation: position.incarnation });
                let token = lastword_facts::token::TokenHash([7; 32]);
                new(stamp, author, Body::Session(lastword_facts::fact::Session { token, password, at_ms: Some(1) }))
            }
            _ => newer(position, &rests_on, stamp, author, key),
        }
    }

    fn bad_claim(&self) -> lastword_facts::fact::Claim {
        lastword_facts::fact::Claim { name: "no such \\u{7} name".to_owned(), password: String::new(), at_ms: 1 }
    }
}

/// A fact of a kind that is not known yet, with a field more than there are now.
fn newer(position: Position, rests_on: &[Position], stamp: Stamp, author: AccountId, key: Key) -> Fact {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    let written = (|| {
        encoder.array(9)?.u64(position.incarnation.0)?.u64(position.seq.0)?.encode(rests_on)?.u64(stamp.0)?;
        encoder.encode(author)?.encode(key)?.u32(1000)?.bytes(b"from the future")?.str("a ninth field")?.ok()
    })();
    written.expect("writing to a vector never fails");
    Fact::decode(bytes).expect("the envelope is for ever the same")
}
