//! The disks of instances and images, as far as scripts write to them: folders of this machine.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::power;

/// What the names of scripts begin with, which run at the first boot only.
pub(super) const SCRIPT: &str = ".user-data-";

/// How often a folder is removed into which somebody is still writing.
const TRIES: u32 = 10;

/// A folder that is removed with the last who has it.
#[derive(Debug)]
pub(super) struct Disk(PathBuf);

impl Disk {
    fn new() -> io::Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("instance-").tempdir()?.keep()))
    }

    /// An empty one, or one with the content of another.
    fn like(original: Option<&Self>) -> io::Result<Self> {
        let disk = Self::new()?;
        if let Some(original) = original {
            copy(original.path(), disk.path())?;
        }
        Ok(disk)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Disk {
    /// What was killed a moment ago may have written to it meanwhile.
    fn drop(&mut self) {
        for _ in 0..TRIES {
            match fs::remove_dir_all(&self.0) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => thread::yield_now(),
                _ => return,
            }
        }
    }
}

/// The disks of instances and of images, by their ids.
#[derive(Debug, Default)]
pub(super) struct Disks(BTreeMap<String, Arc<Disk>>);

impl Disks {
    /// Makes the disk of an instance, with the content of its image.
    pub(super) fn boot(&mut self, instance: &str, image: &str) -> io::Result<Arc<Disk>> {
        let disk = Disk::like(self.0.get(image).map(Arc::as_ref))?;
        power::install(disk.path())?;
        let disk = Arc::new(disk);
        self.0.insert(instance.to_owned(), Arc::clone(&disk));
        Ok(disk)
    }

    /// Keeps for an image what is on the disk of an instance.
    pub(super) fn keep(&mut self, instance: &str, image: &str) -> io::Result<()> {
        if let Some(disk) = self.0.get(instance) {
            let copied = Disk::like(Some(disk))?;
            self.0.insert(image.to_owned(), Arc::new(copied));
        }
        Ok(())
    }

    /// Forgets a disk.
    pub(super) fn remove(&mut self, id: &str) {
        self.0.remove(id);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Copies files, folders and links. What is removed meanwhile is left out, and so is what belongs to the
/// instance itself.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        let copied = if is_own(&entry.file_name()) {
            Ok(())
        } else if kind.is_dir() {
            fs::create_dir(&target).and_then(|()| copy(&path, &target))
        } else if kind.is_symlink() {
            fs::read_link(&path).and_then(|link| std::os::unix::fs::symlink(link, &target))
        } else if kind.is_file() {
            fs::copy(&path, &target).map(drop)
        } else {
            Ok(())
        };
        match copied {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            copied => copied?,
        }
    }
    Ok(())
}

fn is_own(name: &OsStr) -> bool {
    name == power::FOLDER || name.as_bytes().starts_with(SCRIPT.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_what_was_on_the_disk() {
        let mut disks = Disks::default();
        let disk = disks.boot("i-1", "ami-0").unwrap();
        fs::create_dir(disk.path().join("a")).unwrap();
        fs::write(disk.path().join("a/b"), "text").unwrap();
        std::os::unix::fs::symlink("a/b", disk.path().join("link")).unwrap();
        fs::write(disk.path().join(".user-data-0"), "script").unwrap();
        disks.keep("i-1", "ami-1").unwrap();
        disks.remove("i-1");
        let old = disk.path().to_owned();
        drop(disk);
        assert!(!old.exists());

        let copy = disks.boot("i-2", "ami-1").unwrap();
        assert_eq!(fs::read_to_string(copy.path().join("link")).unwrap(), "text");
        assert!(!copy.path().join(".user-data-0").exists());
        assert!(copy.path().join(power::FOLDER).join("shutdown").exists());
        let path = copy.path().to_owned();
        drop(copy);
        disks.clear();
        assert!(!path.exists());
    }
}
