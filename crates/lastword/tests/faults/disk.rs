//! What happens to the files of a replica that does not run: they go, an old copy comes back, bits turn.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::chance::Chance;

/// Removes all that is in a data directory. (Not itself: it may be a file system of its own.)
pub fn empty(data: &Path) -> io::Result<()> {
    if !data.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}

/// Copies a data directory, in place of what was there.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    empty(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Removes the views: the next start reads the whole log.
pub fn forget_views(data: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("views.db")) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Turns bits in `log.db`. With `records`, in the texts of messages; else anywhere. How many.
pub fn flip(data: &Path, chance: &mut Chance, records: bool) -> io::Result<u64> {
    let mut file = File::options().read(true).write(true).open(data.join("log.db"))?;
    let length = file.metadata()?.len();
    let count = 1 + chance.below(4);
    let mut flipped = 0;
    for _ in 0..count {
        let mut at = chance.below(length);
        if records {
            let Some(text) = text_after(&mut file, at)? else { continue };
            at = text;
        }
        let mut byte = [0];
        file.seek(SeekFrom::Start(at))?;
        if file.read(&mut byte)? == 0 {
            continue;
        }
        byte[0] ^= 1 << chance.below(8);
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&byte)?;
        flipped += 1;
    }
    file.sync_all()?;
    Ok(flipped)
}

/// Where the `>` of a message's text stands, at or after this place.
fn text_after(file: &mut File, at: u64) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; 256 * 1024];
    file.seek(SeekFrom::Start(at))?;
    let count = file.read(&mut buffer)?;
    let found = buffer[..count]
        .windows(3)
        .position(|three| three[0].is_ascii_digit() && three[1] == b'>' && three[2].is_ascii_digit());
    Ok(found.map(|place| at + place as u64 + 1))
}

/// Cuts off the end of the write-ahead log, as a disk does that has lied about a sync. How many bytes.
pub fn tear_tail(data: &Path, chance: &mut Chance) -> io::Result<u64> {
    let path = data.join("log.db-wal");
    let Ok(file) = File::options().write(true).open(&path) else { return Ok(0) };
    let length = file.metadata()?.len();
    let cut = chance.below(length.min(256 * 1024));
    file.set_len(length - cut)?;
    file.sync_all()?;
    Ok(cut)
}
