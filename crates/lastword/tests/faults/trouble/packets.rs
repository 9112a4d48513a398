//! Packets of a replica's host are lost.

use super::Trouble;
use crate::chance::Chance;
use crate::faults::Kind;
use crate::group::{NAMES, REPLICAS};
use crate::hosts::Loss;

impl Trouble {
    pub(super) async fn lose_packets(&self, kind: Kind, chance: &mut Chance) -> Option<()> {
        let number = chance.below(REPLICAS as u64) as usize;
        let (loss, what) = match kind {
            Kind::LostPackets => (Loss::All, "all packets"),
            _ if chance.percent(50) => (Loss::Sent, "the packets that it sends"),
            _ => (Loss::Received, "the packets to it"),
        };
        self.say(&format!("{} loses {what}", NAMES[number]));
        let lost = self.hosts.as_ref()?.lose(number, loss)?;
        self.pause(chance, 100, 4_000, 20_000).await;
        drop(lost);
        Some(())
    }
}
