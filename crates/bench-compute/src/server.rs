//! The server: our emulator, in which things happen at once.

use std::io::BufRead as _;
use std::time::Duration;

use polycloud_emulator::{Credentials, Emulator};

/// The account that the clients sign with.
pub(crate) const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY";
pub(crate) const REGION: &str = "us-east-1";

/// Serves until standard input ends, so that the server does not outlive who started it. The first line
/// of the output is the endpoint; after it comes one number for each line that is read.
pub(crate) fn serve(pending: u64) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let emulator = runtime.block_on(
        Emulator::builder()
            .test_credentials(Credentials::new(ACCESS_KEY, SECRET_KEY))
            .region(REGION)
            .start(),
    )?;
    emulator.ec2().timings(|timings| {
        timings.pending = Duration::from_millis(pending);
        timings.visible = Duration::ZERO;
    });
    println!("{}", emulator.ec2_url());
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{}", emulator.journal().requests().len());
        emulator.journal().clear();
    }
    Ok(())
}
