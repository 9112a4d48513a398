//! What this machine lets the suite do: mount a small file system, and make syncs fail.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Room on the small file system, when it is not to be full.
const ROOM: &str = "8g";

/// A file system in memory of a size that can be changed. Dropped, it is unmounted.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one at this folder.
    ///
    /// # Errors
    /// Why that can't be done, and what to do about it.
    pub fn mount(path: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(path).map_err(|error| error.to_string())?;
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={ROOM}"), "tmpfs"])
            .arg(path)
            .stderr(Stdio::null())
            .status();
        if done.is_ok_and(|status| status.success()) {
            Ok(Self { path: path.to_owned() })
        } else {
            Err("no file system can be mounted here: run as root".to_owned())
        }
    }

    /// Leaves so many free kibibytes.
    pub fn leave_free(&self, kib: u64) -> bool {
        let Ok(space) = rustix::fs::statvfs(&self.path) else { return false };
        let used_kib = (space.f_blocks - space.f_bfree) * space.f_frsize / 1024;
        self.resize(&format!("{}k", used_kib + kib))
    }

    /// Has room again.
    pub fn make_room(&self) -> bool {
        self.resize(ROOM)
    }

    fn resize(&self, size: &str) -> bool {
        let done = Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.path).status();
        done.is_ok_and(|status| status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever still has a file open there is about to end.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// Makes the syncs of a process fail, until it is dropped.
pub struct FailingSyncs(Child);

impl FailingSyncs {
    /// Whether that can be done here; why not.
    ///
    /// # Errors
    /// What to do about it.
    pub fn can_be_had() -> Result<(), String> {
        let tried = Command::new("strace")
            .args(["-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "true"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match tried {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err("strace may not trace here: allow ptrace, or run as root".to_owned()),
            Err(_) => Err("there is no strace: install the package strace".to_owned()),
        }
    }

    /// From about now on.
    pub fn of(pid: u32) -> std::io::Result<Self> {
        let child = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"])
            .args(["-e", "inject=fdatasync,fsync:error=EIO", "-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }
}

impl Drop for FailingSyncs {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
