//! Making trouble.

use std::time::Duration;

use lastword_core::io::DiskRoom;
use lastword_core::{Input, Mono};

use crate::disk::{Disk, Survives};
use crate::network::{Place, pair};
use crate::plan::{Fault, Scar};
use crate::world::{Happening, World};

impl World {
    /// One fault of the plan, and when the next one comes.
    pub(crate) fn trouble(&mut self) {
        if self.now > self.trouble_until {
            return;
        }
        let wait = self.chance.ms(1..2 * self.plan.fault_every_ms);
        self.after(wait, Happening::Fault);
        let faults = self.plan.faults.clone();
        if let Some(&fault) = self.chance.pick(&faults) {
            self.count(&format!("fault {fault:?}"));
            self.make(fault);
        }
    }

    /// A replica that something may happen to.
    fn victim(&mut self) -> Option<usize> {
        let may: Vec<usize> = (0..self.nodes.len()).filter(|&node| Some(node) != self.plan.sanctuary).collect();
        self.chance.pick(&may).copied()
    }

    fn make(&mut self, fault: Fault) {
        let Some(node) = self.victim() else { return };
        let until = self.now + self.chance.ms(50..6000);
        match fault {
            Fault::Crash => self.crash_for_a_while(node),
            Fault::CrashTwice => {
                self.crash_for_a_while(node);
                let wait = self.chance.ms(10..6500);
                self.after(wait, Happening::Crash { node });
            }
            Fault::CrashAll => {
                for node in 0..self.nodes.len() {
                    if Some(node) != self.plan.sanctuary {
                        self.crash_for_a_while(node);
                    }
                }
            }
            Fault::Dying => self.begin_to_die(node),
            Fault::Freeze => self.freeze(node),
            Fault::Newer => self.nodes[node].newer = true,
            Fault::Wipe => {
                self.crash_for_a_while(node);
                self.say(|| format!("n{node}: its disk is emptied"));
                self.replace_disk(node, Disk::default());
            }
            Fault::Restore => self.restore(node),
            Fault::SlowDisk => {
                let slow_us = 20_000 + self.chance.below(5_000_000);
                self.say(|| format!("the disk of n{node} takes up to {} ms", slow_us / 1000));
                (self.nodes[node].slow_until, self.nodes[node].slow_us) = (until, slow_us);
            }
            Fault::FailedSync => self.nodes[node].fail_next_sync = true,
            Fault::FullDisk => {
                if self.nodes[node].is_up() && self.nodes[node].full.is_none() {
                    self.say(|| format!("the disk of n{node} is full"));
                    self.nodes[node].full = Some(self.now);
                    let most = if node % 2 == 0 { 60 } else { 4000 };
                    let wait = self.chance.ms(5..most);
                    self.after(wait, Happening::Room { node });
                    let room = if self.chance.per_mille(500) { DiskRoom::Reserve } else { DiskRoom::None };
                    self.input(node, Input::DiskRoom(room));
                }
            }
            Fault::Damage => self.damage(node),
            Fault::TornWrite => self.nodes[node].tears = true,
            Fault::ClockJump | Fault::ClockDrift | Fault::ClockStop => self.turn_clock(node, fault),
            Fault::ClientCrash => {
                let person = self.chance.below(self.people.len() as u64) as usize;
                self.crash_client(person);
            }
            Fault::SlowNetwork => {
                self.say(|| "the network is slow".to_owned());
                self.network.slow_until = until;
            }
            _ => self.trouble_links(fault, node, until),
        }
    }

    fn trouble_links(&mut self, fault: Fault, node: usize, until: Mono) {
        if fault == Fault::CutClient {
            let person = self.chance.below(self.people.len() as u64) as usize;
            self.say(|| format!("p{person} and n{node} are cut off from each other"));
            self.network.cut(Place::Person(person), Place::Node(node), self.now, until);
            return self.network.cut(Place::Node(node), Place::Person(person), self.now, until);
        }
        let others: Vec<usize> = (0..self.nodes.len()).filter(|&other| other != node).collect();
        let Some(&other) = self.chance.pick(&others) else { return };
        match fault {
            Fault::BreakLink => {
                self.say(|| format!("the link of n{node} and n{other} breaks"));
                self.break_link(node, other);
            }
            Fault::Flap => {
                self.say(|| format!("the link of n{node} and n{other} flaps"));
                self.flap(node, other, until);
            }
            Fault::Refuse => {
                self.say(|| format!("n{node} and n{other} refuse each other"));
                self.network.refused.insert(pair(node, other), until);
                self.break_link(node, other);
            }
            Fault::Isolate => others.into_iter().for_each(|other| self.cut(fault, node, other, until)),
            _ => self.cut(fault, node, other, until),
        }
    }

    fn cut(&mut self, fault: Fault, node: usize, other: usize, until: Mono) {
        self.say(|| format!("n{node} and n{other}: {fault:?} until {:.3}", until.0.as_secs_f64()));
        self.network.cut(Place::Node(node), Place::Node(other), self.now, until);
        if fault != Fault::CutOneWay {
            self.network.cut(Place::Node(other), Place::Node(node), self.now, until);
        }
    }

    pub(crate) fn flap(&mut self, one: usize, other: usize, until: Mono) {
        self.break_link(one, other);
        if self.now < until {
            let wait = self.chance.ms(100..500);
            self.after(wait, Happening::Flap { one, other, until });
        }
    }

