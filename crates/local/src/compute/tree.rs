//! Directory trees: removing and copying them without following a symbolic link.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};

use super::journal::is_gone;

/// How often a directory is emptied that programs on their way out still write to.
const ATTEMPTS: u32 = 10;

/// Removes a file or a whole tree. Removing what is not there succeeds.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    for attempt in 1.. {
        let result = match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => break,
            Err(error) if attempt >= ATTEMPTS => return Err(error),
            // Someone else may be removing it too, and have taken a part of it first.
            Err(error) if is_gone(&error) => {
                if path.symlink_metadata().is_err_and(|error| is_gone(&error)) {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => open_up(path)?,
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes the directories of a tree writable for their owner: programs may leave some that are not.
fn open_up(path: &Path) -> io::Result<()> {
    let meta = path.symlink_metadata()?;
    if !meta.is_dir() {
        return Ok(());
    }
    let mode = meta.permissions().mode();
    if mode & 0o700 != 0o700 {
        fs::set_permissions(path, Permissions::from_mode(mode | 0o700))?;
    }
    fs::read_dir(path)?.try_for_each(|entry| open_up(&entry?.path()))
}

/// What a tree holds, as far as images carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
    Link,
}

/// Calls `visit` with each entry below `root`, its path relative to it and its kind, parents first.
///
/// Sockets, pipes and devices are passed over. A symbolic link that leads out of the tree is an error.
pub(super) fn walk(
    root: &Path,
    visit: &mut dyn FnMut(&Path, Kind) -> io::Result<()>,
) -> io::Result<()> {
    walk_below(root, Path::new(""), visit)
}

fn walk_below(
    root: &Path,
    below: &Path,
    visit: &mut dyn FnMut(&Path, Kind) -> io::Result<()>,
) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            visit(&path, Kind::Directory)?;
            walk_below(root, &path, visit)?;
        } else if kind.is_file() {
            visit(&path, Kind::File)?;
        } else if kind.is_symlink() {
            check_link(&path, &fs::read_link(entry.path())?)?;
            visit(&path, Kind::Link)?;
        }
    }
    Ok(())
}

/// Copies a tree into an empty directory.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    walk(from, &mut |path, kind| {
        let (source, copy) = (from.join(path), to.join(path));
        match kind {
            Kind::Directory => fs::create_dir(copy),
            Kind::File => fs::copy(source, copy).map(drop),
            Kind::Link => std::os::unix::fs::symlink(fs::read_link(source)?, copy),
        }
    })
}

/// Refuses a symbolic link at `path`, relative to a root, whose target is not inside that root for
/// sure: one that is absolute, climbs above the root, or climbs after it has gone down (what it goes
/// down through may be another link).
pub(super) fn check_link(path: &Path, target: &Path) -> io::Result<()> {
    let depth = path.components().count().saturating_sub(1);
    let mut climbs = 0;
    let mut descends = false;
    let inside = target.components().all(|component| match component {
        Component::CurDir => true,
        Component::ParentDir => {
            climbs += 1;
            !descends && climbs <= depth
        }
        Component::Normal(_) => {
            descends = true;
            true
        }
        Component::RootDir | Component::Prefix(_) => false,
    });
    if inside {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the symbolic link {} leads outside, to {}", path.display(), target.display()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        let check = |path: &str, target: &str| check_link(Path::new(path), Path::new(target));
        for (path, target) in [("a", "b"), ("a/b", "../c"), ("a/b/c", "../../d/e"), ("a", "./b/c")]
        {
            assert!(check(path, target).is_ok(), "{path} -> {target}");
        }
        for (path, target) in
            [("a", "/etc"), ("a", ".."), ("a/b", "../.."), ("a/b", "c/.."), ("a", "b/../../c")]
        {
            assert!(check(path, target).is_err(), "{path} -> {target}");
        }
    }

    #[test]
    fn removing_follows_no_link_and_opens_closed_directories() {
        let dir = tempfile::tempdir().unwrap();
        let (outside, tree) = (dir.path().join("outside"), dir.path().join("tree"));
        fs::create_dir_all(tree.join("closed/inner")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("link")).unwrap();
        fs::write(tree.join("closed/inner/file"), "x").unwrap();
        fs::set_permissions(tree.join("closed"), Permissions::from_mode(0o000)).unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists() && outside.join("kept").exists());
        remove(&tree).unwrap();
    }

    #[test]
    fn a_copy_has_files_modes_and_links() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("bin")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("bin/run"), "#!/bin/sh").unwrap();
        fs::set_permissions(from.join("bin/run"), Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("bin/run", from.join("run")).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("run")).unwrap(), "#!/bin/sh");
        assert_eq!(fs::metadata(to.join("bin/run")).unwrap().permissions().mode() & 0o777, 0o755);
        std::os::unix::fs::symlink("/etc/passwd", from.join("out")).unwrap();
        remove(&to).unwrap();
        fs::create_dir(&to).unwrap();
        assert!(copy(&from, &to).is_err());
    }
}
