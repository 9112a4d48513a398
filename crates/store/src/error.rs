//! What can go wrong with a disk, and what to do about it.

use std::path::PathBuf;

/// Why a data directory can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "the data directory {0} is in use by another process: stop that one first, or give this one a directory of its own (--data)"
    )]
    InUse(PathBuf),
    /// It was written by a newer program.
    #[error(
        "the data directory {dir} has format {found}, and this program knows formats up to {known}: use a newer lastword"
    )]
    Newer {
        /// The directory.
        dir: PathBuf,
        /// Its format.
        found: u32,
        /// The newest known format.
        known: u32,
    },
    /// The log is no log.
    #[error(
        "{file} is damaged ({what}): move the directory away and start again, and the replica refills from the others; if there are no others, keep it and restore a backup"
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The machine refused.
    #[error(
        "can't open the data directory {path}: {source}; check that it is a directory and may be written by this user"
    )]
    Io {
        /// What could not be opened.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Why facts were not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk is full. Nothing was written; the same may be tried again later.
    #[error("the disk is full")]
    Full,
    /// The disk can't be trusted any more: the process must stop without telling anybody anything.
    #[error(
        "writing the log failed ({0}): the disk can't be trusted to try again. Check the disk, then start again; what is missing comes back from the other replicas"
    )]
    Failed(rusqlite::Error),
    /// The file is damaged where it is to be written.
    #[error(
        "log.db is damaged ({0}): move the data directory away and start again, and the replica refills from the others; if there are no others, keep it and restore a backup"
    )]
    Damaged(rusqlite::Error),
}

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says why.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Records of the log are not there.
    #[error(
        "log.db is damaged: its records {from} to {upto} are missing. Move the data directory away and start again, and the replica refills from the others; if there are no others, keep it and restore a backup"
    )]
    Missing {
        /// The first that is missing.
        from: u64,
        /// The last that is missing.
        upto: u64,
    },
    /// The views stand for another place of the log than the change that was to be applied.
    #[error("the views stand for place {stand} of the log, and can't take in place {given}")]
    Gap {
        /// Where they stand.
        stand: u64,
        /// What was given.
        given: u64,
    },
    /// Views that can't be used can't be removed either.
    #[error("views.db can't be used, and can't be removed to be rebuilt: {0}; remove it, then start again")]
    Stuck(std::io::Error),
    /// A message is not where the views say that it is: its record is damaged, or they are.
    #[error("no message can be read at place {0} of the log, where the views say that one is")]
    NoMessage(u64),
    /// A record of the views can't be read.
    #[error("the views hold something that can't be read: {0}")]
    Unreadable(#[from] minicbor::decode::Error),
}

impl StoreError {
    /// The file holds something else than what was written: trying again is no use.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::NoMessage(_) | Self::Unreadable(_) => true,
            Self::Sqlite(error) => crate::log::is_damage(error),
            Self::Missing { .. } | Self::Gap { .. } | Self::Stuck(_) => false,
        }
    }
}
