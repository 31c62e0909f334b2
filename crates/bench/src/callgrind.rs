//! Instructions per call, counted by callgrind.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::driver;

/// The difference between so many calls and so many is what the calls cost without start and end.
const FEW: u64 = 200;
const MANY: u64 = 1_200;

/// Whether callgrind can be used; says so if not.
pub(crate) fn installed() -> bool {
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    let found = valgrind.status().is_ok_and(|status| status.success());
    if !found {
        eprintln!("instructions are not counted: valgrind is not installed");
    }
    found
}

/// Instructions per call, in user mode, of this program run with these arguments and one task.
pub(crate) fn instructions(arguments: &[String]) -> anyhow::Result<f64> {
    let (few, many) = (count(arguments, FEW)?, count(arguments, MANY)?);
    Ok((many as f64 - few as f64) / (MANY - FEW) as f64)
}

fn count(arguments: &[String], calls: u64) -> anyhow::Result<u64> {
    let output = driver::process(&mut Command::new("valgrind"))
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(arguments)
        .args(["--calls", &calls.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "callgrind failed: {}\n{text}", output.status);
    collected(&text).with_context(|| format!("callgrind counted nothing:\n{text}"))
}

/// The sum in `==123== Collected : 4567`.
fn collected(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.split_once("Collected :"))?.1;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_found() {
        let text = "==7== Events    : Ir\n==7== Collected : 12345\n==7==\n";
        assert_eq!(collected(text), Some(12_345));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }
}
