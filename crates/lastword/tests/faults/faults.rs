//! The kinds of faults.

use std::fmt;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal,)+) => {
        /// The kinds of faults.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[doc = $doc])+ $kind,)+
        }

        /// All kinds.
        pub const KINDS: &[Kind] = &[$(Kind::$kind,)+];

        impl fmt::Display for Kind {
            fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.pad(match self { $(Self::$kind => $name,)+ })
            }
        }
    };
}

kinds! {
    // Processes.

    /// A replica is killed, and started again a while later.
    KillOne = "kill -9 of one",
    /// Two, one after the other.
    KillTwo = "kill -9 of two",
    /// All three, and they come back in any order.
    KillAll = "kill -9 of all three",
    /// SIGSTOP, and SIGCONT 0.1 to 30 s later.
    Freeze = "SIGSTOP, SIGCONT",
    /// Each is told to stop and started again, one after the other.
    Rolling = "rolling restart",

    // The network.

    /// Nothing goes through between a replica and the others.
    Isolate = "replica cut off",
    /// Nothing goes one way between two replicas.
    OneWay = "link cut one way",
    /// Nothing goes through between two replicas; the third reaches both.
    NonTransitive = "link cut, third reaches both",
    /// The link of two replicas breaks again and again, and is refused in between.
    Flap = "link breaks and is refused",
    /// A link is slow.
    SlowLink = "link slow",
    /// A link loses packets.
    LossyLink = "link lossy",
    /// Some or all people can't reach a replica.
    CutPeople = "people cut from a replica",
    /// The same, one way.
    OneWayPeople = "people cut one way",
    /// The way of people to a replica is slow, or loses packets.
    PoorPeople = "people's way slow or lossy",

    /// The packets of a replica are lost: a host of its own has no network.
    LostPackets = "packets lost",
    /// The same, one way.
    OneWayPackets = "packets lost one way",

    // Disks.

    /// A data directory is deleted.
    Wipe = "data deleted",
    /// An old copy of it is put back.
    OldCopy = "old copy put back",
    /// Bits turn in `log.db`.
    Flip = "bits turned in log.db",
    /// The end of the write-ahead log is lost.
    TornTail = "tail of the log lost",
    /// A disk has less free space than is asked for.
    LowDisk = "disk nearly full",
    /// A disk has no free space at all.
    FullDisk = "disk full",
    /// A sync fails.
    SyncError = "sync fails (EIO)",

    // Clocks.

    /// A replica comes back with another clock.
    Clock = "clock off by up to years",
}

impl Kind {
    /// It takes away what a disk has: one at a time, and only with all in sync.
    pub fn destroys(self) -> bool {
        matches!(self, Self::Wipe | Self::OldCopy | Self::Flip | Self::TornTail)
    }

    /// It may happen beside another one.
    pub fn goes_with_others(self) -> bool {
        !self.destroys() && !matches!(self, Self::Rolling | Self::KillAll)
    }
}
