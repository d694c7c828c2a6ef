//! MEDIA_DIR: files on disk. One that is being written lies in a folder of its
//! own beside them, and gets its name when it is whole and on disk, so that
//! nobody ever sees part of one; what a crash left there goes at the next start.

use crate::wire::media::Digest;
use ring::digest;
use rustix::fs::OFlags;
use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where files are while they are written.
const PARTIAL: &str = ".partial";

/// Room on the disk that is left to the database: what fills the disk must not
/// be a film when the next webhook has to be stored. On a small disk a tenth.
const SPARE_BYTES: u64 = 256 << 20;

/// How much is written between two looks at the room that is left.
const LOOK_EVERY_BYTES: u64 = 4 << 20;

/// Why a file is not on disk.
#[derive(Debug)]
pub enum Unwritten {
    /// The disk is full, or nearly.
    NoRoom,
    /// It cannot be written.
    Broken(io::Error),
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Unwritten::NoRoom => {
                f.write_str("the disk of MEDIA_DIR is full, or nearly: free some space")
            }
            Unwritten::Broken(error) => {
                write!(f, "MEDIA_DIR cannot be written: {}", error.kind())
            }
        }
    }
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Unwritten {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Unwritten::NoRoom,
            _ => Unwritten::Broken(error),
        }
    }
}

/// A file of the folder by its name, if it is there; never one outside, nor one that a
/// link leads to.
pub fn read(folder: &Path, name: &str) -> Option<File> {
    let path = is_ours(name).then(|| folder.join(name))?;
    let no_link = OFlags::NOFOLLOW.bits() as i32;
    File::options()
        .read(true)
        .custom_flags(no_link)
        .open(path)
        .ok()
}

/// Removes a file of the folder, if it is there; never one outside.
///
/// # Errors
/// When it is there still, or may be after a power failure.
pub fn remove(folder: &Path, name: &str) -> io::Result<()> {
    match unlink(folder, name)? {
        true => sync(folder),
        false => Ok(()),
    }
}

/// The same, on disk only after [`sync`]. Whether it was there.
///
/// # Errors
/// When it is there still.
pub fn unlink(folder: &Path, name: &str) -> io::Result<bool> {
    if !is_ours(name) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    match fs::remove_file(folder.join(name)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What was removed is gone after a power failure too.
///
/// # Errors
/// When that is not certain.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The files of a folder that were written before a time, in Unix milliseconds.
///
/// # Errors
/// When it cannot be read.
pub fn older_than(folder: &Path, before: i64) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let about = match entry.metadata() {
            Ok(about) => about,
            // It went meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if is_stored(&name) && about.is_file() && about.mtime().saturating_mul(1_000) < before {
            names.push(name);
        }
    }
    Ok(names)
}

/// Whether a name begins as those of stored files do (wire::media::types): with a
/// digest. Somebody else's file in our folder is left alone.
fn is_stored(name: &str) -> bool {
    let digest = name.split('.').next().unwrap_or_default();
    digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether it may be the name of a file here.
fn is_ours(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.';
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain)
}

/// A folder of files.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder, made when it is not there, for our eyes only; what an earlier
    /// process left half-written is removed.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn open(path: &Path) -> io::Result<Folder> {
        for folder in [path, &path.join(PARTIAL)] {
            match DirBuilder::new().mode(0o700).create(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        // Somebody who may write here could have us remove what a link leads to.
        if !fs::symlink_metadata(path.join(PARTIAL))?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        for left in fs::read_dir(path.join(PARTIAL))? {
            fs::remove_file(left?.path())?;
        }
        Ok(Folder {
            path: path.to_owned(),
        })
    }

    /// Whether a file is there.
    pub fn has(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }

    /// Begins to write a file. Two never have the same number at once.
    pub fn begin(&self, number: i64) -> Result<Partial<'_>, Unwritten> {
        self.has_room()?;
        let path = self.path.join(PARTIAL).join(number.to_string());
        // Left by an attempt of this process that panicked.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let file = File::options()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Partial {
            folder: self,
            file,
            path,
            digest: digest::Context::new(&digest::SHA256),
            bytes: 0,
            looked_at: 0,
        })
    }

    fn has_room(&self) -> Result<(), Unwritten> {
        let disk = rustix::fs::statvfs(&self.path).map_err(io::Error::from)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let all = disk.f_blocks.saturating_mul(disk.f_frsize);
        match leaves_room(free, all) {
            true => Ok(()),
            false => Err(Unwritten::NoRoom),
        }
    }
}

/// Whether a disk of `all` bytes with so many free has room for files.
fn leaves_room(free: u64, all: u64) -> bool {
    free >= SPARE_BYTES.min(all / 10)
}

