//! A data directory: made where it is missing, and locked.

use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// All files of a data directory. SQLite makes those beside a database with the permissions of the database.
const FILES: [&str; 8] =
    ["lock", "log.db", "log.db-wal", "log.db-shm", "views.db", "views.db-journal", "views.db-wal", "views.db-shm"];

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
            Ok(()) => {
                make_private(&path);
                Ok(Self { path, _lock: lock })
            }
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

/// Takes the files away from all but their owner: one that was copied from a backup may be open to everybody. A disk
/// that has no permissions, or a file of somebody else, stays as it is: the server can still work with it.
fn make_private(dir: &Path) {
    for file in FILES.map(|name| dir.join(name)) {
        // By its path: opening and closing a file would take away the locks that SQLite has on it.
        let is_open = |found: std::fs::Metadata| found.is_file() && found.mode() & 0o077 != 0;
        if file.symlink_metadata().is_ok_and(is_open) {
            let _ = std::fs::set_permissions(&file, Permissions::from_mode(0o600));
        }
    }
}

/// The files that a log is written to, as they were when it was opened.
#[derive(Debug, Clone)]
pub struct LogFiles(Vec<(PathBuf, FileId)>);

/// Device and inode: the same for as long as a file exists, whatever happens to its name.
type FileId = (u64, u64);

impl LogFiles {
    /// Those in this directory, where the log must be open.
    ///
    /// # Errors
    /// What the machine says of `log.db`.
    pub fn of(dir: &DataDir) -> io::Result<Self> {
        let mut files = vec![(dir.log(), id(&dir.log())?)];
        let beside = dir.path().join("log.db-wal");
        // SQLite has it open from the first reading on.
        files.extend(id(&beside).ok().map(|id| (beside, id)));
        Ok(Self(files))
    }

    /// Whether one of them was deleted, moved or replaced: what is written to it now is lost when it is closed.
    /// `false` where the machine does not say.
    pub fn are_gone(&self) -> bool {
        self.0.iter().any(|(path, opened)| match id(path) {
            Ok(found) => found != *opened,
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        })
    }
}

fn id(path: &Path) -> io::Result<FileId> {
    let found = std::fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Log;

    #[test]
    fn what_was_open_to_others_is_private_from_the_first_opening_on() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["log.db", "views.db", "lock", "else"] {
            std::fs::write(folder.path().join(name), "").unwrap();
            std::fs::set_permissions(folder.path().join(name), Permissions::from_mode(0o644)).unwrap();
        }
        let dir = DataDir::open(folder.path()).unwrap();
        let log = Log::open(&dir).unwrap();
        let mode = |name: &str| folder.path().join(name).metadata().unwrap().mode() & 0o777;
        for name in ["log.db", "log.db-wal", "log.db-shm", "views.db", "lock"] {
            assert_eq!(mode(name), 0o600, "{name}");
        }
        assert_eq!(mode("else"), 0o644, "what is not the server's is left alone");
        drop(log);
    }

    #[test]
    fn a_log_that_was_deleted_moved_or_replaced_is_gone() {
        for name in ["log.db", "log.db-wal"] {
            let folder = tempfile::tempdir().unwrap();
            let dir = DataDir::open(folder.path().join("data")).unwrap();
            let log = Log::open(&dir).unwrap();
            let files = LogFiles::of(&dir).unwrap();
            assert!(!files.are_gone());
            let (path, aside) = (dir.path().join(name), dir.path().join("aside"));
            std::fs::rename(&path, &aside).unwrap();
            assert!(files.are_gone(), "{name} is not there");
            std::fs::copy(&aside, &path).unwrap();
            assert!(files.are_gone(), "{name} is a copy");
            std::fs::rename(&aside, &path).unwrap();
            assert!(!files.are_gone(), "{name} is back");
            std::fs::rename(dir.path(), folder.path().join("moved")).unwrap();
            assert!(files.are_gone(), "the directory was moved");
            drop(log);
        }
    }
}