    fn crash_for_a_while(&mut self, node: usize) {
        if self.nodes[node].is_up() {
            self.crash(node);
            let wait = self.chance.ms(10..6000);
            self.after(wait, Happening::Start { node });
        }
    }

    /// It is killed: its links go first.
    fn begin_to_die(&mut self, node: usize) {
        if !self.nodes[node].is_up() || self.nodes[node].dying.is_some() {
            return;
        }
        self.say(|| format!("n{node} is being killed"));
        self.nodes[node].dying = Some(self.now);
        let health = self.nodes[node].core.as_ref().map(lastword_core::Core::health);
        let in_sync =
            |other: usize| health.is_some_and(|health| health.replicas[other] == lastword_core::io::Standing::InSync);
        let linked = |other: usize| self.network.links.contains_key(&pair(node, other));
        self.nodes[node].company = (0..self.nodes.len()).any(|other| linked(other) && in_sync(other));
        for other in 0..self.nodes.len() {
            self.break_link(node, other);
        }
        let life = self.nodes[node].life;
        let wait = self.chance.ms(1..150);
        self.after(wait, Happening::Die { node, life });
    }

    pub(crate) fn die(&mut self, node: usize, life: u64) {
        if self.nodes[node].life == life {
            self.crash_for_a_while(node);
        }
    }

    fn freeze(&mut self, node: usize) {
        if self.nodes[node].is_up() && !self.nodes[node].frozen {
            let most = if self.chance.per_mille(800) { 4_000 } else { 15_000 };
            let wait = self.chance.ms(100..most);
            self.say(|| format!("n{node} freezes for {} ms", wait.as_millis()));
            self.nodes[node].frozen = true;
            for other in 0..self.nodes.len() {
                self.network.disturb(pair(node, other), self.now, self.now + wait);
            }
            self.after(wait, Happening::Wake { node });
        }
    }

    fn restore(&mut self, node: usize) {
        let mut copy = self.nodes[node].disk.clone();
        copy.crash(Survives::Nothing);
        let backups = &mut self.nodes[node].backups;
        let older = if backups.is_empty() { None } else { Some(backups.remove(0)) };
        backups.push(copy);
        if let Some(older) = older {
            self.crash_for_a_while(node);
            self.say(|| format!("n{node}: its disk is replaced by an older copy"));
            self.replace_disk(node, older);
        }
    }

    /// Bits turn in one to three records, mostly late ones.
    fn damage(&mut self, node: usize) {
        let length = self.nodes[node].disk.log.len() as u64;
        for _ in 0..=self.chance.below(3) {
            let back = if self.chance.per_mille(700) { length.min(20) } else { length };
            let Some(place) = length.checked_sub(1 + self.chance.below(back)) else { return };
            let position = self.nodes[node].disk.log[place as usize].position;
            self.say(|| format!("n{node}: the record of {position:?} is damaged"));
            self.nodes[node].disk.damage(position);
            self.hurt.insert(position);
            self.note_gone(position);
        }
    }

    fn turn_clock(&mut self, node: usize, fault: Fault) {
        let now = self.now;
        match fault {
            Fault::ClockJump => {
                let jump = self.chance.below(1_200_000_000_000_000) as i64 - 600_000_000_000_000;
                self.say(|| format!("the clock of n{node} jumps by {} days", jump / 86_400_000_000));
                self.nodes[node].clock.jump(jump);
            }
            Fault::ClockDrift => {
                let drift = self.chance.below(1_500_000) as i64 - 500_000;
                self.say(|| format!("the clock of n{node} drifts by {drift} millionths"));
                self.nodes[node].clock.drift(now, drift);
            }
            _ => {
                self.say(|| format!("the clock of n{node} stands still"));
                self.nodes[node].clock.drift(now, -1_000_000);
            }
        }
    }

    /// The trouble is over: everything works again, but what stays broken for ever.
    pub(crate) fn heal(&mut self) {
        let scar = self.plan.scar;
        self.say(|| format!("everything heals but {scar:?}"));
        self.network.heal();
        self.healed = true;
        for node in 0..self.nodes.len() {
            self.nodes[node].slow_until = self.now;
            self.nodes[node].fail_next_sync = false;
            self.nodes[node].tears = false;
            self.after(Duration::ZERO, Happening::Room { node });
            self.after(Duration::ZERO, Happening::Wake { node });
            self.after(Duration::ZERO, Happening::Start { node });
        }
        match scar {
            None => {}
            Some(Scar::Cut(one, other)) => {
                self.sever(one, other);
                self.sever(other, one);
            }
            Some(Scar::CutOneWay(one, other)) => self.sever(one, other),
            Some(Scar::Down(node)) => {
                self.crash(node);
                self.nodes[node].gone_for_ever = true;
                let log: Vec<_> = self.nodes[node].disk.log.iter().map(|fact| fact.position).collect();
                log.into_iter().for_each(|position| self.note_gone(position));
            }
            Some(Scar::SlowDisk(node)) => {
                self.nodes[node].slow_until = Mono(Duration::MAX);
                self.nodes[node].slow_us = 3_000_000;
            }
        }
    }

    fn sever(&mut self, from: usize, to: usize) {
        self.network.sever(Place::Node(from), Place::Node(to), self.now);
    }
}
