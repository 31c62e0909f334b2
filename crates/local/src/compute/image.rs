//! Images: the host itself, or a directory or tar file that becomes an instance's disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use polycloud_core::compute::{Arch, Image, ImageSelector};
use polycloud_core::{Error, ErrorKind, Result};
use tar::EntryType;

use super::error::failed;
use super::tree::{self, Kind};
use super::types::ARCH;

/// The image of the host: its programs, and an empty directory to work in.
pub(super) const HOST: &str = "host:latest";

/// What the names of tar files end in.
const ENDINGS: [&str; 3] = [".tar", ".tar.gz", ".tgz"];

/// Where an image's content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Nothing,
    Directory(PathBuf),
    Tar(PathBuf),
}

/// Finds the image that a selector means.
pub(super) fn resolve(images: &Path, selector: &ImageSelector, arch: Arch) -> Result<Image> {
    let id = match selector {
        ImageSelector::Default => HOST.to_owned(),
        ImageSelector::Alias(alias) if alias == HOST || is_host(alias) => HOST.to_owned(),
        ImageSelector::Alias(alias) => alias.replacen(':', "-", 1),
        ImageSelector::Id(id) => id.clone(),
        _ => {
            return Err(
                Error::new(ErrorKind::Unsupported).with_message("this way of choosing the image")
            );
        }
    };
    if arch != ARCH {
        return Err(Error::new(ErrorKind::NotFound)
            .with_message(format!("images of this host are for {ARCH}, not {arch}")));
    }
    let id = match source(images, &id)? {
        Source::Nothing => id,
        Source::Directory(path) | Source::Tar(path) => canonical_id(images, &path, id),
    };
    Ok(Image::new(id.as_str(), stem(&id), ARCH))
}

/// Images in the directory for them go by their file name, others by their path.
fn canonical_id(images: &Path, path: &Path, id: String) -> String {
    let name = path.strip_prefix(images).ok().and_then(Path::to_str);
    name.map_or(id, str::to_owned)
}

/// Whether an alias such as `debian:12` is what the host runs.
fn is_host(alias: &str) -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |key: &str| {
        let mut lines = release.lines().filter_map(|line| line.split_once('='));
        lines.find(|(name, _)| *name == key).map(|(_, value)| value.trim_matches('"'))
    };
    match (value("ID"), value("VERSION_ID")) {
        (Some(os), Some(version)) => alias.split_once(':') == Some((os, version)),
        _ => false,
    }
}

/// Finds the content of an image by its id.
pub(super) fn source(images: &Path, id: &str) -> Result<Source> {
    if id == HOST {
        return Ok(Source::Nothing);
    }
    let missing = || {
        Error::new(ErrorKind::NotFound).with_message(format!(
            "there is no image {id:?}; images are {HOST}, a directory or tar file in {}, or an \
             absolute path to one",
            images.display()
        ))
    };
    let path = if Path::new(id).is_absolute() {
        PathBuf::from(id)
    } else {
        find(images, id).ok_or_else(missing)?
    };
    match fs::metadata(&path) {
        Ok(meta) if meta.is_dir() => Ok(Source::Directory(path)),
        Ok(meta) if meta.is_file() && has_ending(&path) => Ok(Source::Tar(path)),
        _ => Err(missing()),
    }
}

/// The directory or tar file of this name, with or without its ending.
pub(super) fn find(images: &Path, name: &str) -> Option<PathBuf> {
    if !is_name(name) {
        return None;
    }
    let mut candidates = std::iter::once("")
        .chain(ENDINGS)
        .map(|ending| images.join(format!("{name}{ending}")))
        .filter(|path| path.is_dir() || has_ending(path));
    candidates.find(|path| path.exists())
}

/// Whether a text can name an image: 1 to 128 letters, digits, `.`, `_` and `-`, the first of which is a
/// letter or digit.
pub(super) fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn has_ending(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The images in the directory for them, by name.
pub(super) fn list(images: &Path) -> Result<Vec<Image>> {
    let entries = fs::read_dir(images).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| failed("cannot list the images", error))?;
    let names = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| is_name(name)).collect();
    names.retain(|name| source(images, name).is_ok());
    names.sort_unstable();
    Ok(names.iter().map(|name| Image::new(name.as_str(), stem(name), ARCH)).collect())
}

