//! Files that are to be secret.

use std::path::Path;

/// Warns in the log, once, if everybody on this machine can read a file that is to be secret. What can't be looked at
/// is no matter here: reading it says what is wrong.
pub fn warn_if_others_read(path: &Path, what: &str) {
    #[cfg(unix)]
    if std::fs::metadata(path).is_ok_and(|file| std::os::unix::fs::MetadataExt::mode(&file) & 0o007 != 0) {
        let path = path.display();
        tracing::warn!("{path} holds {what}, and every user of this machine can read it: run `chmod o= {path}`");
    }
}
