//! Which disks were destroyed when: the one thing that may take away what was acknowledged.
//!
//! A disk is destroyed only when every replica says that all are in sync, said so 1.5 s before too, and no
//! other disk is being refilled. What was acknowledged before that is on another disk: a replica takes
//! another one for in sync only once that one has confirmed what the log held half a second before, and
//! waits for it from then on. So only what was acknowledged by one disk alone *after* all were seen in
//! sync, by a replica that took the others for lost in just those moments, can be on the destroyed disk only.

/// All were in sync with what was acknowledged so long before they were seen so.
const LAG_MS: u32 = 500;
/// What was on its way when a disk was mended may be shown so long after.
const ON_ITS_WAY_MS: u32 = 3_000;

/// A disk that is or was destroyed.
struct Gone {
    /// Since when all were seen in sync.
    in_sync_ms: u32,
    gone_ms: u32,
    back_ms: Option<u32>,
}

/// A disk with damaged records.
struct Hurt {
    replica: usize,
    hurt_ms: u32,
    mended_ms: Option<u32>,
}

/// What happened to disks.
#[derive(Default)]
pub(super) struct Disks {
    gone: Vec<Gone>,
    hurt: Vec<Hurt>,
}

impl Disks {
    pub(super) fn goes(&mut self, in_sync_ms: u32, now_ms: u32) {
        self.gone.push(Gone { in_sync_ms, gone_ms: now_ms, back_ms: None });
    }

    pub(super) fn is_back(&mut self, now_ms: u32) {
        if let Some(gone) = self.gone.last_mut() {
            gone.back_ms = gone.back_ms.or(Some(now_ms));
        }
    }

    /// A replica may lack what was acknowledged on all.
    pub(super) fn is_any_away(&self) -> bool {
        self.gone.last().is_some_and(|gone| gone.back_ms.is_none())
    }

    /// The same at any time since then.
    pub(super) fn was_any_away(&self, since_ms: u32) -> bool {
        self.gone.iter().any(|gone| gone.back_ms.is_none_or(|back| back >= since_ms))
    }

    /// A disk was destroyed, and what was acknowledged then may have been on it alone.
    pub(super) fn destroyed_after(&self, told_ms: u32) -> bool {
        // Told a moment after it was answered.
        let within = |gone: &Gone| (gone.in_sync_ms.saturating_sub(LAG_MS)..=gone.gone_ms + LAG_MS).contains(&told_ms);
        self.gone.iter().any(within)
    }

    pub(super) fn is_hurt(&mut self, replica: usize, now_ms: u32) {
        self.hurt.push(Hurt { replica, hurt_ms: now_ms, mended_ms: None });
    }

    pub(super) fn is_mended(&mut self, replica: usize, now_ms: u32) {
        for hurt in self.hurt.iter_mut().filter(|hurt| hurt.replica == replica) {
            hurt.mended_ms = hurt.mended_ms.or(Some(now_ms));
        }
    }

    /// What was sent then may be shown late now by this replica.
    pub(super) fn may_be_late(&self, replica: Option<usize>, sent_ms: u32, now_ms: u32) -> bool {
        self.hurt.iter().any(|hurt| {
            let mended = hurt.mended_ms.is_some_and(|mended| now_ms > mended + ON_ITS_WAY_MS);
            Some(hurt.replica) == replica && sent_ms <= hurt.hurt_ms && !mended
        })
    }
}