fn stem(id: &str) -> &str {
    ENDINGS.iter().find_map(|ending| id.strip_suffix(ending)).unwrap_or(id)
}

/// Puts the content of an image into an empty directory.
///
/// Nothing is ever written outside it, whatever the image holds. An image that tries is an error: names
/// that are absolute or have `..`, links that lead out, devices and pipes.
pub(super) fn unpack(source: &Source, disk: &Path) -> io::Result<()> {
    match source {
        Source::Nothing => Ok(()),
        Source::Directory(path) => tree::copy(path, disk),
        Source::Tar(path) => {
            let file = io::BufReader::new(File::open(path)?);
            if path.extension().is_some_and(|ending| ending == "tar") {
                unpack_tar(file, disk)
            } else {
                unpack_tar(flate2::bufread::MultiGzDecoder::new(file), disk)
            }
        }
    }
}

fn unpack_tar(tar: impl Read, disk: &Path) -> io::Result<()> {
    let refuse = |path: &Path, why: &str| {
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display())))
    };
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if !is_plain(&path) {
            return refuse(&path, "the name leads outside");
        }
        make_parents(disk, &path)?;
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::Directory => {}
            EntryType::Symlink => {
                tree::check_link(&path, &entry.link_name()?.unwrap_or_default())?;
            }
            EntryType::Link => {
                let target = entry.link_name()?.unwrap_or_default().into_owned();
                if !is_plain(&target) || !is_own_file(disk, &target) {
                    return refuse(&path, "the hard link leads to no file of the image");
                }
            }
            EntryType::XGlobalHeader => continue,
            _ => return refuse(&path, "neither a file, a directory nor a link"),
        }
        if !entry.unpack_in(disk)? {
            return refuse(&path, "the name leads outside");
        }
    }
    Ok(())
}

/// Whether a path is relative and goes down only.
fn is_plain(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Makes the directories above an entry. A link among them is refused: what is written through it would
/// be somewhere else than its name says.
fn make_parents(disk: &Path, path: &Path) -> io::Result<()> {
    let mut parent = disk.to_owned();
    for part in path.parent().unwrap_or_else(|| Path::new("")).components() {
        parent.push(part);
        match parent.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{}: what it is in is not a directory", path.display()),
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(&parent)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a path leads to a file that was unpacked, through real directories only.
fn is_own_file(disk: &Path, path: &Path) -> bool {
    let is = |path: &Path, check: fn(&fs::Metadata) -> bool| {
        path.symlink_metadata().is_ok_and(|meta| check(&meta))
    };
    let parents = path.ancestors().skip(1);
    is(&disk.join(path), fs::Metadata::is_file)
        && parents.into_iter().all(|parent| is(&disk.join(parent), fs::Metadata::is_dir))
}

/// Writes a disk to a tar file, while its programs go on writing to it. Sockets and pipes are left out.
///
/// # Errors
/// Names a symbolic link that leads outside: an image with one could not be used.
pub(super) fn pack(disk: &Path, to: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut tar = tar::Builder::new(io::BufWriter::new(file));
    tar.follow_symlinks(false);
    tree::walk(disk, &mut |path, kind| {
        let found = disk.join(path);
        match kind {
            Kind::Directory => tar.append_dir(path, found),
            Kind::File => append_file(&mut tar, path, &found),
            Kind::Link => tar.append_path_with_name(found, path),
        }
    })?;
    let file = tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}

/// Appends a file in the size that it has now; one that shrinks meanwhile is filled up with zeros.
fn append_file(
    tar: &mut tar::Builder<impl io::Write>,
    path: &Path,
    found: &Path,
) -> io::Result<()> {
    let file = File::open(found)?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&file.metadata()?);
    let size = header.size()?;
    tar.append_data(&mut header, path, file.chain(io::repeat(0)).take(size))
}

#[cfg(test)]
mod tests;
