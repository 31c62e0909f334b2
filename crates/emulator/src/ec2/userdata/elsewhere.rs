//! Where there are no groups of processes, nothing is run.

use super::Console;

#[derive(Debug, Default)]
pub(super) struct Runner;

impl Runner {
    pub(super) fn run(&self, _: &str, _: &str, _: Vec<Vec<u8>>, console: &Console) {
        console.write(b"user data is not run on this system\n");
    }

    pub(super) fn kill(&self, _: &str) {}

    pub(super) fn keep(&self, _: &str, _: &str, _: &Console) {}

    pub(super) fn forget(&self, _: &str) {}

    pub(super) fn take_off(&self) -> Vec<String> {
        Vec::new()
    }

    pub(super) fn kill_all(&self) {}

    pub(super) fn close(&self) {}
}
