//! The cluster key: what replicas of a group know each other by, and encrypt with. A file of 64 hex
//! digits; lines that begin with `#` are comments.

use std::fmt;
use std::io::Write;
use std::path::Path;

use lastword_facts::token::SeenKey;

use crate::error::ServerError;

/// The cluster key. Never shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterKey([u8; 32]);

impl ClusterKey {
    /// A new key, of 256 random bits.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub fn generate() -> Result<Self, ServerError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|error| ServerError::Machine { what: "randomness", source: std::io::Error::other(error) })?;
        Ok(Self(key))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// It can't be read, or is no key.
    pub fn read(path: &Path) -> Result<Self, ServerError> {
        let wrong = |what: String| ServerError::Key { path: path.to_owned(), what };
        let text =
            std::fs::read_to_string(path).map_err(|source| ServerError::KeyFile { path: path.to_owned(), source })?;
        let digits: String =
            text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace).collect();
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong("it must have 64 hex digits, and nothing else but comments".to_owned()));
        }
        let mut key = [0; 32];
        for (n, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).map_err(|error| wrong(error.to_string()))?;
        }
        Ok(Self(key))
    }

    /// Writes the key to a new file that only its owner can read.
    ///
    /// # Errors
    /// The file exists already, or can't be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut options = std::fs::File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut file = options.open(path)?;
        writeln!(file, "# The cluster key of a Lastword group. Keep it secret; copy it to every replica.\n{digits}")?;
        file.sync_all()
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that clients' `seen` tokens are signed with.
    pub fn seen_key(&self) -> SeenKey {
        SeenKey::of_cluster_key(&self.0)
    }
}

/// For tests, and for data that no group uses: a group's key is drawn, never chosen.
impl From<[u8; 32]> for ClusterKey {
    fn from(key: [u8; 32]) -> Self {
        Self(key)
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("ClusterKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_never_written_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let key = ClusterKey::generate().unwrap();
        key.write(&path).unwrap();
        assert_eq!(ClusterKey::read(&path).unwrap(), key);
        assert!(key.write(&path).is_err());
        std::fs::write(&path, "# only a comment\nabc").unwrap();
        assert!(ClusterKey::read(&path).unwrap_err().to_string().contains("64 hex digits"));
    }
}
