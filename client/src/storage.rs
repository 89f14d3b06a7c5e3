//! Atomic file writes: after an interrupted write, the old file or no file is left.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// Prefix of unfinished files. Old ones are left over from killed processes.
pub const UNFINISHED: &str = ".unfinished-";

/// Atomically replaces the file at `path`.
///
/// # Errors
/// Any error from the file system; the unfinished file is removed.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let unfinished = path.with_file_name(format!("{UNFINISHED}{}-{number}", std::process::id()));
    let written = write_new(&unfinished, content, mode).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)
}

/// Creates the folder with mode 0700, and its parents with the default mode.
///
/// # Errors
/// Any error from the file system.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
