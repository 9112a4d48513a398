//! Which faults a run has, drawn by its seed: each run has a subset of its own, so that some have few
//! kinds at a high rate.

use std::fmt;

use crate::chance::Chance;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// The kinds of faults.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)+
        }

        /// All kinds.
        pub const FAULTS: &[Fault] = &[$(Fault::$name,)+];
    };
}

faults! {
    // Processes.

    /// A replica's process is killed, and started again 10 ms to 6 s later.
    Crash,
    /// The same, and once more while it recovers.
    CrashTwice,
    /// All processes are killed at once, and come back in any order.
    CrashAll,
    /// A process is killed, and loses its links 1 to 150 ms before it ends.
    Dying,
    /// A process is stopped for 0.1 to 15 s.
    Freeze,
    /// A replica is of a newer version from its next start on: it makes facts that others don't know,
    /// and some that can't be.
    Newer,

    // Disks.

    /// A crashed replica's disk is emptied.
    Wipe,
    /// A crashed replica's disk is replaced by an older copy of it.
    Restore,
    /// Syncs of a disk take 20 ms to 5 s for a while.
    SlowDisk,
    /// A sync fails: the process ends.
    FailedSync,
    /// A disk has no room for 5 ms to 4 s.
    FullDisk,
    /// One to three records of a log are damaged, while the process runs or is down.
    Damage,
    /// Of the batch under way at a crash any records may be missing, in any order.
    TornWrite,

    // The network.

    /// The link of two replicas breaks, and they may dial again at once.
    BreakLink,
    /// The same, again and again for some seconds.
    Flap,
    /// Dials between two replicas are refused for a while, and their link breaks.
    Refuse,
    /// Nothing goes through between two replicas, either way.
    Cut,
    /// Nothing goes through between two replicas, one way.
    CutOneWay,
    /// A replica is cut off from all others.
    Isolate,
    /// A client can't reach a replica.
    CutClient,
    /// Messages take up to 400 ms for a while.
    SlowNetwork,

    // Clocks.

    /// A replica's clock jumps by up to twenty years, back or forth.
    ClockJump,
    /// A replica's clock goes at half to twice its speed.
    ClockDrift,
    /// A replica's clock stands still.
    ClockStop,

    // Clients.

    /// A client's process is killed, and its user logs in anew.
    ClientCrash,
}

/// What stays broken for ever, when all else heals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scar {
    /// Two replicas never see each other again.
    Cut(usize, usize),
    /// Nothing goes from the one to the other.
    CutOneWay(usize, usize),
    /// A replica does not come back.
    Down(usize),
    /// A replica's syncs take up to 3 s.
    SlowDisk(usize),
}

/// What a run is like.
#[derive(Debug, Clone)]
pub struct Plan {
    /// So many replicas: mostly three.
    pub replicas: usize,
    /// So many people.
    pub people: usize,
    /// The faults, of which each moment of trouble draws one.
    pub faults: Vec<Fault>,
    /// What stays broken.
    pub scar: Option<Scar>,
    /// Between two faults, in milliseconds on average.
    pub fault_every_ms: u64,
    /// Between two deeds of one person, in milliseconds on average.
    pub deed_every_ms: u64,
    /// How long the trouble lasts, in milliseconds.
    pub trouble_ms: u64,
    /// After the trouble people write on at the same rate, for so long.
    pub steady_ms: u64,
    /// A replica that nothing ever happens to.
    pub sanctuary: Option<usize>,
    /// One way over a link, in microseconds, at most.
    pub hop_us: u64,
    /// A sync, in microseconds, at most.
    pub sync_us: u64,
    /// What a replica holds for what it rests on, in bytes.
    pub held_bytes: usize,
    /// What may be on its way over a link, in bytes; and what is kept of own facts to be pushed.
    pub push_bytes: usize,
    /// Two replicas that are apart during the trouble.
    pub apart: Option<(usize, usize)>,
    /// The third replica's syncs take up to 3 s during the trouble.
    pub slow_third: bool,
    /// Clocks are wrong from the start, by up to 10 s.
    pub skewed: bool,
    /// People all want the same few names.
    pub crowded_names: bool,
    /// People delete their accounts now and then.
    pub deletes: bool,
    /// People send a message once more, with the same key and another text.
    pub mumbles: bool,
    /// People block and unblock each other.
    pub blocks: bool,
}