/// A file that is being written. Dropped before it is kept, it is removed.
pub struct Partial<'f> {
    folder: &'f Folder,
    file: File,
    path: PathBuf,
    digest: digest::Context,
    bytes: u64,
    looked_at: u64,
}

impl Partial<'_> {
    /// How much was written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes more.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Unwritten> {
        self.file.write_all(piece)?;
        self.digest.update(piece);
        self.bytes += piece.len() as u64;
        if self.bytes - self.looked_at >= LOOK_EVERY_BYTES {
            self.looked_at = self.bytes;
            self.folder.has_room()?;
        }
        Ok(())
    }

    /// The digest of what was written.
    pub fn digest(&self) -> Digest {
        Digest::of(self.digest.clone())
    }

    /// Gives it its name, for good. One that has it already has the same
    /// content, since names are digests.
    pub fn keep(self, name: &str) -> Result<(), Unwritten> {
        self.file.sync_all()?;
        fs::rename(&self.path, self.folder.path.join(name))?;
        // The name is on disk when the folder is.
        File::open(&self.folder.path)?.sync_all()?;
        Ok(())
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        // Gone already when it was kept; else the next start removes it.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("wabridge-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).unwrap();
        let name = |e: io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_seen_when_it_is_whole_and_by_its_owner_alone() {
        let path = folder("whole");
        let folder = Folder::open(&path).unwrap();
        let mut partial = folder.begin(7).unwrap();
        partial.write(b"abc").unwrap();
        assert_eq!(names(&path), [PARTIAL]);
        assert!(read(&path, "abc.txt").is_none());
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((partial.digest().hex().as_str(), partial.bytes()), (hex, 3));
        partial.keep("abc.txt").unwrap();
        assert_eq!(names(&path), [PARTIAL, "abc.txt"]);
        assert!(read(&path, "abc.txt").is_some());
        assert!(names(&path.join(PARTIAL)).is_empty());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path.join("abc.txt")), 0o600);
        assert_eq!((mode(&path), mode(&path.join(PARTIAL))), (0o700, 0o700));
    }

    #[test]
    fn what_is_not_kept_leaves_nothing() {
        let path = folder("dropped");
        let folder = Folder::open(&path).unwrap();
        let mut partial = folder.begin(7).unwrap();
        partial.write(b"abc").unwrap();
        drop(partial);
        assert!(names(&path.join(PARTIAL)).is_empty());
        // A process that was killed drops nothing.
        fs::write(path.join(PARTIAL).join("8"), b"half").unwrap();
        Folder::open(&path).unwrap();
        assert!(names(&path.join(PARTIAL)).is_empty());
    }

    #[test]
    fn no_link_leads_out_of_the_folder() {
        let (path, outside) = (folder("links"), folder("links-outside"));
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("1"), b"theirs").unwrap();
        fs::create_dir_all(&path).unwrap();
        std::os::unix::fs::symlink(&outside, path.join(PARTIAL)).unwrap();
        assert!(Folder::open(&path).is_err());
        std::os::unix::fs::symlink(outside.join("1"), path.join("abc.txt")).unwrap();
        assert!(read(&path, "abc.txt").is_none());
        remove(&path, "abc.txt").unwrap();
        assert_eq!(fs::read(outside.join("1")).unwrap(), b"theirs");
    }

    #[test]
    fn a_quarter_of_a_gigabyte_or_a_tenth_of_the_disk_is_left() {
        const GB: u64 = 1 << 30;
        let rows = [
            (100 * GB, 100 * GB, true),
            (SPARE_BYTES, 100 * GB, true),
            (SPARE_BYTES - 1, 100 * GB, false),
            (GB / 10, GB, true),
            (GB / 10 - 1, GB, false),
            (0, GB, false),
        ];
        for (free, all, expected) in rows {
            assert_eq!(leaves_room(free, all), expected, "{free} of {all}");
        }
    }

    #[test]
    fn only_names_of_ours_are_read_and_removed() {
        let path = folder("names");
        Folder::open(&path).unwrap();
        fs::write(path.with_extension("out"), b"outside").unwrap();
        let out = format!(
            "../{}",
            path.with_extension("out").file_name().unwrap().display()
        );
        for name in [out.as_str(), "/etc/passwd", ".partial", "", ".", ".."] {
            assert!(read(&path, name).is_none(), "{name}");
            assert!(remove(&path, name).is_err(), "{name}");
        }
        assert!(path.with_extension("out").exists());
        fs::write(path.join("abc.txt"), b"abc").unwrap();
        remove(&path, "abc.txt").unwrap();
        assert!(!path.join("abc.txt").exists());
        remove(&path, "abc.txt").unwrap();
    }
}
