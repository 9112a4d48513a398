//! Faults of the network.

use std::time::Duration;

use super::Trouble;
use crate::chance::Chance;
use crate::faults::Kind;
use crate::group::{NAMES, REPLICAS};
use crate::proxy::{Flow, Proxy};

/// A flow that is poor.
fn poor(chance: &mut Chance) -> Flow {
    if chance.percent(50) {
        Flow::Slow { delay_ms: chance.between(2, 80), bytes_per_ms: chance.between(20, 500) }
    } else {
        Flow::Lossy { percent: chance.between(2, 20), pause_ms: chance.between(200, 1_000) }
    }
}

impl Trouble {
    pub(super) async fn spoil_network(&self, kind: Kind, chance: &mut Chance) -> Option<()> {
        let network = &self.shared.network;
        let one = chance.below(REPLICAS as u64) as usize;
        let other = (one + 1 + chance.below(2) as usize) % REPLICAS;
        let third = REPLICAS - one - other;
        let (from, to) = (NAMES[one], NAMES[other]);
        match kind {
            Kind::Isolate => {
                self.say(&format!("{from} is cut off from the others"));
                let links = [network.link(one, other), network.link(one, third)];
                if chance.percent(25) {
                    links.iter().for_each(|link| link.refuse(true));
                } else {
                    links.iter().for_each(|link| link.set(Flow::Stands, Flow::Stands));
                }
                self.heal_later(chance, &links).await;
            }
            Kind::OneWay => {
                self.say(&format!("nothing goes from {from} to {to}"));
                network.set_link(one, other, Flow::Stands, Flow::Passes);
                self.heal_later(chance, &[network.link(one, other)]).await;
            }
            Kind::NonTransitive => {
                self.say(&format!("{from} and {to} are cut off from each other"));
                network.set_link(one, other, Flow::Stands, Flow::Stands);
                self.heal_later(chance, &[network.link(one, other)]).await;
            }
            Kind::Flap => {
                self.say(&format!("the link of {from} and {to} flaps"));
                let link = network.link(one, other);
                for _ in 0..chance.between(2, 8) {
                    link.break_all();
                    self.pause(chance, 5, 300, 1_000).await;
                    link.refuse(chance.percent(50));
                    self.pause(chance, 5, 300, 1_000).await;
                    link.refuse(false);
                }
            }
            Kind::SlowLink => {
                let flow = Flow::Slow { delay_ms: chance.between(2, 150), bytes_per_ms: chance.between(5, 200) };
                self.say(&format!("the link of {from} and {to} is slow: {flow:?}"));
                network.set_link(one, other, flow, flow);
                self.heal_later(chance, &[network.link(one, other)]).await;
            }
            Kind::LossyLink => {
                let flow = Flow::Lossy { percent: chance.between(1, 20), pause_ms: chance.between(200, 1_500) };
                self.say(&format!("the link of {from} and {to} is lossy: {flow:?}"));
                network.set_link(one, other, flow, flow);
                self.heal_later(chance, &[network.link(one, other)]).await;
            }
            _ => self.spoil_people(kind, chance, one).await,
        }
        Some(())
    }

    /// Some or all people, and a replica.
    async fn spoil_people(&self, kind: Kind, chance: &mut Chance, replica: usize) {
        let share = [5, 30, 100][chance.below(3) as usize];
        let people: Vec<usize> = (0..self.shared.network.people()).filter(|_| chance.percent(share)).collect();
        self.say(&format!("{kind}: {} of them, {}", people.len(), NAMES[replica]));
        let proxies: Vec<&Proxy> = people.iter().map(|&person| self.shared.network.to(person, replica)).collect();
        for proxy in &proxies {
            match kind {
                Kind::CutPeople if chance.percent(25) => proxy.refuse(true),
                Kind::CutPeople => proxy.set(Flow::Stands, Flow::Stands),
                Kind::OneWayPeople if chance.percent(50) => proxy.set(Flow::Stands, Flow::Passes),
                Kind::OneWayPeople => proxy.set(Flow::Passes, Flow::Stands),
                _ => {
                    let flow = poor(chance);
                    proxy.set(flow, flow);
                }
            }
        }
        self.heal_later(chance, &proxies).await;
    }

    /// After a while everything goes through again: at once, with all that was stuck, or on new connections.
    async fn heal_later(&self, chance: &mut Chance, proxies: &[&Proxy]) {
        self.pause(chance, 100, 4_000, 20_000).await;
        let breaks = chance.percent(50);
        for proxy in proxies {
            if breaks {
                proxy.break_all();
            }
            proxy.heal();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