impl Plan {
    /// Draws a plan.
    pub fn draw(chance: &mut Chance) -> Self {
        let replicas = [3, 3, 3, 3, 3, 2, 4, 1][chance.below(8) as usize];
        let share = 1 + chance.below(FAULTS.len() as u64);
        let all = FAULTS.iter().copied();
        let mut faults: Vec<Fault> = all.filter(|_| chance.below(FAULTS.len() as u64) < share).collect();
        let damage = [Fault::Damage, Fault::TornWrite];
        if faults.contains(&Fault::Restore) && faults.iter().any(|fault| damage.contains(fault)) {
            // What everybody has lost is filled in. It must not come back from an old copy afterwards.
            let restores = chance.per_mille(500);
            faults.retain(|fault| if restores { !damage.contains(fault) } else { *fault != Fault::Restore });
        }
        let sanctuary = chance.per_mille(400).then(|| chance.below(replicas as u64) as usize);
        let mut plan = Self {
            replicas,
            people: 2 + chance.below(4) as usize,
            faults,
            scar: None,
            fault_every_ms: [150, 500, 1500, 4000][chance.below(4) as usize],
            deed_every_ms: [20, 100, 400][chance.below(3) as usize],
            trouble_ms: 5_000 + chance.below(20_000),
            steady_ms: 0,
            sanctuary,
            hop_us: [200, 2_000, 30_000][chance.below(3) as usize],
            sync_us: [200, 2_000, 20_000][chance.below(3) as usize],
            held_bytes: [64 << 20, 2000][usize::from(chance.per_mille(200))],
            push_bytes: [16 << 20, 3000][usize::from(chance.per_mille(200))],
            apart: None,
            slow_third: false,
            skewed: chance.per_mille(200),
            crowded_names: chance.per_mille(300),
            deletes: chance.per_mille(300),
            mumbles: chance.per_mille(200),
            blocks: false,
        };
        // Nothing is drawn for it: other plans stay what they were.
        plan.blocks = !plan.mumbles && plan.trouble_ms.is_multiple_of(4);
        if plan.crowded_names {
            plan.people = 6;
            plan.hop_us = [2_000, 30_000, 100_000][chance.below(3) as usize];
            plan.apart = (replicas > 2 && chance.per_mille(500)).then_some((0, 1));
            plan.skewed = chance.per_mille(500);
            plan.slow_third = plan.apart.is_some() && sanctuary != Some(2) && chance.per_mille(400);
        }
        plan.scar = plan.draw_scar(chance);
        if let Some(Scar::SlowDisk(_)) = plan.scar {
            // It is to catch up all the same, with large pieces.
            (plan.held_bytes, plan.push_bytes) = (64 << 20, 16 << 20);
        }
        if chance.per_mille(30) {
            plan.make_steady();
        }
        plan
    }

    fn draw_scar(&self, chance: &mut Chance) -> Option<Scar> {
        if self.replicas < 3 || !chance.per_mille(150) {
            return None;
        }
        let one = chance.below(self.replicas as u64) as usize;
        let other = (one + 1 + chance.below(self.replicas as u64 - 1) as usize) % self.replicas;
        let scar = [Scar::Cut(one, other), Scar::CutOneWay(one, other), Scar::Down(one), Scar::SlowDisk(one)]
            [chance.below(4) as usize];
        // That something is lost, every member of the group must say to the one who asks.
        if self.damages() && !matches!(scar, Scar::SlowDisk(_)) {
            return None;
        }
        let hits_sanctuary = matches!(scar, Scar::Down(node) | Scar::SlowDisk(node) if Some(node) == self.sanctuary);
        (!hits_sanctuary).then_some(scar)
    }

    /// There is always something on its way; and nobody is barred for having been slow.
    fn make_steady(&mut self) {
        let slow = [Fault::SlowDisk, Fault::SlowNetwork, Fault::Freeze, Fault::CutOneWay, Fault::Cut, Fault::Isolate];
        self.faults.retain(|fault| !slow.contains(fault));
        (self.scar, self.deletes) = (None, false);
        (self.people, self.deed_every_ms, self.hop_us, self.sync_us) = (5, 20, 30_000, 20_000);
        (self.trouble_ms, self.steady_ms, self.held_bytes) = (6_000, 12_000, 64 << 20);
    }

    /// Whether records may be damaged: a replica may then lack for a while what its disk has.
    pub fn damages(&self) -> bool {
        self.faults.iter().any(|fault| [Fault::Damage, Fault::TornWrite].contains(fault))
    }

    /// Whether a disk may forget what was on it.
    pub fn forgets(&self) -> bool {
        let forgetting = [Fault::Wipe, Fault::Restore, Fault::Damage, Fault::TornWrite];
        self.faults.iter().any(|fault| forgetting.contains(fault))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{} replicas, {} people, a deed every {} ms; for {} ms a fault every {} ms of {:?}; safe: {:?}; for ever: {:?}",
            self.replicas,
            self.people,
            self.deed_every_ms,
            self.trouble_ms,
            self.fault_every_ms,
            self.faults,
            self.sanctuary,
            self.scar
        )?;
        if self.steady_ms == 0 { Ok(()) } else { write!(f, "; {} ms more of load", self.steady_ms) }
    }
}
