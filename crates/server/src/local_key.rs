//! The cluster key of a server that was started without `--key`: the own one of this user on this machine.
//!
//! It is made at the first start and kept in the user's state folder, so that servers which the same user starts in
//! several terminals know one another, and nobody else is a replica of theirs.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::cluster_key::ClusterKey;
use crate::error::ServerError;

/// The name of its file.
const FILE: &str = "local.key";

/// Reads this user's own key; makes it if there is none yet. Servers that start at the same moment get the same one.
///
/// # Errors
/// There is no place for it, or its file can't be read or written, or somebody else could have written it.
pub fn local_key() -> Result<ClusterKey, ServerError> {
    let folder = state_folder(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"));
    read_or_make(&folder.ok_or(ServerError::NoPlaceForKey)?)
}

/// Where this user's programs keep what they make for themselves, as the XDG base directory specification has it:
/// paths that are not absolute don't count.
fn state_folder(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: Option<OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute(state).or_else(|| Some(absolute(home)?.join(".local/state")));
    Some(state?.join("lastword"))
}

fn read_or_make(folder: &Path) -> Result<ClusterKey, ServerError> {
    let path = folder.join(FILE);
    let wrong = |error: io::Error| ServerError::LocalKey { path: path.clone(), what: error.to_string() };
    if !path.try_exists().map_err(wrong)? {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrong)?;
        make(folder, &path).map_err(wrong)?;
    }
    // Whoever can write it knows the key.
    let file = std::fs::metadata(&path).map_err(wrong)?;
    if file.uid() != rustix::process::geteuid().as_raw() || file.mode() & 0o022 != 0 {
        return Err(ServerError::LocalKey {
            path: path.clone(),
            what: "it belongs to another user, or others can write it".to_owned(),
        });
    }
    crate::private::warn_if_others_read(&path, "the cluster key");
    ClusterKey::read(&path)
}

/// Makes the file whole or not at all, and never over one that is there: of several that try it at one moment the
/// first wins, and all read what it has made.
fn make(folder: &Path, path: &Path) -> io::Result<()> {
    let key = ClusterKey::generate().map_err(io::Error::other)?;
    let draft = folder.join(format!("{FILE}.{}.{:016x}", std::process::id(), draw()?));
    let made = key.write(&draft).and_then(|()| std::fs::hard_link(&draft, path));
    let _ = std::fs::remove_file(&draft);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        // With the name, not only the bytes, on disk: the servers' data may outlive a power cut.
        _ => File::open(folder)?.sync_all(),
    }
}

/// A number that no other draft has: process ids are the same in different containers.
fn draw() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_place_is_the_users_state_folder() {
        let folder = |state: Option<&str>, home: Option<&str>| {
            let text = state_folder(state.map(OsString::from), home.map(OsString::from))?;
            Some(text.to_str().expect("UTF-8").to_owned())
        };
        assert_eq!(folder(Some("/s"), Some("/h")).as_deref(), Some("/s/lastword"));
        assert_eq!(folder(None, Some("/h")).as_deref(), Some("/h/.local/state/lastword"));
        assert_eq!(folder(Some("s"), Some("/h")).as_deref(), Some("/h/.local/state/lastword"));
        assert_eq!(folder(Some(""), Some("h")), None);
        assert_eq!(folder(None, None), None);
    }

    #[test]
    fn all_who_start_at_one_moment_get_the_same_key_and_nobody_else_can_read_it() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("state/lastword");
            let together = std::sync::Barrier::new(8);
            let keys: Vec<ClusterKey> = std::thread::scope(|scope| {
                let start = || {
                    together.wait();
                    read_or_make(&folder).unwrap()
                };
                let starting: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
                starting.into_iter().map(|key| key.join().unwrap()).collect()
            });
            assert!(keys.iter().all(|key| *key == keys[0]));
            assert_eq!(read_or_make(&folder).unwrap(), keys[0]);
            let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
            assert_eq!(files, [folder.join(FILE)], "no drafts are left");
            let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&folder), mode(&folder.join(FILE))), (0o700, 0o600));
        }
    }

    #[test]
    fn a_key_that_others_could_have_written_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let key = read_or_make(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        let chmod = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        chmod(0o644);
        assert_eq!(read_or_make(dir.path()).unwrap(), key);
        chmod(0o666);
        let refused = read_or_make(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("others can write it") && refused.contains("--key"), "{refused}");
    }

    #[test]
    fn a_place_that_can_not_be_used_says_to_give_a_key() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let refused = read_or_make(&dir.path().join("file/lastword")).unwrap_err().to_string();
        assert!(refused.contains("--key"), "{refused}");
    }
}
