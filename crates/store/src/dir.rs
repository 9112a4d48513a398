//! A data directory: made where it is missing, and locked.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// A data directory that this process has for itself. Held for as long as anything in it is open.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The lock goes with the process, however that ends.
    _lock: File,
}

impl DataDir {
    /// Opens a data directory, and makes it where it is missing.
    ///
    /// # Errors
    /// Another process has it, or it can't be made or written.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let path = path.into();
        let io = |source| OpenError::Io { path: path.clone(), source };
        make(&path).map_err(io)?;
        // SQLite takes a path that begins with "file:" for an address; a whole one begins with "/".
        let path = path.canonicalize().map_err(io)?;
        let io = |source| OpenError::Io { path: path.clone(), source };
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path)),
            Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log.db")
    }

    pub(crate) fn views(&self) -> PathBuf {
        self.path.join("views.db")
    }
}

/// Makes a directory so that it is still there after a power cut.
fn make(path: &Path) -> std::io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    std::fs::create_dir_all(path)?;
    for made in missing {
        let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// The bytes that are free, for this user, on the disk that holds `path`.
///
/// # Errors
/// What the machine says.
pub fn free_space(path: &Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
