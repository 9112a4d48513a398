//! Making trouble.

use std::time::Duration;

use lastword_core::Input;

use crate::disk::Disk;
use crate::network::Place;
use crate::plan::Fault;
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
            Fault::CrashAll => {
                for node in 0..self.nodes.len() {
                    if Some(node) != self.plan.sanctuary {
                        self.crash_for_a_while(node);
                    }
                }
            }
            Fault::Freeze => {
                if self.nodes[node].is_up() && !self.nodes[node].frozen {
                    self.say(|| format!("n{node} freezes"));
                    self.nodes[node].frozen = true;
                    let wait = self.chance.ms(100..8000);
                    self.after(wait, Happening::Wake { node });
                }
            }
            Fault::Wipe => {
                self.crash_for_a_while(node);
                self.say(|| format!("n{node}: its disk is emptied"));
                self.replace_disk(node, Disk::default());
            }
            Fault::Restore => {
                let now = self.nodes[node].disk.clone();
                let backups = &mut self.nodes[node].backups;
                let older = if backups.is_empty() { None } else { Some(backups.remove(0)) };
                let mut copy = now;
                copy.crash(false);
                backups.push(copy);
                if let Some(older) = older {
                    self.crash_for_a_while(node);
                    self.say(|| format!("n{node}: its disk is replaced by an older copy"));
                    self.replace_disk(node, older);
                }
            }
            Fault::BreakLink => {
                let other = self.chance.below(self.nodes.len() as u64) as usize;
                self.say(|| format!("the link of n{node} and n{other} breaks"));
                self.break_link(node, other);
            }
            Fault::Cut | Fault::CutOneWay | Fault::Isolate => self.cut(fault, node, until),
            Fault::CutClient => {
                let person = self.chance.below(self.people.len() as u64) as usize;
                self.say(|| format!("p{person} and n{node} are cut off from each other"));
                self.network.cut(Place::Person(person), Place::Node(node), until);
                self.network.cut(Place::Node(node), Place::Person(person), until);
            }
            Fault::SlowDisk => {
                let slow_us = 20_000 + self.chance.below(5_000_000);
                self.say(|| format!("the disk of n{node} takes up to {} ms", slow_us / 1000));
                (self.nodes[node].slow_until, self.nodes[node].slow_us) = (until, slow_us);
            }
            Fault::FailedSync => self.nodes[node].fail_next_sync = true,
            Fault::FullDisk => {
                if self.nodes[node].is_up() && !self.nodes[node].full {
                    self.say(|| format!("the disk of n{node} is full"));
                    self.nodes[node].full = true;
                    let wait = self.chance.ms(100..4000);
                    self.after(wait, Happening::Room { node });
                    self.input(node, Input::DiskRoom(false));
                }
            }
            Fault::ClockJump => {
                let jump = self.chance.below(1_200_000_000_000_000) as i64 - 600_000_000_000_000;
                self.say(|| format!("the clock of n{node} jumps by {} days", jump / 86_400_000_000));
                self.nodes[node].clock_offset_us = jump;
            }
            Fault::SlowNetwork => {
                self.say(|| "the network is slow".to_owned());
                self.network.slow_until = until;
            }
        }
    }

    fn crash_for_a_while(&mut self, node: usize) {
        if self.nodes[node].is_up() {
            self.crash(node);
            let wait = self.chance.ms(10..6000);
            self.after(wait, Happening::Start { node });
        }
    }

    fn cut(&mut self, fault: Fault, node: usize, until: lastword_core::Mono) {
        let others: Vec<usize> = (0..self.nodes.len()).filter(|&other| other != node).collect();
        let cut: Vec<usize> = match fault {
            Fault::Isolate => others,
            _ => self.chance.pick(&others).copied().into_iter().collect(),
        };
        for other in cut {
            self.say(|| format!("n{node} and n{other}: {fault:?} until {:.3}", until.0.as_secs_f64()));
            self.network.cut(Place::Node(node), Place::Node(other), until);
            if fault != Fault::CutOneWay {
                self.network.cut(Place::Node(other), Place::Node(node), until);
            }
        }
    }

    /// The trouble is over: everything works again.
    pub(crate) fn heal(&mut self) {
        self.say(|| "everything heals".to_owned());
        self.network.heal();
        for node in 0..self.nodes.len() {
            self.nodes[node].slow_until = self.now;
            self.nodes[node].fail_next_sync = false;
            self.after(Duration::ZERO, Happening::Room { node });
            self.after(Duration::ZERO, Happening::Wake { node });
            self.after(Duration::ZERO, Happening::Start { node });
        }
    }
}
