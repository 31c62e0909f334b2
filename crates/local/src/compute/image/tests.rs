use std::os::unix::fs::{PermissionsExt, symlink};

use polycloud_core::compute::Compute as _;
use tar::{Builder, Header};

use super::*;

/// A tar entry: type, name, link target, content.
type Part = (EntryType, &'static str, &'static str, &'static str);

/// Writes a tar file as it stands, with names that a library would refuse to write.
fn tar_of(parts: &[Part]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, name, target, content) in parts {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o4755);
        header.set_size(content.len() as u64);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        tar.append(&header, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// Unpacks into a directory beside which a file is watched.
fn try_unpack(parts: &[Part]) -> (io::Result<()>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (disk, outside) = (dir.path().join("a/disk"), dir.path().join("a/outside"));
    fs::create_dir_all(&disk).unwrap();
    fs::write(&outside, "untouched").unwrap();
    let result = unpack_tar(tar_of(parts).as_slice(), &disk);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "untouched");
    let mut beside: Vec<_> = fs::read_dir(dir.path().join("a"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    beside.sort();
    assert_eq!(beside, ["disk", "outside"], "nothing else was written");
    (result, dir)
}

const FILE: EntryType = EntryType::Regular;
const LINK: EntryType = EntryType::Symlink;
const HARD: EntryType = EntryType::Link;
const DIR: EntryType = EntryType::Directory;

#[test]
fn an_honest_tar_is_unpacked() {
    let (result, dir) = try_unpack(&[
        (DIR, "bin/", "", ""),
        (FILE, "bin/run", "", "#!/bin/sh"),
        (FILE, "deep/er/file", "", "x"),
        (LINK, "run", "bin/run", ""),
        (LINK, "deep/up", "../bin", ""),
        (HARD, "bin/hard", "bin/run", ""),
        (FILE, "bin/run2", "", "two"),
        (FILE, "run", "", "a file in place of the link"),
    ]);
    result.unwrap();
    let disk = dir.path().join("a/disk");
    assert_eq!(fs::read_to_string(disk.join("bin/run")).unwrap(), "#!/bin/sh");
    assert_eq!(fs::read_to_string(disk.join("run")).unwrap(), "a file in place of the link");
    assert_eq!(fs::read_to_string(disk.join("deep/up/hard")).unwrap(), "#!/bin/sh");
    let mode = fs::metadata(disk.join("bin/run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755, "no set-user-id bit");
}

#[test]
fn nothing_is_written_outside() {
    let hostile: &[&[Part]] = &[
        &[(FILE, "../outside", "", "x")],
        &[(FILE, "a/../../outside", "", "x")],
        &[(FILE, "/tmp/polycloud-hostile", "", "x")],
        &[(LINK, "l", "..", ""), (FILE, "l/outside", "", "x")],
        &[(LINK, "l", "/", "")],
        &[(LINK, "l", "../outside", ""), (FILE, "l", "", "x")],
        &[(LINK, "l", ".", ""), (FILE, "l/l/x", "", "x")],
        &[(DIR, "a/b/", "", ""), (LINK, "a/b/x", "../..", ""), (LINK, "a/b/y", "x/..", "")],
        &[(LINK, "d", ".", ""), (LINK, "d/e", "..", "")],
        &[(HARD, "h", "../outside", "")],
        &[(HARD, "h", "/etc/passwd", "")],
        &[(HARD, "h", "missing", "")],
        &[(LINK, "l", "x", ""), (HARD, "h", "l", "")],
        &[(EntryType::Fifo, "pipe", "", "")],
        &[(EntryType::Char, "null", "", "")],
        &[(EntryType::Block, "disk", "", "")],
        &[(LINK, "l", "", "")],
    ];
    for parts in hostile {
        assert!(try_unpack(parts).0.is_err(), "{parts:?}");
    }
    assert!(!Path::new("/tmp/polycloud-hostile").exists());
}

#[test]
fn a_disk_survives_packing_and_unpacking() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, tar, copy) = (dir.path().join("d"), dir.path().join("d.tar"), dir.path().join("c"));
    fs::create_dir_all(disk.join("sub/empty")).unwrap();
    fs::create_dir(&copy).unwrap();
    fs::write(disk.join("sub").join("n".repeat(150)), "long name").unwrap();
    fs::write(disk.join("exe"), "x").unwrap();
    fs::set_permissions(disk.join("exe"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink("sub/empty", disk.join("link")).unwrap();
    std::os::unix::net::UnixListener::bind(disk.join("socket")).unwrap();
    pack(&disk, &tar).unwrap();
    unpack(&Source::Tar(tar), &copy).unwrap();
    assert_eq!(fs::read_to_string(copy.join("sub").join("n".repeat(150))).unwrap(), "long name");
    assert_eq!(fs::metadata(copy.join("exe")).unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(fs::read_link(copy.join("link")).unwrap(), Path::new("sub/empty"));
    assert!(copy.join("sub/empty").is_dir() && !copy.join("socket").exists());

    symlink("/etc/passwd", disk.join("out")).unwrap();
    assert!(pack(&disk, &dir.path().join("e.tar")).is_err());
}

#[test]
fn selectors_find_images() {
    let dir = tempfile::tempdir().unwrap();
    let images = dir.path();
    fs::create_dir(images.join("web")).unwrap();
    fs::write(images.join("ubuntu-1.04.tar.gz"), "").unwrap();
    fs::write(images.join("notes.txt"), "").unwrap();
    fs::write(images.join(".new-x"), "").unwrap();
    let id = |text: &str| resolve(images, &text.parse().unwrap(), ARCH).map(|image| image.id);
    assert_eq!(id("host:latest").unwrap(), HOST);
    assert_eq!(resolve(images, &ImageSelector::Default, ARCH).unwrap().id, HOST);
    assert_eq!(id("id:web").unwrap(), "web");
    assert_eq!(id("id:host:latest").unwrap(), HOST);
    for found in ["ubuntu:1.04", "id:ubuntu-1.04", "id:ubuntu-1.04.tar.gz"] {
        assert_eq!(id(found).unwrap(), "ubuntu-1.04.tar.gz");
    }
    let absolute = images.join("web");
    assert_eq!(id(&format!("id:{}", absolute.display())).unwrap(), "web");
    let missing =
        ["ubuntu:9.04", "id:missing", "id:../web", "id:notes.txt", "id:.new-x", "id:/etc/passwd"];
    for missing in missing {
        assert_eq!(id(missing).unwrap_err().kind(), ErrorKind::NotFound, "{missing}");
    }
    let other = if ARCH == Arch::Arm64 { Arch::X86_64 } else { Arch::Arm64 };
    assert!(resolve(images, &ImageSelector::Default, other).is_err());
    let ids: Vec<_> = list(images).unwrap().into_iter().map(|image| image.id).collect();
    assert_eq!(ids, ["ubuntu-1.04.tar.gz", "web"]);
}

#[tokio::test]
async fn the_hosts_own_name_is_an_alias() {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim_matches('"').to_owned())
    };
    let (Some(os), Some(version)) = (value("ID"), value("VERSION_ID")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let compute = crate::LocalCompute::open(dir.path()).unwrap();
    let alias = format!("{os}:{version}").parse().unwrap();
    assert_eq!(compute.resolve_image(&alias, ARCH).await.unwrap().id, HOST);
}
