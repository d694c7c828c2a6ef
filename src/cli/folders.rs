//! Whether the service may make files where it has to. Found out by looking: nothing is
//! made, and whoever asks may be root, to whom rights say nothing. Then the service's
//! user is the one to whom the database belongs.

use rustix::fs::{Access, access};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Who makes the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Whoever runs this.
    Us,
    /// Another user, by the number.
    Other(u32),
}

impl Maker {
    /// Whoever runs the service on this database.
    pub fn of(database: &Path) -> Maker {
        match fs::metadata(database) {
            Ok(about) if rustix::process::geteuid().is_root() && about.uid() != 0 => {
                Maker::Other(about.uid())
            }
            _ => Maker::Us,
        }
    }
}

/// Why files cannot be made in a folder, with the mend.
pub fn hindrance(folder: &Path, maker: Maker) -> Option<String> {
    let shown = folder.display();
    let Ok(about) = fs::metadata(folder) else {
        return Some(format!("there is no folder {shown}: make it"));
    };
    if !about.is_dir() {
        return Some(format!(
            "{shown} is no folder: take it away, or name another"
        ));
    }
    // For root this still tells of a disk that is mounted read-only.
    let ours = access(folder, Access::WRITE_OK | Access::EXEC_OK);
    match (maker, ours) {
        (_, Err(rustix::io::Errno::ROFS)) => Some(format!(
            "{shown} is on a disk that is mounted read-only: mount it read-write, or name another folder"
        )),
        (Maker::Us, Err(_)) => Some(format!(
            "we may not write in {shown}: give it to the service's user (chown), and run this as that user or root"
        )),
        (Maker::Other(user), _) if !may_write(&about, user) => Some(format!(
            "the service's user (uid {user}) may not write in {shown}: chown {user} {shown}"
        )),
        _ => None,
    }
}

/// By the rights alone. Of which groups the user is nobody here knows.
fn may_write(folder: &Metadata, user: u32) -> bool {
    const WRITE_AND_ENTER: u32 = 0o3;
    let mode = folder.mode();
    let may = |shift: u32| (mode >> shift) & WRITE_AND_ENTER == WRITE_AND_ENTER;
    match folder.uid() == user {
        true => may(6),
        false => may(3) || may(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_is_its_owners_its_groups_or_everybodys() {
        let name = format!("wabridge-folders-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let owner = fs::metadata(&folder).unwrap().uid();
        for (mode, own, others) in [
            (0o700, true, false),
            (0o500, false, false),
            (0o600, false, false),
            (0o770, true, true),
            (0o750, true, false),
            (0o777, true, true),
            (0o775, true, true),
        ] {
            fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).unwrap();
            let about = fs::metadata(&folder).unwrap();
            let may = [owner, owner + 1].map(|user| may_write(&about, user));
            assert_eq!(may, [own, others], "{mode:o}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_no_folder_is_said() {
        let said = |path: &str| hindrance(Path::new(path), Maker::Us).unwrap();
        assert!(said("/nonexistent").starts_with("there is no folder /nonexistent"));
        assert!(said("/dev/null").starts_with("/dev/null is no folder"));
    }
}
