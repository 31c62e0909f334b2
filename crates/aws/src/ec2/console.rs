//! What instances write to their console.

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use polycloud_core::compute::{Console, ConsoleOutput, InstanceId};
use polycloud_core::{Error, ErrorKind, Result, ResultExt as _};

use super::{Ec2Compute, Inner};
use crate::PROVIDER;

/// EC2 keeps the last 64 KiB and does not tell how much it has dropped: positions count from the beginning
/// of what it kept. As long as no more was written, they are those of the trait; behind that, a reading
/// repeats or skips what was written meanwhile.
#[async_trait]
impl Console for Ec2Compute {
    async fn output(&self, id: &InstanceId, from: u64) -> Result<ConsoleOutput> {
        self.0.console(id, from).await.during(PROVIDER, "console", id)
    }
}

impl Inner {
    async fn console(&self, id: &InstanceId, from: u64) -> Result<ConsoleOutput> {
        let native = self.native(id)?;
        let text = match self.console_text(native, true).await {
            // Instances of old types are read some minutes after they booted, and not as of now.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.console_text(native, false).await?
            }
            text => text?,
        };
        let kept = BASE64_STANDARD.decode(text.trim_ascii()).map_err(|error| {
            Error::new(ErrorKind::InvalidResponse)
                .with_message("the console is not in base64")
                .with_source(error)
        })?;
        let mut kept = Bytes::from(kept);
        let start = usize::try_from(from).unwrap_or(usize::MAX).min(kept.len());
        let rest = kept.split_off(start);
        Ok(ConsoleOutput::new(start as u64, rest))
    }

    async fn console_text(&self, native: &str, latest: bool) -> Result<String> {
        let request = self.caller.client().get_console_output().instance_id(native);
        let request = request.set_latest(latest.then_some(true));
        let answer = self.caller.call("GetConsoleOutput", request.send()).await?;
        Ok(answer.output.unwrap_or_default())
    }
}
