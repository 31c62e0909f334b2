//! The programs by which a machine switches itself off. Scripts find these before those of the host, which
//! would switch off the host.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Where they are in the folder of an instance.
pub(super) const FOLDER: &str = ".power";

/// What tells that the instance switched itself off.
const OFF: &str = "off";

/// Ends all processes of the instance, this one among them.
const END: &str = "kill -KILL 0\n";

/// Where the programs of an instance are.
pub(super) fn folder(instance: &Path) -> PathBuf {
    instance.join(FOLDER)
}

/// Puts the programs into the folder of an instance.
pub(super) fn install(instance: &Path) -> io::Result<()> {
    let folder = folder(instance);
    fs::create_dir(&folder)?;
    let off = format!("#!/bin/sh\n: >\"${{0%/*}}/{OFF}\"\n{END}");
    let programs =
        ["halt", "poweroff", "shutdown"].map(|name| (name, off.clone())).into_iter().chain([
            // User data does not run at the second boot.
            ("reboot", format!("#!/bin/sh\n{END}")),
        ]);
    for (name, program) in programs {
        let path = folder.join(name);
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(path)?;
        file.write_all(program.as_bytes())?;
    }
    Ok(())
}

/// Whether the instance has switched itself off.
pub(super) fn is_off(instance: &Path) -> bool {
    folder(instance).join(OFF).exists()
}
